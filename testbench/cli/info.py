"""``testbench info``: a tape in a few numbers, without reading its events."""

from __future__ import annotations

import argparse

from testbench._opened import Tape
from testbench.cli._command import READING, Command
from testbench.cli._output import as_json, print_json, rows, text
from testbench.tape import Info


def run(options: argparse.Namespace) -> int:
    """Print what the tape says of itself."""
    with Tape.open(options.tape) as tape:
        info = tape.info()
    if options.json:
        print_json(_as_json(info))
    else:
        print(f"{text(str(info.path))}: {'complete' if info.complete else _INCOMPLETE}")
        print(rows(_rows(info)))
    return 0


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tape", metavar="TAPE", help="the tape to describe")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _rows(info: Info) -> list[tuple[str, str]]:
    pairs = [
        ("size", f"{info.size:,} bytes, of which {info.blob_size:,} in {_count(info.blobs, 'payload')}"),
        ("events", f"{info.events:,} in {_count(len(info.lanes), 'lane')}"),
        *((f"  {text(name)}", f"{count:,}") for name, count in info.kinds.items()),
        ("lanes", ", ".join(text(lane) for lane in info.lanes)),
        *((f"meta {text(key)}", text(value)) for key, value in info.meta.items()),
    ]
    if info.events_digest is not None:
        pairs.append(("events digest", f"{text(info.digest)}:{info.events_digest.hex()}"))
    return pairs


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _as_json(info: Info) -> dict[str, object]:
    return {
        "path": str(info.path),
        "size": info.size,
        "complete": info.complete,
        "events": info.events,
        "kinds": dict(info.kinds),
        "lanes": list(info.lanes),
        "blobs": info.blobs,
        "blob_size": info.blob_size,
        "digest": info.digest,
        "events_digest": info.events_digest and info.events_digest.hex(),
        "tape_digest": info.tape_digest and info.tape_digest.hex(),
        "meta": as_json(dict(info.meta)),
    }


_INCOMPLETE = "incomplete, its recording never finished; 'testbench recover' makes a complete tape of it"

COMMAND = Command(
    name="info",
    twin="open_tape",
    summary="describe a tape in a few numbers",
    usage="info [--json] TAPE",
    text="Describe a tape in a few numbers: events by kind, lanes, payloads, digests. Its events are not read.",
    statuses={0: "described", **READING},
    arguments=_arguments,
    run=run,
)
