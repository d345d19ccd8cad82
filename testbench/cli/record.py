"""``testbench record``: run a program and write what it takes from the world to a tape."""

from __future__ import annotations

import argparse
import os

from testbench._api import record
from testbench.cli._command import RUNNING, Command
from testbench.cli._launch import launch
from testbench.cli._options import MAKING, add_making, chosen, hash_seed


def run(options: argparse.Namespace) -> int:
    """Become the program, with a recording session inside."""
    seed = hash_seed()
    keywords = {**chosen(options, *MAKING), "meta": {"hash_seed": seed}}
    order = ("record", os.path.abspath(options.output), keywords)
    return launch(options.program, order, lambda: record(options.output, **keywords), {"PYTHONHASHSEED": seed})


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", metavar="TAPE", required=True, help="the tape to write")
    add_making(parser)


COMMAND = Command(
    name="record",
    twin="record",
    summary="run a program and write what it takes from the world to a tape",
    usage="record -o TAPE [options] -- PROGRAM ...",
    text="Run a program and write what it takes from the world to a tape. The program may be python with a script, -m "
    "or -c, or anything that starts with a #! line naming Python, as pytest does: it is recorded from inside. Of any "
    "other program only its own outcome is recorded. A tape that stood there before is replaced when all went well.",
    statuses=RUNNING,
    runs_program=True,
    arguments=_arguments,
    run=run,
)
