"""What happens around each command: help, errors, a reader that goes away."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final, TextIO

from testbench.cli._command import Command, Formatter, Parser
from testbench.cli._exit import SIGNALLED, USAGE
from testbench.cli._output import takes_colour, told
from testbench.errors import TestbenchError
from testbench.inplace.real import aside

_PROG: Final = "testbench"
READING: Final = ("info", "show", "check", "recover", "diff")
"""Commands that look at tapes and run no program: each is loaded alone, without what records and replays."""

_SIGINT: Final = 2
_SIGPIPE: Final = 13


def run(argv: Sequence[str] | None) -> int:
    """Find the command, run it, and turn whatever happens into an exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    command = _named(words[0]) if words else None
    sys.stdout, sys.stderr = _usable(sys.stdout), _usable(sys.stderr)
    try:
        if command is None:
            return _without_command(words)
        options = _parse(command, words[1:])
        return _guarded(command, options)
    except SystemExit as done:  # argparse ends the process; main() returns
        return done.code if isinstance(done.code, int) else 0


def _named(name: str) -> Command | None:
    """Return a command, None if there is no such one."""
    if name in READING:
        found: Command = import_module(f"testbench.cli.{name}").COMMAND
        return found
    from testbench.cli._commands import COMMANDS

    return next((command for command in COMMANDS if command.name == name), None)


def _parse(command: Command, words: list[str]) -> argparse.Namespace:
    """Parse the words of one command; what follows ``--`` is the program's and not ours to read."""
    parser = command.parser(_PROG)
    program: list[str] = []
    if command.runs_program and "--" in words:
        at = words.index("--")
        words, program = words[:at], words[at + 1 :]
    options = parser.parse_args(words)
    if command.runs_program and not program:
        parser.error("put the program after a double dash, as in: -- python script.py")
    options.program = program
    return options


def _guarded(command: Command, options: argparse.Namespace) -> int:
    try:
        status = command.run(options)
        sys.stdout.flush()
    except TestbenchError as error:
        said = told(error, in_json=getattr(options, "json", False), colour=takes_colour(sys.stderr))
        print(said, file=sys.stderr)
        return command.base + error.exit_status
    except BrokenPipeError:
        _forget_stdout()  # the reader has seen enough
        return SIGNALLED + _SIGPIPE
    except OSError as error:
        print(f"{_PROG}: the result cannot be written: {error.strerror}", file=sys.stderr)
        _forget_stdout()
        return command.base + USAGE
    except KeyboardInterrupt:
        return SIGNALLED + _SIGINT
    return status


def _forget_stdout() -> None:
    """Keep Python from complaining once more when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _without_command(words: list[str]) -> int:
    parser = overview()
    if parser.parse_args(words).version:
        from testbench.cli._commands import version

        print(_PROG, version(_PROG))
        return 0
    return parser.error(f"unknown command {words[0]!r}" if words else "a command is missing")


def overview() -> Parser:
    """Return the parser that answers ``testbench --help`` and ``--version``."""
    from testbench.cli._commands import COMMANDS

    width = max(len(command.name) for command in COMMANDS)
    commands = "\n".join(f"  {command.name:<{width}}  {command.summary}" for command in COMMANDS)
    parser = Parser(
        prog=_PROG,
        usage=f"{_PROG} COMMAND ...",
        description=f"Record everything a program takes from the world, once, and replay it exactly.\n\n{commands}",
        epilog=f"'{_PROG} COMMAND --help' tells more.\n\n{_STATUSES}",
        formatter_class=Formatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="store_true", help="print the version and end")
    parser.add_argument("words", nargs="*", help=argparse.SUPPRESS)
    return parser


def _usable(stream: TextIO | None) -> TextIO:
    """Return a stream that takes every character; one that leads nowhere where the caller has closed it."""
    if stream is None:
        # Far from the descriptor that is missing: a program that we become must find it missing too.
        return open(aside(os.open(os.devnull, os.O_WRONLY)), "w", encoding="utf-8", errors="backslashreplace")
    if isinstance(stream, io.TextIOWrapper):  # a terminal that cannot show a character gets its escape, never an error
        stream.reconfigure(errors="backslashreplace")
    return stream


_STATUSES: Final = """\
EXIT STATUS
  0    the same, sound
  1    differs, or diverged
  2    bad usage
  3    the tape cannot be read, or is damaged
  commands that run a program pass on its status; there, the numbers above are 71, 72 and 73"""
