"""``testbench scan``: find secrets on tapes, for people and for CI."""

from __future__ import annotations

import argparse
import os

import attrs

from testbench.cli._command import READING, Command
from testbench.cli._exit import DIFFERS, SAME
from testbench.cli._output import print_json, text
from testbench.errors import UsageError


def run(options: argparse.Namespace) -> int:
    """Print where secrets stand, never what they are."""
    from testbench._scrubbing import scan  # loads all kinds, which no other command does before it runs a program

    dirty = False
    for tape in options.tape:
        found = scan(tape, redact=options.redact or True, redact_values=values(options.redact_env))
        dirty = dirty or bool(found)
        for secret in found:
            if options.json:
                print_json({"tape": tape, **attrs.asdict(secret)})
            else:
                print(f"{text(tape)}: {text(str(secret))}")
        if not found and not options.json:
            print(f"{text(tape)}: no secrets found")
    return DIFFERS if dirty else SAME


def values(names: list[str]) -> list[str]:
    """Return the values of environment variables that are given as secrets.

    Raises:
        UsageError: one is not set.
    """
    for name in names:
        if not os.environ.get(name):
            raise UsageError(f"--redact-env {name}: there is no such environment variable here, or it is empty")
    return [os.environ[name] for name in names]


def add_rules(parser: argparse.ArgumentParser) -> None:
    """Add the options that name further secrets."""
    parser.add_argument(
        "--redact",
        metavar="RULE",
        action="append",
        default=[],
        help="the name of a secret, or a regular expression, besides the usual ones; may be given again",
    )
    parser.add_argument(
        "--redact-env",
        metavar="NAME",
        action="append",
        default=[],
        help="an environment variable whose value is a secret; may be given again",
    )


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tape", metavar="TAPE", nargs="+", help="the tapes to search")
    add_rules(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object per secret and line")


COMMAND = Command(
    name="scan",
    twin="scan",
    summary="find secrets on tapes",
    usage="scan [--redact RULE]... [--redact-env NAME]... [--json] TAPE...",
    text="Look for secrets in all requests, outcomes and payloads, by the rules by which a recording keeps them off a "
    "tape, and for the values of environment variables that are secrets by their names. Each is one line: where it "
    "is, which rule found it and how long it is; never what it is.",
    statuses={0: "no secrets found", 1: "secrets found", **READING},
    arguments=_arguments,
    run=run,
)
