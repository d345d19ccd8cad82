"""The directory that the program runs in: ``os.getcwd`` and ``os.getcwdb``, a fact after each change of it.

Files are not on the tape: `os.chdir` is real in both modes. Back to where `os.getcwd` said that it was, or below, it
leads to where the program really was.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final, cast

from testbench.protocol import Call, Plain
from testbench.recorders._asker import program_asks
from testbench.recorders.environ._fact import redirect

_OP: Final = "getcwd"
_ASTRAY: Final = "change the directory outside of the function that is a boundary, which a replay does not run"


class Directory:
    """The directory of one session.

    Args:
        call: the waist.
    """

    def __init__(self, call: Call) -> None:
        self._call = call
        self._changes = 0
        self._astray = False
        self._last: str | None = None
        self._real: dict[str, str] = {}
        self._told: dict[int, str] = {}
        """On replay, what was told after so many changes."""

    def install(self, stack: ExitStack) -> None:
        """Tell the directory until the stack is unwound."""
        redirect(stack, os.getcwd, lambda original: lambda: self._ask(original))
        redirect(stack, os.getcwdb, lambda original: lambda: os.fsencode(self._ask(lambda: os.fsdecode(original()))))
        redirect(stack, os.chdir, lambda original: lambda path: self._change(original, self._really(path)))
        redirect(stack, os.fchdir, lambda original: lambda fd: self._change(original, fd))

    def _ask(self, original: Callable[[], str]) -> str:
        try:
            live = original()
        except OSError:
            live = None  # it has been removed; that is raised again below, where it may be told
        if live is not None and live == self._last:
            return live
        if not self._call.follows() or not program_asks():
            return original()
        request: Plain = {"changes": self._changes}
        if self._astray:
            return cast(str, self._call.leak(_OP, request, original, instead=_ASTRAY))
        if self._changes in self._told:
            return self._told[self._changes]
        told = cast(str, self._call.fact(_OP, request, original, raises=(OSError,)))
        self._last = told
        if self._call.foretold(_OP):
            self._told[self._changes] = told
        if live is not None and live != told:
            self._real[told] = live
        return told

    def _change(self, original: Callable[[Any], None], place: Any) -> None:
        original(place)
        self._last = None
        if self._call.inside():
            self._astray = True
        else:
            self._changes += 1

    def _really(self, path: Any) -> Any:
        """Return where a path leads that is made of what the program was told."""
        known = os.fspath(path) if isinstance(path, os.PathLike) else path
        if not self._real or type(known) not in (str, bytes):
            return path
        name = os.fsdecode(known)
        for told, here in self._real.items():
            if name == told or (len(told) > 1 and name.startswith(f"{told}/")):
                name = here + name[len(told) :]
                return name if type(known) is str else os.fsencode(name)
        return path
