"""The content of files by descriptor: written, compared and copied in pieces; what is a hole stays one."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from typing import Final

from testbench.inplace import real

_PIECE: Final = 1 << 20


def pieces(fd: int, size: int, most: int = _PIECE) -> Iterator[tuple[int, int]]:
    """Give offset and length of all in a file that is no hole (lseek(2), SEEK_DATA), in pieces.

    Args:
        fd: the file.
        size: its size in bytes.
        most: the size of a piece in bytes.

    Raises:
        OSError: it cannot be read.
    """
    at = 0
    while at < size:
        try:
            at = real.lseek(fd, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            return  # there are no more data
        end = min(real.lseek(fd, at, os.SEEK_HOLE), size)
        while at < end:
            yield at, min(most, end - at)
            at += most
        at = end


def read_at(fd: int, offset: int, size: int) -> bytes:
    """Return so many bytes; fewer where the file ends."""
    parts = []
    while size > 0:
        data = real.pread(fd, size, offset)
        if not data:
            break
        parts.append(data)
        offset, size = offset + len(data), size - len(data)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def write_at(fd: int, offset: int, data: bytes) -> None:
    """Write all of it.

    Raises:
        OSError: as ``pwrite(2)``: the disk is full, say.
    """
    view = memoryview(data)
    while view:
        done = real.pwrite(fd, view, offset)
        view, offset = view[done:], offset + done


def is_same(left: int, right: int) -> bool:
    """Tell whether two files have the same content; what is a hole in both is not read."""
    size = real.fstat(left).st_size
    if size != real.fstat(right).st_size:
        return False
    if size <= _PIECE:
        return read_at(left, 0, size) == read_at(right, 0, size)
    return all(
        read_at(left, at, length) == read_at(right, at, length)
        for file in (left, right)
        for at, length in pieces(file, size)
    )


def copy(source: int, target: int) -> None:
    """Give a file the content of another.

    Raises:
        OSError: one cannot be read or the other not be written; then that has lost its content.
    """
    found = real.fstat(source)
    size = found.st_size
    if found.st_blocks * 512 < size:
        real.ftruncate(target, 0)  # what is a hole has to become one; else this would only make file systems flush
    for offset, length in pieces(source, size):
        write_at(target, offset, read_at(source, offset, length))
    if real.fstat(target).st_size != size:
        real.ftruncate(target, size)
