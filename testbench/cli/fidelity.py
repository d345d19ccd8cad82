"""``testbench fidelity``: how alike two tapes are, in a named mode."""

from __future__ import annotations

import argparse

import attrs

from testbench._fidelity import MODES, fidelity
from testbench._shown import Shown
from testbench.cli._command import READING, Command
from testbench.cli._exit import DIFFERS, SAME
from testbench.cli._options import words
from testbench.cli._output import fidelity_as_json, print_json


def run(options: argparse.Namespace) -> int:
    """Print how alike they are, and what differs."""
    shown = Shown(secrets=options.secrets)
    report = fidelity(options.a, options.b, options.mode, ignore=options.ignore)
    report = attrs.evolve(report, changes=[shown.change(change) for change in report.changes])
    if options.json:
        print_json(fidelity_as_json(report))
    else:
        print(report)
    return SAME if report.alike else DIFFERS


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("a", metavar="A", help="the tape before")
    parser.add_argument("b", metavar="B", help="the tape after")
    parser.add_argument("--mode", choices=MODES, default="semantic", help="what counts (default: semantic)")
    parser.add_argument("--ignore", metavar="KIND,...", type=words, default=(), help="kinds to leave out")
    parser.add_argument("--secrets", action="store_true", help="print secrets too, if the tapes hold any")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


COMMAND = Command(
    name="fidelity",
    twin="fidelity",
    summary="tell how alike two tapes are",
    usage="fidelity [--mode MODE] [--ignore KIND,...] [--secrets] [--json] A B",
    text="Align two tapes and tell how much of them is the same. byte: the same events to the last bit, times too. "
    "semantic: the same questions with the same answers, whenever and however long; readings of clocks, randomness and "
    "process ids do not count. outcome: each process as a whole, what was started and how it ended, in whatever pieces "
    "and order the program heard of it. phase: the same questions in the same order, whatever the answers.",
    statuses={0: "alike", 1: "they differ", **READING},
    arguments=_arguments,
    run=run,
)
