"""One root on replay: reached by directories that are opened one in the other, so that no link can lead out of it."""

from __future__ import annotations

import errno
import os
import stat
from types import TracebackType
from typing import Final

from testbench.inplace import real

NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Place:
    """A directory tree that is changed; a context manager that closes what it holds.

    Args:
        root: its absolute path, without symbolic links; it is there.

    Raises:
        OSError: it is no directory, or not there.
    """

    def __init__(self, root: bytes) -> None:
        self.root = root
        self.fd = real.open(root, _DIRECTORY)
        self._open: list[tuple[bytes, int]] = []  # from the root to where the last path was

    def __enter__(self) -> Place:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()
        real.close(self.fd)

    def at(self, path: bytes) -> tuple[int, bytes]:
        """Return where a path is: a descriptor of its directory, valid until the next call, and its name there.

        Raises:
            OSError: the directory is not there, or a symbolic link stands on the way to it.
        """
        *directories, name = path.split(b"/")
        same = 0
        while same < min(len(directories), len(self._open)) and self._open[same][0] == directories[same]:
            same += 1
        self.leave(same)
        for directory in directories[same:]:
            self._open.append((directory, real.open(directory, _DIRECTORY, dir_fd=self._last)))
        return self._last, name

    def leave(self, keep: int = 0) -> None:
        """Close all but so many of the directories on the way to the last path."""
        while len(self._open) > keep:
            real.close(self._open.pop()[1])

    def look(self, path: bytes) -> os.stat_result | None:
        """Return how a path stands, the root itself for an empty one; None if nothing is there.

        Nothing is there either if something else than a directory is on the way, a symbolic link for one.
        """
        if not path:
            return real.fstat(self.fd)
        try:
            fd, name = self.at(path)
            return real.stat(name, dir_fd=fd, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def stamp(self, path: bytes, mode: int | None, times_ns: tuple[int, int]) -> None:
        """Set mode, if that is not None, and times of access and change of what is there; links are not followed."""
        if mode is not None:
            self._set_mode(path, mode)
        if path:
            fd, name = self.at(path)
            real.utime(name, ns=times_ns, dir_fd=fd, follow_symlinks=False)
        else:
            real.utime(self.fd, ns=times_ns)

    def _set_mode(self, path: bytes, mode: int) -> None:
        if not path:
            real.fchmod(self.fd, mode)
            return
        fd, name = self.at(path)
        one = real.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
        try:
            if stat.S_ISLNK(real.fstat(one).st_mode):
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            real.chmod(b"/proc/self/fd/%d" % one, mode)  # fchmod(2) takes no descriptor that was opened to look only
        finally:
            real.close(one)

    @property
    def _last(self) -> int:
        return self._open[-1][1] if self._open else self.fd


def make_like(place: Place, path: bytes, new: bytes, found: os.stat_result) -> None:
    """Give a file, whose name in the root is ``new``, the owner and extended attributes of the one at a path.

    Raises:
        OSError: this user may not.
    """
    fd, name = place.at(path)
    old = real.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
    try:
        made = real.open(new, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=place.fd)
        try:
            there = real.fstat(made)
            if (there.st_uid, there.st_gid) != (found.st_uid, found.st_gid):
                os.fchown(made, found.st_uid, found.st_gid)
            _copy_attributes(b"/proc/self/fd/%d" % old, made)
        finally:
            real.close(made)
    finally:
        real.close(old)


def _copy_attributes(source: bytes, target: int) -> None:
    try:
        names = real.listxattr(source)
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise
        return  # this file system has none
    for name in names:
        real.setxattr(target, name, real.getxattr(source, name))
