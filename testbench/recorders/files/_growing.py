"""Files that change while the program has them open: a replay has what they held when they were opened."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final

from testbench.inplace import Redirect, TypeSlot, real
from testbench.protocol import Call
from testbench.recorders.files._served import only_reads

_METHODS: Final = ("read", "readinto", "readall")
_INSTEAD: Final = "open it when it is complete, or again for what has come since"


class Growing:
    """Looks, where the program reads on, whether a file still is what was recorded of it.

    Args:
        call: the waist.
    """

    def __init__(self, call: Call) -> None:
        self._call = call
        self._known: dict[int, tuple[str, tuple[int, ...]]] = {}

    def remember(self, fd: int, path: str, found: os.stat_result) -> None:
        """Know a file as it stood when it was recorded.

        Args:
            fd: the descriptor that the program has.
            path: the path.
            found: how it stood before its content was read.
        """
        self._known[fd] = (path, _stamp(found))

    def install(self, stack: ExitStack) -> None:
        """Look at reads until the stack is closed."""
        for name in _METHODS:
            slot = TypeSlot(io.FileIO, name)
            stack.callback(slot.restore)
            slot.to(self._method(slot.original))
        redirect = Redirect(os.read)
        stack.callback(redirect.restore)
        redirect.to(self._read(redirect.original))

    def _method(self, original: Callable[..., Any]) -> Callable[..., Any]:
        known = self._known

        def read(raw: Any, /, *args: Any) -> Any:
            got = original(raw, *args)
            if known:
                self._look(raw.fileno())
            return got

        read.__name__ = original.__name__
        return read

    def _read(self, original: Callable[..., bytes]) -> Callable[..., bytes]:
        known = self._known

        def read(fd: Any, length: Any, /) -> bytes:
            got = original(fd, length)
            if fd in known:
                self._look(fd)
            return got

        return read

    def _look(self, fd: int) -> None:
        known = self._known.get(fd)
        if known is None:
            return
        path, before = known
        now = _stamp(real.fstat(fd))
        if now != before:
            self._known.pop(fd, None)
            if now[:2] == before[:2] and only_reads(fd) and not self._call.inside():  # else it is another open file
                self._call.leak("changed", {"path": path}, lambda: None, instead=_INSTEAD)


def _stamp(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
