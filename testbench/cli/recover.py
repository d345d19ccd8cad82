"""``testbench recover``: a sound tape from one whose recording never finished, or that is damaged."""

from __future__ import annotations

import argparse
import sys

from testbench.cli._command import Command
from testbench.cli._exit import SAME, UNREADABLE
from testbench.cli._output import print_json, text
from testbench.cli.check import describe
from testbench.tape import recover


def run(options: argparse.Namespace) -> int:
    """Write the new tape and say what is in it and what is lost."""
    report = recover(options.tape, options.output)
    for finding in report.findings:
        print(describe(options.tape, finding), file=sys.stderr)
    if options.json:
        print_json({"path": str(report.path), "events": report.events, "lost": report.lost})
    else:
        lost = f"{report.lost:,} lost" if report.lost else "nothing lost"
        print(f"{text(str(report.path))}: {report.events:,} events, {lost}")
    return UNREADABLE if report.lost else SAME


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tape", metavar="TAPE", help="the incomplete or damaged tape; it is not changed")
    parser.add_argument(
        "-o", "--output", metavar="OUT", help="where to write the sound one (default: NAME.recovered.tape)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


COMMAND = Command(
    name="recover",
    twin="recover",
    summary="make a sound tape of an incomplete or damaged one",
    usage="recover [-o OUT] [--json] TAPE",
    text="Copy everything that proves itself to a new, complete tape, and say what is lost.",
    statuses={0: "nothing lost", 2: "bad usage", 3: "something lost, or nothing could be read or written"},
    arguments=_arguments,
    run=run,
)
