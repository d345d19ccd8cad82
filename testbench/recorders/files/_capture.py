"""What has become of the files of a tree, as plain values, in pieces that fit in memory.

A change is a list ``[root, path, what, mode, content]``; the times of change of all of them, in nanoseconds, are a list
of their own, ``mtime_ns``. ``root`` is the name of the root; ``path`` is inside of it, empty for the root itself; names
that are no UTF-8 have lone surrogates, as Python decodes them (PEP 383).
``what`` is

=========== =================================================================================================
``dir``     a directory is there
``file``    a regular file is there that was not, with its content
``written`` the content of a regular file is another; it still is the same file, as whoever has it open sees
``meta``    mode or times of a regular file are others, its content is not
``link``    a symbolic link is there; content is where it leads
``fifo``    a named pipe is there
``socket``  a socket is there; on replay nobody listens
``gone``    nothing is there any more
``more``    further content of the file before
``unread``  content is why it could not be read: it cannot be replayed
=========== =================================================================================================

``content`` of a file is its bytes, or for a large or sparse one ``{"size", "parts": [[offset, bytes], ...]}``: what no
part covers is a hole.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from typing import Any, Final

from testbench.inplace import real
from testbench.protocol import Plain
from testbench.recorders.files._content import pieces, read_at
from testbench.recorders.files._tree import Change, Tree

_PART: Final = 4 << 20
"""A part of a file has at most so many bytes."""

_BATCH_SIZE: Final = 64 << 20
_BATCH: Final = 1024
"""So many bytes, and changes, go in one event."""

_OTHERS: Final = {stat.S_IFIFO: "fifo", stat.S_IFSOCK: "socket"}
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def text(path: bytes) -> str:
    """Return a path as it stands on a tape; whatever the locale is."""
    return path.decode("utf-8", "surrogateescape")


def changes_of(root: str, tree: Tree, changes: dict[bytes, Change]) -> Iterator[list[Plain]]:
    """Give what has changed in one tree, parents before children.

    Args:
        root: its name.
        tree: the tree.
        changes: from its update.
    """
    for path, change in changes.items():
        for what, mode, mtime_ns, content in _told(tree, path, change):
            yield [root, text(path), what, mode, mtime_ns, content]


def batches(changes: Iterable[list[Plain]]) -> Iterator[tuple[list[Plain], bool]]:
    """Give changes in lists, each of which fits in one event, and whether there are more."""
    batch: list[Plain] = []
    size = 0
    for change in changes:
        batch.append(change)
        size += _size(change[-1])
        if size >= _BATCH_SIZE or len(batch) >= _BATCH:
            yield batch, True
            batch, size = [], 0
    yield batch, False


def _told(tree: Tree, path: bytes, change: Change) -> Iterator[tuple[str, Plain, Plain, Plain]]:
    after = change.after
    if after is None:
        yield "gone", None, None, None
        return
    mode, kind = stat.S_IMODE(after.mode), stat.S_IFMT(after.mode)
    if kind == stat.S_IFDIR and path not in tree.unread:
        yield "dir", mode, after.mtime_ns, None
    elif kind == stat.S_IFREG and not change.written:
        yield "meta", mode, after.mtime_ns, None
    elif kind in _OTHERS:
        yield _OTHERS[kind], mode, after.mtime_ns, None
    else:
        try:
            if kind == stat.S_IFLNK:
                yield "link", mode, after.mtime_ns, text(real.readlink(tree.path(path)))
            elif kind == stat.S_IFREG:
                yield from _file(tree.path(path), "written" if change.kept else "file", mode, after.mtime_ns)
            else:
                raise OSError(errno.EACCES if kind == stat.S_IFDIR else errno.ENOTSUP, "")
        except FileNotFoundError:  # a child that still runs has taken it away
            yield "gone", None, None, None
        except OSError as error:
            yield "unread", mode, after.mtime_ns, os.strerror(error.errno or errno.EIO)


def _file(path: bytes, what: str, mode: int, mtime_ns: int) -> Iterator[tuple[str, Plain, Plain, Plain]]:
    fd = real.open(path, _READ)
    try:
        found = real.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.ESTALE, "")
        size = found.st_size
        if size <= _PART and found.st_blocks * 512 >= size:
            yield what, mode, mtime_ns, read_at(fd, 0, size)
            return
        for offset, length in pieces(fd, size, _PART):
            yield what, mode, mtime_ns, {"size": size, "parts": [[offset, read_at(fd, offset, length)]]}
            what = "more"
        if what != "more":
            yield what, mode, mtime_ns, {"size": size, "parts": []}
    finally:
        real.close(fd)


def _size(content: Any) -> int:
    if isinstance(content, dict):
        return sum(len(data) for _, data in content["parts"])
    return len(content) if isinstance(content, bytes) else 0
