"""``testbench replay``: run a program on what a tape holds, without the world."""

from __future__ import annotations

import argparse
import os

from testbench._api import open_tape, replay
from testbench.cli._command import RUNNING, Command
from testbench.cli._explore import explore
from testbench.cli._launch import launch
from testbench.cli._options import SESSION, add_json, add_order, add_session_arguments, chosen, hash_seed


def run(options: argparse.Namespace) -> int:
    """Become the program, with a replaying session inside."""
    with open_tape(options.tape) as tape:
        environment = {"PYTHONHASHSEED": hash_seed(tape.meta)}
    if options.shuffle_runs is not None:
        return explore(options)
    keywords = chosen(options, "rerecord", "order", "shuffle", *SESSION)
    order = ("replay", os.path.abspath(options.tape), keywords)
    return launch(options.program, order, lambda: replay(options.tape, **keywords), environment, in_json=options.json)


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tape", metavar="TAPE", help="the tape to answer from")
    parser.add_argument(
        "--rerecord",
        metavar="OUT",
        type=os.path.abspath,
        help="write what was replayed to a new tape, the same to the last byte",
    )
    add_session_arguments(parser)
    add_order(parser)
    parser.add_argument(
        "--shuffle",
        metavar="SEED",
        type=int,
        help="let threads take turns in another order, drawn from SEED, each keeping its own",
    )
    parser.add_argument(
        "--shuffle-runs",
        metavar="N",
        type=int,
        help="run the program once in the recorded order, and N times in orders drawn from SEED, SEED+1, ... (default: "
        "0, 1, ...); print the seed of the first run that ends with another status, and end with 1",
    )
    add_json(parser)


COMMAND = Command(
    name="replay",
    twin="replay",
    summary="run a program on what a tape holds",
    usage="replay [options] TAPE -- PROGRAM ...",
    text="Run a program and answer everything that it asks the world from a tape. Nothing is spawned, no clock is "
    "read, no sleep waits. The first question that the tape does not answer ends the run with a report.",
    statuses=RUNNING,
    runs_program=True,
    arguments=_arguments,
    run=run,
)
