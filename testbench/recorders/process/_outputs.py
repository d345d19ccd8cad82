"""What a child leaves in open files that it shares with the program: its output there, and how far it read its stdin.

Such bytes pass by every pipe of the program, which may yet see them: it reads its log file back, a test runner has
captured its stdout. So an observation of the child carries what came since the last one, and where the child was not
real, it is written there then.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import attrs

from testbench.inplace import real
from testbench.protocol import Plain
from testbench.recorders.process._fds import write_all
from testbench.recorders.process._pump import Pump

_PIECE: Final = 1 << 22
"""An outcome carries so much of each stream, in bytes, and says when there is more: a child may write without end."""


@attrs.define(eq=False)
class Shared:
    """One open file that the child shares with the program.

    Attributes:
        name: ``"stdin"``, ``"stdout"``, ``"stderr"``, or ``"fd7"`` for one that was passed.
        fd: a duplicate of our own, with the offset that child and program share.
        position: how far the child's doings are known, in bytes.
        standard: the standard descriptor of the program that the child inherits, None for a file that it was given. A
            child that inherits can be handed a pipe instead.
        reads: the child can only read it. What could be written, a stdin too, is taken to have been.
        left: how much of its doings is known and not taken yet, in bytes.
    """

    name: str
    fd: int
    position: int
    standard: int | None
    reads: bool
    pump: Pump | None = None
    left: int = 0

    def look(self, *, ended: bool) -> None:
        """See how much the child did since the last time."""
        if self.pump is not None:
            self.left = self.pump.look(ended=ended)
        else:
            self.left = max(0, real.lseek(self.fd, 0, os.SEEK_CUR) - self.position)

    def take(self) -> Plain:
        """Return what the child wrote, a piece at a time, or how many bytes it read; falsy if nothing is left."""
        size = self.left if self.reads else min(self.left, _PIECE)
        start, self.position, self.left = self.position, self.position + size, self.left - size
        if self.pump is not None:
            return self.pump.take(size)
        return size if self.reads else _read_range(self.fd, start, start + size) if size else None

    def give(self, content: Plain) -> None:
        """Do to the file what the child did to it."""
        if isinstance(content, int):
            real.lseek(self.fd, content, os.SEEK_CUR)
        elif isinstance(content, bytes):
            with contextlib.suppress(BrokenPipeError):  # it would have been the child's, not the program's
                write_all(self.fd, content)


class Outputs:
    """All open files that one child shares with the program.

    Args:
        shared: one for each; empty for a child that has only pipes.
        merged: stdout and stderr are one open file, which stands in ``shared`` as stdout.
        unseen: streams that go to a terminal; what is written there is seen by nobody but its user.
    """

    def __init__(self, shared: list[Shared], *, merged: bool = False, unseen: tuple[str, ...] = ()) -> None:
        self._shared = shared
        self._merged = merged
        self._lock = real.Mutex()  # of several threads that wait, one may have let go already
        self._closed = False
        self._owner = real.getpid()
        self.unseen = unseen

    @property
    def can_pump(self) -> bool:
        """Whether a pipe of ours can stand for a stream that the child would inherit."""
        return any(item.standard for item in self._shared)

    @contextmanager
    def pumping(self) -> Iterator[dict[str, int]]:
        """Make the pipes that are handed to a child which would inherit; give their ends by name of the stream."""
        pumps = {item.name: Pump(item.fd, item.standard) for item in self._shared if item.standard}
        started = False
        try:
            yield self._handed({name: pump.handed for name, pump in pumps.items()})
            started = True
        finally:
            for pump in pumps.values():
                pump.hand_over(started=started)
        for item in self._shared:
            item.pump = pumps.get(item.name)

    def _handed(self, ends: dict[str, int]) -> dict[str, int]:
        return {**ends, "stderr": ends["stdout"]} if self._merged and "stdout" in ends else ends

    def take(self, *, ended: bool) -> dict[str, Plain]:
        """Return what the child did since the last time, by name of the stream; all of it if the child has ended.

        ``"more"`` in it says that it did not fit; `rest` returns the rest.
        """
        with self._lock:
            for item in self._shared:
                if not self._closed:
                    item.look(ended=ended)
        return self.rest()

    def rest(self) -> dict[str, Plain]:
        """Return what the last `take`, or `rest`, has left."""
        with self._lock:
            if self._closed:
                return {}
            found = {item.name: item.take() for item in self._shared}
            more: dict[str, Plain] = {"more": True} if any(item.left for item in self._shared) else {}
        return {name: content for name, content in found.items() if content} | more

    def give(self, outcome: dict[str, Any]) -> None:
        """Do what the child of an outcome did."""
        with self._lock:
            if not self._closed:
                for item in self._shared:
                    item.give(outcome.get(item.name))

    def close(self) -> None:
        """Let go of the files."""
        if self._owner != real.getpid():
            self._abandon()
        with self._lock:
            if not self._closed:
                self._closed = True
                for item in self._shared:
                    real.close(item.fd)
                    if item.pump is not None:
                        item.pump.forget()

    def _abandon(self) -> None:
        """Be in the child of a fork, where nobody lets go of a lock that was held, and pumps look after themselves."""
        self._lock, self._owner = real.Mutex(), real.getpid()
        for item in self._shared:
            item.pump = None

    def __del__(self) -> None:
        self.close()


NO_OUTPUTS: Final = Outputs([])
"""Those of every child that has only pipes."""


def share(name: str, fd: int, *, standard: int | None) -> Shared:
    """Return a stream of a child that is about to start, as it stands now."""
    kept = real.apart(fd)
    flags = fcntl.fcntl(kept, fcntl.F_GETFL)
    reads = flags & os.O_ACCMODE == os.O_RDONLY
    appending = not reads and bool(flags & os.O_APPEND)
    position = real.fstat(kept).st_size if appending else _offset(kept)
    return Shared(name, kept, position, standard, reads)


def _offset(fd: int) -> int:
    try:
        return real.lseek(fd, 0, os.SEEK_CUR)
    except OSError:
        return 0  # a pipe has none


def _read_range(fd: int, start: int, end: int) -> bytes:
    """Return bytes of a file that may be open for writing only: it is opened once more, by its descriptor."""
    again = real.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = []
        while start < end and (part := real.pread(again, end - start, start)):
            parts.append(part)
            start += len(part)
        return b"".join(parts)
    finally:
        real.close(again)
