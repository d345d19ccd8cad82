"""What a regular file holds at one moment, as plain values in pieces that fit in memory, or as a digest."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from typing import Final

from testbench.inplace import real
from testbench.protocol import Plain
from testbench.recorders.files._content import pieces, read_at

_WHOLE: Final = 4 << 20
"""A file without holes up to this size is one piece."""

_PIECE: Final = 512 << 10
"""Others come in pieces of this size: of two that follow each other a secret is found that begins in one."""

_READ: Final = 1 << 20


def contents(fd: int) -> Iterator[tuple[dict[str, Plain], bool]]:
    """Give the content of a file in pieces, and whether there are more.

    A piece is ``{"offset", "length", "content"}``; what none of them covers is a hole.

    Args:
        fd: the file.

    Raises:
        OSError: it cannot be read.
    """
    found = real.fstat(fd)
    size = found.st_size
    if size <= _WHOLE and found.st_blocks * 512 >= size:
        yield _piece(0, read_at(fd, 0, size)), False
        return
    last: dict[str, Plain] | None = None
    for offset, length in pieces(fd, size, _PIECE):
        if last is not None:
            yield last, True
        last = _piece(offset, read_at(fd, offset, length))
    real.lseek(fd, 0, os.SEEK_SET)  # looking for holes has moved it
    yield last or _piece(0, b""), False


def _piece(offset: int, content: bytes) -> dict[str, Plain]:
    return {"offset": offset, "length": len(content), "content": content}


def digest_of(fd: int) -> tuple[int, bytes]:
    """Return size and sha-256 of all that a file holds, in constant memory.

    Raises:
        OSError: it cannot be read.
    """
    digest, at = hashlib.sha256(), 0
    while data := real.pread(fd, _READ, at):
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
