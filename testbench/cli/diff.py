"""``testbench diff``: what changed from one tape to another."""

from __future__ import annotations

import argparse

from testbench._shown import Shown
from testbench.cli._command import READING, Command
from testbench.cli._exit import DIFFERS, SAME
from testbench.cli._options import words
from testbench.cli._output import change_as_json, print_json
from testbench.tape import diff


def run(options: argparse.Namespace) -> int:
    """Print the changes."""
    status, shown = SAME, Shown(secrets=options.secrets)
    for change in diff(options.a, options.b, timing=options.timing, same=options.same, ignore=options.ignore):
        if change.action != "same":
            status = DIFFERS
        change = shown.change(change)
        if options.json:
            print_json(change_as_json(change))
        else:
            print(change)
    return status


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("a", metavar="A", help="the tape before")
    parser.add_argument("b", metavar="B", help="the tape after")
    parser.add_argument(
        "--ignore", metavar="KIND,...", type=words, default=(), help="kinds to leave out: clock, process.spawn"
    )
    parser.add_argument("--timing", action="store_true", help="durations and times count as well")
    parser.add_argument("--same", action="store_true", help="print what is the same, too")
    parser.add_argument("--secrets", action="store_true", help="print secrets too, if the tapes hold any")
    parser.add_argument("--json", action="store_true", help="print one JSON object per change and line")


COMMAND = Command(
    name="diff",
    twin="diff",
    summary="show what changed from one tape to another",
    usage="diff [options] A B",
    text="Align two tapes, so that an event added in the middle is one change, and print what differs: "
    "+ added, - removed, ~ changed.",
    statuses={0: "the same", 1: "they differ", **READING},
    arguments=_arguments,
    run=run,
)
