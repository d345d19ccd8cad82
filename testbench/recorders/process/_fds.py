"""File descriptors of our own: kept out of the numbers that the program sees, and written to the end."""

from __future__ import annotations

import os
import select

from testbench.inplace import real


def own_pipe() -> tuple[int, int]:
    """Return a pipe for ourselves: the end to read, which does not block, and the end to write."""
    read_end, write_end = map(real.aside, real.pipe())
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
            real.wait_ready(fd, select.POLLOUT)


def identity(fd: int) -> tuple[int, int]:
    """Return what names the open file: device and inode."""
    found = real.fstat(fd)
    return found.st_dev, found.st_ino
