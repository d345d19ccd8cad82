"""Bytes on their way from a child to the tape: few in memory, many in a file without a name."""

from __future__ import annotations

import contextlib
import os
from typing import Final

from testbench.inplace import real

_IN_MEMORY: Final = 1 << 20
_ALWAYS: Final = ("/var/tmp", "/tmp")  # nothing there ever gets a name


class Spool:
    """A queue of bytes; not thread-safe. What the disk refuses stays in memory."""

    def __init__(self) -> None:
        self._newest: list[bytes] = []
        self._weight = 0
        self._fd = -1
        self._start = self._end = 0  # what the file holds comes before what memory holds

    def __len__(self) -> int:
        """Return how many bytes there are to get."""
        return self._end - self._start + self._weight

    def put(self, data: bytes) -> None:
        """Add bytes at the end."""
        self._newest.append(data)
        self._weight += len(data)
        if self._weight > _IN_MEMORY:
            with contextlib.suppress(OSError):
                self._spill()

    def get(self, size: int) -> bytes:
        """Take bytes from the front: ``size``, or fewer if there are not so many."""
        parts = []
        while size > 0 and len(self):
            part = self._from_file(size) if self._end > self._start else self._from_memory(size)
            parts.append(part)
            size -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def close(self) -> None:
        """Let go of everything."""
        self._newest, self._weight, self._start, self._end = [], 0, 0, 0
        if self._fd != -1:
            fd, self._fd = self._fd, -1
            real.close(fd)

    def _spill(self) -> None:
        if self._fd == -1:
            self._fd = _nameless()
        while self._newest:
            view = memoryview(self._newest[0])
            while view:
                written = real.pwrite(self._fd, view, self._end)
                view = view[written:]
                self._newest[0] = bytes(view)
                self._end += written
                self._weight -= written
            del self._newest[0]

    def _from_file(self, size: int) -> bytes:
        data = real.pread(self._fd, min(size, self._end - self._start), self._start)
        self._start += len(data)
        if self._start == self._end:
            self._start = self._end = 0
            real.ftruncate(self._fd, 0)
        return data

    def _from_memory(self, size: int) -> bytes:
        data = self._newest[0][:size]
        self._newest[0] = self._newest[0][size:]
        if not self._newest[0]:
            del self._newest[0]
        self._weight -= len(data)
        return data


def _nameless() -> int:
    """Open a file that goes when it is closed (``O_TMPFILE`` of Linux).

    Raises:
        OSError: no directory for temporary files can have one.
    """
    for folder in (os.environ.get("TMPDIR", _ALWAYS[0]), *_ALWAYS):
        with contextlib.suppress(OSError):
            return real.aside(real.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600))
    raise OSError("no directory for temporary files")
