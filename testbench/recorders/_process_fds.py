"""File descriptors of our own: kept out of the numbers that the program sees, and written to the end."""

from __future__ import annotations

import fcntl
import os
import select
from typing import Final

from testbench.inplace import real

_HIGH: Final = 600
"""Descriptors of ours begin here: pipes and files of the program get the numbers that they would get without us."""


def own(fd: int) -> int:
    """Return a duplicate of ``fd`` for ourselves; children do not inherit it."""
    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _HIGH)
    except OSError:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)  # the process may not have so many


def own_pipe() -> tuple[int, int]:
    """Return a pipe for ourselves: the end to read, which does not block, and the end to write."""
    low = real.pipe()
    try:
        read_end = own(low[0])
        write_end = own(low[1])
    finally:
        for fd in low:
            real.close(fd)
    os.set_blocking(read_end, False)
    return read_end, write_end


def write_all(fd: int, data: bytes) -> None:
    """Write everything, also to a descriptor that the program has made non-blocking.

    Raises:
        OSError: as ``write(2)``.
    """
    view = memoryview(data)
    while view:
        try:
            view = view[real.write(fd, view) :]
        except BlockingIOError:
            writable = select.poll()
            writable.register(fd, select.POLLOUT)
            writable.poll()


def identity(fd: int) -> tuple[int, int]:
    """Return what names the open file: device and inode."""
    found = real.fstat(fd)
    return found.st_dev, found.st_ino
