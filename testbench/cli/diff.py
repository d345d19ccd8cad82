"""``testbench diff``: what changed from one tape to another."""

from __future__ import annotations

import argparse

import attrs

from testbench.tape import diff
from testbench.cli._command import READING, Command
from testbench.cli._exit import DIFFERS, SAME
from testbench.cli._output import print_json


def run(options: argparse.Namespace) -> int:
    """Print the changes."""
    status = SAME
    for change in diff(options.a, options.b):
        status = DIFFERS
        if options.json:
            print_json(attrs.asdict(change))
        else:
            print(change)
    return status


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("a", metavar="A", help="the tape before")
    parser.add_argument("b", metavar="B", help="the tape after")
    parser.add_argument("--json", action="store_true", help="print one JSON object per change and line")


COMMAND = Command(
    name="diff",
    twin="diff",
    summary="show what changed from one tape to another",
    usage="diff [--json] A B",
    text="Align two tapes, so that an event added in the middle is one change, and print what differs.",
    statuses={0: "the same", 1: "they differ", **READING},
    arguments=_arguments,
    run=run,
)
