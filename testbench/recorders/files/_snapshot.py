"""What a regular file holds at one moment, as plain values in pieces that fit in memory, or as a digest."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from typing import Any, Final

from testbench.inplace import real
from testbench.protocol import Plain
from testbench.recorders.files._content import pieces, read_at

_WHOLE: Final = 4 << 20
"""A file without holes up to this size is one value."""

_BATCH: Final = 8
_PIECE: Final = 1 << 20


def contents(fd: int) -> Iterator[tuple[Plain, bool]]:
    """Give the content of a file in pieces, and whether there are more.

    A piece is bytes, the whole content, or a list of offsets, lengths and bytes; what none of these covers is a hole.

    Args:
        fd: the file.

    Raises:
        OSError: it cannot be read.
    """
    found = real.fstat(fd)
    size = found.st_size
    if size <= _WHOLE and found.st_blocks * 512 >= size:
        yield read_at(fd, 0, size), False
        return
    batch: list[Plain] = []
    for offset, length in pieces(fd, size, _PIECE):
        if len(batch) == _BATCH:
            yield batch, True
            batch = []
        data = read_at(fd, offset, length)
        batch.append([offset, len(data), data])
    real.lseek(fd, 0, os.SEEK_SET)  # looking for holes has moved it
    yield batch, False


def parts_of(content: Any, size: int) -> list[tuple[int, int, bytes]]:
    """Return offset, length and bytes of all that a piece holds; the length is another where a secret was replaced.

    Args:
        content: the piece.
        size: of the file, in bytes.
    """
    if isinstance(content, bytes):
        return [(0, size, content)]
    return [(int(offset), int(length), bytes(data)) for offset, length, data in content]


def digest_of(fd: int) -> tuple[int, bytes]:
    """Return size and sha-256 of all that a file holds, in constant memory.

    Raises:
        OSError: it cannot be read.
    """
    digest, at = hashlib.sha256(), 0
    while data := real.pread(fd, _PIECE, at):
        digest.update(data)
        at += len(data)
    return at, digest.digest()


def kind_of(mode: int) -> str:
    """Return what a mode says of a file in one word."""
    return _KINDS.get(stat.S_IFMT(mode), "other")


_KINDS: Final = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "dir",
    stat.S_IFLNK: "link",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}
