"""``testbench import``: a tape from the form of another harness."""

from __future__ import annotations

import argparse

from testbench.cli._command import Command
from testbench.harness import import_harn


def run(options: argparse.Namespace) -> int:
    """Write the tape."""
    import_harn(options.file, options.output)
    return 0


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="what to read")
    parser.add_argument(
        "--from", dest="form", choices=("harn",), required=True, help="its form: process-tape JSON of harn"
    )
    parser.add_argument("-o", "--output", metavar="TAPE", required=True, help="the tape to write")


COMMAND = Command(
    name="import",
    twin="harness.import_harn",
    summary="make a tape of what another harness recorded",
    usage="import --from harn -o TAPE FILE",
    text="Make a tape of an array of {program, args, cwd, env, stdout, stderr, exit_code, duration_ms}. Missing fields "
    "have defaults, an empty file is an empty tape, and no cwd matches any.",
    statuses={0: "written", 2: "bad usage, or another form", 3: "the tape cannot be written"},
    arguments=_arguments,
    run=run,
)
