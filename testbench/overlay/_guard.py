"""What stops a way into the real root that no redirect saw: an audit hook, which is told before something opens."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from testbench.errors import UnsupportedError
from testbench.inplace import real
from testbench.overlay._ground import Ground
from testbench.recorders.files._uri import Uri

_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_guarded: Final[list[Ground]] = []
_hooked: Final[list[bool]] = []
PASSING: Final[set[int]] = set()
"""Threads that are about to open what `open` was asked for, in the view."""


@contextmanager
def guarding(ground: Ground) -> Iterator[None]:
    """Guard the root of an overlay while the body runs."""
    if not _hooked:
        sys.addaudithook(_hook)  # there is no way to take one away
        _hooked.append(True)
    _guarded.append(ground)
    try:
        yield
    finally:
        _guarded.remove(ground)


@contextmanager
def passing() -> Iterator[None]:
    """Let this thread open a file in the view by the name that it has in the root."""
    ident = real.get_ident()
    PASSING.add(ident)
    try:
        yield
    finally:
        PASSING.discard(ident)


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if not _guarded:
        return
    if event == "open":
        if isinstance(args[1], str) and real.get_ident() not in PASSING:
            _check(args[0], "io.FileIO", "open()", writes=bool(args[2] & _WRITES))
    elif event == "sqlite3.connect":
        uri = Uri.of(args[0])  # if it is none here, nothing is called so in the root
        _check(args[0] if uri is None else uri.path, "sqlite3.Connection", "sqlite3.connect()")
    elif event == "socket.bind" and isinstance(args[1], str | bytes):
        _check(args[1], "socket.bind", "a socket outside of the root")


def _check(path: Any, what: str, instead: str, *, writes: bool = True) -> None:
    if not isinstance(path, str | bytes):
        return
    for ground in _guarded:
        name = os.fsdecode(path)
        if not os.path.isabs(name):
            name = os.path.join(real.getcwd(), name)
        if ground.is_inside(os.path.normpath(name)):
            raise UnsupportedError(
                f"{what} would open {os.fsdecode(path)!r} in the real root, past the overlay; use {instead}"
            )
        if writes:
            ground.resolved(name, writes=True)  # no link may lead it out of the root
