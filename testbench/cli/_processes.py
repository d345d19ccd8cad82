"""Processes as lines for people, and as JSON for tools."""

from __future__ import annotations

import shlex
from typing import Any

import attrs

from testbench.cli._output import as_json, duration
from testbench.processes import Process
from testbench.protocol import Plain
from testbench.tape._text import ascii_safe, short

_STREAMS = ("stdin", "stdout", "stderr")


def process_lines(process: Process, width: int) -> str:
    """Return a process as a line with its position, lane, duration, end and command, and a line for each stream.

    Args:
        process: any process.
        width: longest form of one value, in characters.
    """
    head = f"{process.seq:>6} {duration(process.duration_ns):>7}  {ascii_safe(process.lane)}  {_end(process)}  "
    lines = [head + _command(process, width)]
    if process.cwd is not None:
        lines.append(f"{'':8}cwd     {_word(process.cwd)}")
    lines += [f"{'':8}env     {ascii_safe(name)}={_word(value)}" for name, value in process.env.items()]
    streams = {name: getattr(process, name) for name in _STREAMS}
    lines += [f"{'':8}{name:<6}  {short(data, width)}" for name, data in streams.items() if data]
    return "\n".join(lines)


def process_as_json(process: Process, *, whole: bool) -> dict[str, Any]:
    """Return a process as JSON knows it.

    Args:
        process: any process.
        whole: give long payloads whole, not by their digest.
    """
    public = attrs.asdict(process, recurse=False, filter=lambda field, _: not field.name.startswith("_"))
    error = public.pop("error")
    data = {name: as_json(value, whole=whole) for name, value in public.items()}
    if error is not None:
        data["error"] = {"type": error.type, "args": as_json(error.args, whole=whole)}
    return data


def _end(process: Process) -> str:
    """Say how it ended."""
    if process.error is not None:
        return f"not started: {ascii_safe(process.error.type.removeprefix('builtins.'))}"
    late = " after a timeout" if process.expired else ""
    if process.returncode is None:
        return f"end not seen{late}"
    return f"exit {process.returncode}{late}" if process.returncode >= 0 else f"signal {-process.returncode}{late}"


def _command(process: Process, width: int) -> str:
    if not process.argv and process.program is None and process.error is None:
        return "(a fork of the program)"
    words = process.argv or [process.program]
    if process.shell and len(words) == 1:
        return f"$ {_cut(_word(words[0], quoted=False), width)}"
    return _cut(" ".join(map(_word, words)), width)


def _word(value: Plain, *, quoted: bool = True) -> str:
    """Return one argument as a shell would take it, harmless; what is no text in Python's notation."""
    if not isinstance(value, str):
        return short(value)
    return ascii_safe(shlex.quote(value) if quoted else value)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= 2 * width else f"{text[: 2 * width - 1]}…"
