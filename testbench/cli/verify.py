"""``testbench verify``: run a program for real, and tell whether the world still answers as a tape says."""

from __future__ import annotations

import argparse
import os

from testbench._api import open_tape, verify
from testbench._fidelity import MODES
from testbench.cli._command import RUNNING, Command
from testbench.cli._launch import launch
from testbench.cli._options import LIVING, SESSION, add_json, add_living, add_session_arguments, chosen, hash_seed


def run(options: argparse.Namespace) -> int:
    """Become the program, with a verifying session inside."""
    with open_tape(options.tape) as tape:
        environment = {"PYTHONHASHSEED": hash_seed(tape.meta)}
    keywords = chosen(options, "fidelity", *SESSION, *LIVING)
    order = ("verify", os.path.abspath(options.tape), keywords)
    return launch(options.program, order, lambda: verify(options.tape, **keywords), environment, in_json=options.json)


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tape", metavar="TAPE", help="the tape to compare with; it is not changed")
    parser.add_argument("--fidelity", choices=MODES, help="what counts as a difference (default: semantic)")
    add_session_arguments(parser)
    add_living(parser)
    add_json(parser)


COMMAND = Command(
    name="verify",
    twin="verify",
    summary="run a program for real and compare with a tape",
    usage="verify [options] TAPE -- PROGRAM ...",
    text="Run a program for real, record it to nowhere, and compare that with a tape: for a job that runs every night "
    "and finds out that the world has changed. Nothing is written. See 'testbench fidelity' for what may count.",
    statuses={**RUNNING, 71: "the world answers otherwise than the tape, or could not be recorded faithfully"},
    runs_program=True,
    arguments=_arguments,
    run=run,
)
