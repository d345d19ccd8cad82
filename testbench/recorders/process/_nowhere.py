"""Pipes that lead nowhere, until there is a child to talk to.

To make a pipe costs more than all else about a child that is only replayed. So every `Popen` is lent duplicates of two
ends that are there for the whole session, under the descriptors that a pipe would have had; the effect that starts the
child puts real pipes in their place. Where one child has started others will, and get real pipes at once.
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
    """The two ends of one session: what one gives is at its end, and nobody reads what the other takes."""

    def __init__(self) -> None:
        self._ends = _half(0), _half(1)
        self._identities = tuple(map(identity, self._ends))
        self._lent: dict[int, int] = {}
        self._lends = True

    def pipe(self) -> tuple[int, int]:
        """Return what `os.pipe` would: an end to read and an end to write."""
        if not self._lends:
            return real.pipe()
        read_end = real.dup(self._ends[0])
        try:
            write_end = self._lent[read_end] = real.dup(self._ends[1])
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
            if write_end is not None and identity(read_end) == self._identities[0]:
                _replace(read_end, write_end)
                _resize(write_end, size)

    def settle(self, fd: int, size: int) -> None:
        """Put a pipe of its own in the place of one that leads nowhere; nobody holds its other end either."""
        found = identity(fd)
        if found in self._identities:
            ends = real.pipe()
            _resize(ends[1], size)
            real.dup2(ends[self._identities.index(found)], fd, False)
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
        for fd in self._ends:
            real.close(fd)


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
