"""``testbench show``: the events of a tape, one line each, or its processes."""

from __future__ import annotations

import argparse
import re

from testbench._opened import Tape
from testbench._shown import Shown
from testbench.cli._command import READING, Command
from testbench.cli._output import duration, event_as_json, print_json
from testbench.cli._processes import process_as_json, process_lines
from testbench.errors import UsageError
from testbench.tape import Event, Raised, Returned
from testbench.tape._text import ascii_safe, fields, short

_WIDTH = 60
_WHOLE = 1 << 62


def run(options: argparse.Namespace) -> int:
    """Print the events that were asked for."""
    start, stop = _span(options.seq)
    kind, _, op = (options.kind or "").partition(".")
    shown = Shown(secrets=options.secrets)
    with Tape.open(options.tape) as tape:
        if options.processes:
            _show_processes(tape, options, start, stop, shown)
            return 0
        for event in tape.events(kind=kind or None, op=op or None, lane=options.lane, start=start, stop=stop):
            event = shown.event(event)
            if options.json:
                print_json(event_as_json(event, whole=options.blobs))
            else:
                print(line(event, _WHOLE if options.blobs else _WIDTH))
    return 0


def _show_processes(tape: Tape, options: argparse.Namespace, start: int, stop: int | None, shown: Shown) -> None:
    """Print the processes that were started where it was asked for."""
    if options.kind:
        raise UsageError("--kind chooses events and --processes folds them; give one of the two")
    for process in tape.processes():
        if (
            process.seq < start
            or (stop is not None and process.seq >= stop)
            or options.lane not in (None, process.lane)
        ):
            continue
        process = shown.process(process)
        if options.json:
            print_json(process_as_json(process, whole=options.blobs))
        else:
            print(process_lines(process, _WHOLE if options.blobs else _WIDTH))


def line(event: Event, width: int = _WIDTH) -> str:
    """Return an event as one line: position, time, duration, lane, kind and op, what was asked, what came back.

    Args:
        event: any event, also of a kind never heard of.
        width: longest form of one value, in characters.
    """
    took = "" if event.outcome is None else duration(event.took_ns)
    head = f"{event.seq:>6} {event.at_ns / 1e9:>10.6f} {took:>7}  {ascii_safe(event.lane)}"
    return "  ".join(part for part in (head, _name(event), fields(event.request, width), _answer(event, width)) if part)


def _name(event: Event) -> str:
    return ascii_safe(f"{event.kind}.{event.op}" if event.op else event.kind)


def _answer(event: Event, width: int) -> str:
    if event.values is not None:
        return f"x{len(event.values)}  {short(event.values, width)}"
    match event.outcome:
        case Returned(value):
            return f"-> {fields(value, width) or short(value)}"
        case Raised(name, args, state):
            return f"-> raised {ascii_safe(name)}{short(args, width)} {fields(state, width)}".rstrip()
        case _:
            return ""


def _span(given: str | None) -> tuple[int, int | None]:
    """Return the first position and the one after the last; both ends of ``A..B`` may be left out."""
    if given is None:
        return 0, None
    match = re.fullmatch(r"(\d*)(\.\.)?(\d*)", given)
    if match is None or not (match[1] or match[3]):
        raise UsageError(f"--seq takes A..B, A.., ..B or a single position, not {given!r}; positions count from 0")
    first = int(match[1] or 0)
    if not match[2]:
        return first, first + 1
    return first, int(match[3]) + 1 if match[3] else None


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tape", metavar="TAPE", help="the tape to read; it may be incomplete")
    parser.add_argument("--kind", help="only this kind (process), or this kind and op (process.spawn)")
    parser.add_argument("--lane", help="only this lane")
    parser.add_argument("--seq", metavar="A..B", help="only the positions A to B, both included")
    parser.add_argument("--processes", action="store_true", help="print child processes, each one as a whole")
    parser.add_argument("--blobs", action="store_true", help="print long values whole")
    parser.add_argument("--json", action="store_true", help="print one JSON object per line")
    parser.add_argument("--secrets", action="store_true", help="print secrets too, if the tape holds any")


COMMAND = Command(
    name="show",
    twin="open_tape",
    summary="print the events of a tape",
    usage="show [--kind KIND] [--lane LANE] [--seq A..B] [--processes] [--blobs] [--json] [--secrets] TAPE",
    text="Print the events of a tape, one line each: position, seconds since the start, duration, lane, kind and op, "
    "what was asked, what came back. With --processes, print each child process instead: position of its start, how "
    "long it was there, lane, exit status or signal, command, and what went through its stdin, stdout and stderr, "
    "whatever the program used to talk with it. Control characters and terminal escapes are printed escaped, "
    "and secrets on a tape that was recorded without redaction as placeholders.",
    statuses={0: "printed", **READING},
    arguments=_arguments,
    run=run,
)
