"""``testbench export``: a tape in the form of another harness."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from testbench.cli._command import READING, Command
from testbench.cli._output import text
from testbench.errors import UsageError
from testbench.harness import export_harn


def run(options: argparse.Namespace) -> int:
    """Write the other form, and say what is not in it."""
    export = export_harn(options.tape, lossy=options.lossy)
    for note in export.notes:
        print(f"testbench: {text(note, len(note))}", file=sys.stderr)
    if options.output is None:
        sys.stdout.buffer.write(export.text.encode())  # UTF-8, whatever the terminal's encoding
    else:
        _save(options.output, export.text)
    return 0


def _save(path: str, content: str) -> None:
    try:
        Path(path).write_bytes(content.encode())
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tape", metavar="TAPE", help="the tape to read")
    parser.add_argument(
        "--to", dest="form", choices=("harn",), required=True, help="the form: process-tape JSON of harn"
    )
    parser.add_argument("--lossy", action="store_true", help="leave out or escape what the form cannot say")
    parser.add_argument("-o", "--output", metavar="FILE", help="where to write (default: stdout)")


COMMAND = Command(
    name="export",
    twin="harness.export_harn",
    summary="give a tape to another harness",
    usage="export --to harn [--lossy] [-o FILE] TAPE",
    text="Write the processes of a tape as an array of {program, args, cwd, env, stdout, stderr, exit_code, "
    "duration_ms}. Events of other kinds are left out and named on stderr. What that form cannot say of a process "
    "(output that is not UTF-8, stdin, a timeout) is refused without --lossy.",
    statuses={0: "written", 2: "bad usage, or something that the form cannot say", 3: READING[3]},
    arguments=_arguments,
    run=run,
)
