"""``testbench scrub``: replace the secrets on tapes by placeholders."""

from __future__ import annotations

import argparse

from testbench.cli._command import READING, Command
from testbench.cli._exit import SAME
from testbench.cli._output import print_json, text
from testbench.cli.scan import add_rules, values
from testbench.errors import UsageError


def run(options: argparse.Namespace) -> int:
    """Write the tapes and say how much was replaced."""
    from testbench._scrubbing import scrub  # loads all kinds, which no other command does before it runs a program

    if options.output is not None and len(options.tape) > 1:
        raise UsageError("-o takes the place of one tape; give one, or leave it out to scrub each in its place")
    for tape in options.tape:
        secret = values(options.redact_env)
        report = scrub(tape, options.output, redact=options.redact or True, redact_values=secret)
        if options.json:
            print_json({"path": str(report.path), "events": report.events, "redactions": report.redactions})
        else:
            told = f"{report.redactions:,} secrets replaced" if report.redactions else "no secrets found"
            print(f"{text(str(report.path))}: {report.events:,} events, {told}")
    return SAME


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tape", metavar="TAPE", nargs="+", help="the tapes to clean")
    parser.add_argument("-o", "--output", metavar="OUT", help="where to write it (default: in its own place)")
    add_rules(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object per tape and line")


COMMAND = Command(
    name="scrub",
    twin="scrub",
    summary="replace the secrets on tapes by placeholders",
    usage="scrub [-o OUT] [--redact RULE]... [--redact-env NAME]... [--json] TAPE...",
    text="Write tapes again with placeholders where secrets were, each in one step; a tape without any is not touched. "
    "Order, lanes and times stay as they are. What is in the history of a repository stays there: a secret that was "
    "published must be revoked.",
    statuses={0: "no secret is left", **READING},
    arguments=_arguments,
    run=run,
)
