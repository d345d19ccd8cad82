"""What one command of the command line is, and the exit statuses that all of them share."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Callable, Mapping
from typing import Final, NoReturn

from attrs import frozen

from testbench.cli._exit import PROBLEM, USAGE

_WIDTH: Final = 100

READING: Final = {2: "bad usage", 3: "the tape cannot be read, or is damaged"}
RUNNING: Final = {
    70: "testbench itself failed; please report it",
    71: "the run diverged from the tape, or could not be recorded faithfully",
    72: "bad usage, or something that cannot be recorded",
    73: "the tape cannot be read or written",
    126: "the program cannot be executed",
    127: "there is no such program",
}


@frozen(kw_only=True)
class Command:
    """One command: a thin twin of a function of the Python API.

    Attributes:
        name: the word on the command line.
        twin: name of the function in `testbench`.
        summary: one sentence for the list of commands.
        usage: the words after ``testbench``, spelled out because versions of argparse wrap them differently.
        text: what the command does, for its own help page.
        statuses: meaning of each exit status.
        runs_program: whether words after ``--`` are a program to run, whose status is passed on.
        arguments: adds the options to a parser.
        run: does the work and returns the exit status.
    """

    name: str
    twin: str
    summary: str
    usage: str
    text: str
    statuses: Mapping[int, str]
    runs_program: bool = False
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]

    @property
    def base(self) -> int:
        """What is added to the status of an error, so that it is not taken for the program's own."""
        return PROBLEM if self.runs_program else 0

    def parser(self, prog: str) -> Parser:
        """Return the parser of this command."""
        parser = Parser(
            prog=f"{prog} {self.name}",
            usage=f"{prog} {self.usage}",
            description=textwrap.fill(self.text, _WIDTH),
            epilog=self._exit_status(),
            formatter_class=Formatter,
            allow_abbrev=False,
        )
        parser.base = self.base
        self.arguments(parser)
        return parser

    def _exit_status(self) -> str:
        lines = ["EXIT STATUS"]
        if self.runs_program:
            lines.append("  that of the program (128 + the signal that ended it), unless something stands in the way:")
        return "\n".join([*lines, *(f"  {number:<4} {meaning}" for number, meaning in sorted(self.statuses.items()))])


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Help as written, options in one form whatever the version of Python."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=26, width=_WIDTH)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if not action.option_strings:
            return super()._format_action_invocation(action)
        names = ", ".join(action.option_strings)
        return names if action.nargs == 0 else f"{names} {self._format_args(action, action.dest.upper())}"


class Parser(argparse.ArgumentParser):
    """A parser whose usage errors end with the command's own status."""

    base = 0

    def error(self, message: str) -> NoReturn:
        """Say what was wrong, how it is written and where to read more, then end."""
        self.print_usage(sys.stderr)
        self.exit(self.base + USAGE, f"{self.prog}: {message}; see '{self.prog} --help'\n")
