"""Descriptors for what a tape holds: true ones, so that everything that takes a descriptor can do its work on them.

A file is an anonymous one (memfd_create(2)), or where it is large an unnamed one on the disk; a directory that is not
there is one that has been taken away, in which nothing can be made.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterable
from typing import Any, Final

from testbench.inplace import real
from testbench.recorders.files._content import write_at

_IN_MEMORY: Final = 64 << 20
"""Files up to this size are held in memory, larger ones on a disk."""

_ROOM: Final = ("/var/tmp", "/tmp")  # without a name there, or for a moment

_KEPT: Final = os.O_ACCMODE | os.O_CLOEXEC | os.O_NONBLOCK


class Served:
    """What is known of the descriptors that the program has from us; they stay good when the session ends."""

    def __init__(self) -> None:
        self._names: dict[int, tuple[str, int, int]] = {}

    def remember(self, fd: int, path: str) -> int:
        """Know a descriptor by the path that it was opened by; return it."""
        found = real.fstat(fd)
        self._names[fd] = (path, found.st_dev, found.st_ino)
        return fd

    def name_of(self, fd: Any) -> str | None:
        """Return the path of a descriptor; None if it is none of those, or another one under its number."""
        known = self._names.get(fd)
        if known is None:
            return None
        try:
            found = real.fstat(fd)
        except OSError:
            found = None
        if found is None or (found.st_dev, found.st_ino) != known[1:] or not only_reads(fd):
            self._names.pop(fd, None)
            return None
        return known[0]


def only_reads(fd: int) -> bool:
    """Tell whether a descriptor only reads, as those do that are known here; its number may be another one's by now."""
    return fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY


def file_of(size: int, parts: Iterable[tuple[int, int, bytes]], flags: int) -> int:
    """Return a descriptor of a file that has a content.

    Args:
        size: its size in bytes.
        parts: offset, length and bytes of all that is no hole; bytes of another length move what comes after them.
        flags: how the program has opened it.

    Raises:
        OSError: there is no room for it.
    """
    made = real.aside(os.memfd_create("testbench") if size <= _IN_MEMORY else _on_disk())
    try:
        moved = 0
        for offset, length, data in parts:
            write_at(made, offset + moved, data)
            moved += len(data) - length
        real.ftruncate(made, size + moved)
        return real.open(b"/proc/self/fd/%d" % made, flags & _KEPT)
    finally:
        real.close(made)


def directory_of(opens: Callable[..., int], path: Any, flags: int, dir_fd: int | None) -> int:
    """Return a descriptor of a directory: the one that is there, or else one that is nowhere.

    Args:
        opens: as `os.open`.
        path: as it was given.
        flags: how the program opens it.
        dir_fd: the directory that it starts from, None for the working directory.
    """
    wanted = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    try:
        return opens(path, wanted | (flags & os.O_NOFOLLOW), dir_fd=dir_fd)
    except OSError:
        return _nowhere(wanted)


def _on_disk() -> int:
    for room in _ROOM:
        try:
            return real.open(room, os.O_RDWR | os.O_TMPFILE | os.O_CLOEXEC, 0o600)
        except OSError:
            continue
    return os.memfd_create("testbench")


def _nowhere(flags: int) -> int:
    made = f"{_ROOM[-1]}/.testbench-{real.getpid()}-{real.get_ident()}-{real.monotonic_ns()}"
    real.mkdir(made, 0o700)
    try:
        return real.open(made, flags)
    finally:
        real.rmdir(made)
