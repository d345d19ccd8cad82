"""``testbench session``: run a program with a tape, in a mode by name."""

from __future__ import annotations

import argparse
import os

from testbench._api import ALIASES, MODES, effective_mode, open_tape, session
from testbench._fidelity import MODES as FIDELITIES
from testbench.cli._command import RUNNING, Command
from testbench.cli._launch import launch
from testbench.cli._options import MAKING, add_json, add_making, chosen, hash_seed


def run(options: argparse.Namespace) -> int:
    """Become the program, with a session inside."""
    mode = effective_mode(options.tape, options.mode)
    keywords = chosen(options, *MAKING, "fidelity")
    if mode == "record" or not os.path.exists(options.tape):
        seed = hash_seed()
        keywords["meta"] = {"hash_seed": seed}
    else:
        with open_tape(options.tape) as tape:
            seed = hash_seed(tape.meta)
    keywords["mode"] = mode
    order = ("session", os.path.abspath(options.tape), keywords)
    environment = {} if mode == "off" else {"PYTHONHASHSEED": seed}
    return launch(options.program, order, lambda: session(options.tape, **keywords), environment, in_json=options.json)


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tape", metavar="TAPE", help="the tape")
    parser.add_argument(
        "--mode",
        choices=(*MODES, *ALIASES),
        default="once",
        help="what to do; the last four are words of the VCR family (default: once)",
    )
    parser.add_argument("--fidelity", choices=FIDELITIES, help="in mode verify, what counts (default: semantic)")
    add_making(parser)
    add_json(parser)


COMMAND = Command(
    name="session",
    twin="session",
    summary="run a program with a tape, in a mode by name",
    usage="session [--mode MODE] [options] TAPE -- PROGRAM ...",
    text="Run a program with a tape. once: record if there is no tape, else replay; where the variable CI is set, only "
    "replay. replay (none): answer from the tape. record (all, rewrite): make a new one. splice (new_episodes): answer "
    "from the tape as far as the program follows it, record from there on, and write a new one. verify: run for real "
    "and compare. off: only run the program.",
    statuses=RUNNING,
    runs_program=True,
    arguments=_arguments,
    run=run,
)
