"""Pipes that lead nowhere, until there is a child to talk to.

To make a pipe costs more than all else about a child that is only replayed. So every `Popen` is lent duplicates of two
ends that are there from the first one to the end of the session, under the descriptors that a pipe would have had; the
effect that starts the child puts real pipes in their place. Where one child has started others will, and get real pipes
at once.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import types
from collections.abc import Callable, Iterable
from typing import Any

from testbench.inplace import real
from testbench.recorders.process._fds import identity


class Nowhere:
    """The two ends of one session, made with its first child: one gives nothing, nobody reads what the other takes."""

    def __init__(self) -> None:
        self._made: dict[str, dict[int, tuple[int, int]]] = {}
        self._lent: dict[int, int] = {}
        self._lends = True

    def pipe(self) -> tuple[int, int]:
        """Return what `os.pipe` would: an end to read and an end to write."""
        if not self._lends:
            return real.pipe()
        reads, writes = self._ends() or self._make_ends()
        read_end = real.dup(reads)
        try:
            write_end = self._lent[read_end] = real.dup(writes)
        except OSError:
            real.close(read_end)
            raise
        return read_end, write_end

    def instead_of_pipes(self, get_handles: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``Popen._get_handles`` so that all pipes it makes lead nowhere."""
        if not isinstance(get_handles, types.FunctionType) or get_handles.__globals__ is not vars(subprocess):
            return get_handles  # an outer session's
        names = {**get_handles.__globals__, "os": _Os(self.pipe)}
        return types.FunctionType(get_handles.__code__, names, get_handles.__name__, get_handles.__defaults__)

    def make_real(self, read_ends: Iterable[int], size: int = -1) -> None:
        """Put real pipes in the place of those that lead nowhere; what is something else stays.

        Args:
            read_ends: the ends to read of what may have been lent.
            size: how much a pipe shall hold, in bytes; not above 0 for what the system gives by itself.

        Raises:
            OSError: as ``pipe(2)``.
        """
        self._lends = False
        for read_end in read_ends:
            write_end = self._lent.get(read_end)
            # Asking twice, since that pair may have been closed unused, and this be somebody else's.
            if write_end is not None and identity(read_end) == next(iter(self._ends().values())):
                _replace(read_end, write_end)
                _resize(write_end, size)

    def settle(self, fd: int, size: int) -> None:
        """Put a pipe of its own in the place of one that leads nowhere; nobody holds its other end either."""
        found, identities = identity(fd), [*self._ends().values()]
        if found in identities:
            ends = real.pipe()
            _resize(ends[1], size)
            real.dup2(ends[identities.index(found)], fd, False)
            for end in ends:
                real.close(end)

    def forget(self, read_ends: Iterable[int]) -> None:
        """Be told that it is settled where these lead."""
        for read_end in read_ends:
            self._lent.pop(read_end, None)

    def end(self) -> None:
        """Lend nothing any more: what another thread is about to start will start without us, with real pipes."""
        self._lends = False
        for read_end in list(self._lent):
            with contextlib.suppress(OSError):  # it came to no child, and is closed
                self.make_real([read_end])

    def close(self) -> None:
        """Let go of the two ends."""
        for fd in self._ends():
            real.close(fd)

    def _ends(self) -> dict[int, tuple[int, int]]:
        """Return both, the one to read first, each with what names its file; nothing before they are made."""
        return self._made.get("ends", {})

    def _make_ends(self) -> dict[int, tuple[int, int]]:
        ends = {end: identity(end) for end in (_half(0), _half(1))}
        found = self._made.setdefault("ends", ends)
        if found is not ends:  # another thread was quicker
            for fd in ends:
                real.close(fd)
        return found


class _Os:
    """The module os, but for one function."""

    def __init__(self, pipe: Callable[[], tuple[int, int]]) -> None:
        self.pipe = pipe

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)


def _resize(end: int, size: int) -> None:
    if size > 0:
        fcntl.fcntl(end, fcntl.F_SETPIPE_SZ, size)


def _replace(*places: int) -> None:
    ends = real.pipe()
    try:
        for end, place in zip(ends, places, strict=True):
            real.dup2(end, place, False)
    finally:
        for end in ends:
            real.close(end)


def _half(which: int) -> int:
    ends = real.pipe()
    real.close(ends[1 - which])
    return real.aside(ends[which])
