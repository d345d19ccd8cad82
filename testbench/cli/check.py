"""``testbench check``: look a tape over for damage."""

from __future__ import annotations

import argparse

import attrs

from testbench.cli._command import READING, Command
from testbench.cli._exit import SAME, UNREADABLE
from testbench.cli._output import print_json, text
from testbench.tape import Finding, check


def run(options: argparse.Namespace) -> int:
    """Print what was found."""
    findings = check(options.tape)
    for finding in findings:
        if options.json:
            print_json(attrs.asdict(finding))
        else:
            print(describe(options.tape, finding))
    damaged = any(finding.severity != "info" for finding in findings)
    if not options.json and not damaged:
        print(f"{text(options.tape)}: sound")
    return UNREADABLE if damaged else SAME


def describe(tape: str, finding: Finding) -> str:
    """Return a finding as one line that begins with where it is."""
    where = text(tape) if finding.offset is None else f"{text(tape)}:{finding.offset}"
    return f"{where}: {finding.severity}: {finding.message} [{finding.code}]"


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tape", metavar="TAPE", help="the tape to look over")
    parser.add_argument("--json", action="store_true", help="print one JSON object per finding and line")


COMMAND = Command(
    name="check",
    twin="check",
    summary="look a tape over for damage",
    usage="check [--json] TAPE",
    text="Read a whole tape and derive every digest, count and reference again. Each finding is one line: "
    "file and byte, how bad it is, what was expected and what came, and a stable code.",
    statuses={0: "sound", **READING},
    arguments=_arguments,
    run=run,
)
