"""Put the bytes of a tape into its file: in order, ahead of time where asked, and with errors that say what to do."""

from __future__ import annotations

import errno
import os
import weakref
from collections.abc import Callable
from typing import Final

from testbench.errors import RecordingError, TapeWriteError, TestbenchError
from testbench.inplace.real import fsync, ftruncate, getpid, pwrite

_CHUNK: Final = 256 << 10
"""Bytes gathered before they are written without being asked to."""

_PAGE: Final = 4096
"""What a write copies at once (generic_perform_write in Linux looks for signals in between); pages are not smaller."""

_FIXES: Final = {
    errno.ENOSPC: "Free some space, or record to another disk",
    errno.EDQUOT: "Raise the disk quota, or record to another disk",
    errno.EFBIG: "Raise the limit on file sizes (`ulimit -f unlimited`)",
    errno.EIO: "The disk itself reports an error: look at `dmesg`, record to another disk",
}


class Sink:
    """The end of an open file, growing.

    What was written ahead of `position` is provisional, and the next write covers all of it, with zeros if need be. A
    process can be killed between two pages of one write, so what lies on more than one page is cut off first: at no
    moment the file holds a mixture of old and new that could be read as an event.

    Args:
        fd: a regular file, open for writing and empty.
        refused: told the error after which nothing can be written any more.
    """

    def __init__(self, fd: int, refused: Callable[[TestbenchError], None]) -> None:
        self.position = 0
        self.refusal: TestbenchError | None = None
        self._fd, self._pid, self._refused = fd, getpid(), refused
        self._parts: list[bytes] = []
        self._waiting = 0  # bytes in `_parts`
        self._size = 0  # bytes in the file, provisional ones included
        _sinks.add(self)

    @property
    def waiting(self) -> bool:
        """Whether bytes were appended that are not in the file yet."""
        return self._waiting > 0

    def check(self) -> None:
        """Raise what stopped this sink, if anything did."""
        if self.refusal is None and getpid() != self._pid:
            self.refuse(forked())
        if self.refusal is not None:
            raise type(self.refusal)(*self.refusal.args)

    def refuse(self, error: TestbenchError) -> None:
        """Write nothing any more; the first reason stays the reason."""
        if self.refusal is None:
            self.refusal = error
            self._refused(error)

    def append(self, data: bytes) -> None:
        """Take bytes that are final."""
        self._parts.append(data)
        self._waiting += len(data)
        self.position += len(data)
        if self._waiting >= _CHUNK:
            self.drain()

    def drain(self, ahead: bytes = b"") -> None:
        """Write everything appended, and ``ahead`` behind it, which the next write covers again.

        Raises:
            TapeWriteError: the file does not take it.
        """
        self.check()
        start, end = self.position - self._waiting, self.position + len(ahead)
        try:
            if start // _PAGE < (self._size - 1) // _PAGE:
                self._cut(start)
            filler = bytes(max(0, self._size - end))
            self._write(b"".join((*self._parts, ahead, filler)), start)
        except OSError as error:
            self._fail(error)
        self._parts.clear()
        self._waiting = 0

    def finish(self) -> None:
        """Write everything, cut off what is provisional, and wait until the disk has it.

        Raises:
            TapeWriteError: the file does not take it.
        """
        self.drain()
        try:
            self._cut(self.position)
            fsync(self._fd)
        except OSError as error:
            self._fail(error)

    def _write(self, data: bytes, at: int) -> None:
        view = memoryview(data)
        while view:
            written = pwrite(self._fd, view, at)
            view, at = view[written:], at + written
            self._size = max(self._size, at)

    def _cut(self, size: int) -> None:
        if self._size > size:
            ftruncate(self._fd, size)
            self._size = size

    def _fail(self, error: OSError) -> None:
        name = errno.errorcode.get(error.errno or 0, "unknown error")
        fix = _FIXES.get(error.errno or 0, "Record to another place")
        refusal = TapeWriteError(
            f"the tape could not be written beyond byte {self.position - self._waiting}: {error.strerror} ({name}). "
            f"{fix}, then record again; what was written so far is kept beside, and `testbench recover` reads it."
        )
        self.refuse(refusal)
        raise refusal from error


def forked() -> RecordingError:
    """Make the error of a writer that woke up in a forked child."""
    return RecordingError(
        "this process was forked while its parent records, and the tape belongs to the parent: expected every call to "
        "come from the process that opened it. Nothing was written. Start the child with `subprocess` or the `spawn` "
        "method of `multiprocessing`, and record in it under a tape of its own."
    )


_sinks: weakref.WeakSet[Sink] = weakref.WeakSet()


def _after_fork() -> None:
    for sink in _sinks:
        sink.refuse(forked())


os.register_at_fork(after_in_child=_after_fork)
