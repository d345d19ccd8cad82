"""The view of an overlay: a directory of its own, which begins as a copy of the root and takes all that is written."""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
from typing import Final

from testbench.errors import UnsupportedError
from testbench.inplace import real
from testbench.recorders.files._content import copy

_CLONE: Final = 0x40049409
"""``FICLONE`` of ioctl_ficlone(2): the new file shares the blocks of the old one, until one of them is written to."""

_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOATIME
_READ_ANY: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_MEMORY: Final = b"/dev/shm"
_SPARE: Final = 1 << 30
"""So many bytes are left for what the program writes, and for others."""

_NODES: Final = (stat.S_IFIFO, stat.S_IFSOCK)


def usual_aside(size: int) -> bytes:
    """Return the directory for the view of a root with so many bytes: in memory, if there is plenty of it.

    What is in that of temporary files is in memory as well, as long as there is room, but goes to the disk in time.
    """
    try:
        found = os.statvfs(_MEMORY)
    except OSError:
        found = None
    if found is not None and not found.f_flag & os.ST_NOEXEC and found.f_bavail * found.f_frsize > 2 * size + _SPARE:
        return _MEMORY
    return os.fsencode(tempfile.gettempdir())


class View:
    """A copy of the root in a directory of its own, which only this user can enter.

    Args:
        root: absolute, without symbolic links; it is a directory.
        aside: the directory that it is made in, absolute.

    Attributes:
        path: where the copy is, absolute.

    Raises:
        UnsupportedError: something in the root cannot be copied; nothing is left behind.
        OSError: there is no room, or ``aside`` cannot be written.
    """

    def __init__(self, root: bytes, aside: bytes) -> None:
        self._base = os.path.join(aside, b"testbench-%d-%d" % (real.getpid(), real.monotonic_ns()))
        self.path = os.path.join(self._base, b"root")
        self._links: dict[int, bytes] = {}
        self._clones = True
        self._device = real.lstat(root).st_dev
        self._owner = os.geteuid()
        real.mkdir(self._base, 0o700)
        try:
            self._copy_tree(root)
        except BaseException as error:
            self.remove()
            if isinstance(error, OSError) and error.filename is None:  # a write: the place is full, say
                told = f"{error.strerror}: what is in the root is copied there; give another directory as aside="
                raise OSError(error.errno, told, os.fsdecode(aside)) from error
            raise
        self._links.clear()

    def remove(self) -> None:
        """Take it away, whatever modes its directories have by now."""
        directories = [self._base]
        for directory in directories:  # grows while it is gone through
            if real.lstat(directory).st_mode & 0o700 != 0o700:
                real.chmod(directory, 0o700)
            with real.scandir(directory) as listing:
                for entry in list(listing):
                    if entry.is_dir(follow_symlinks=False):
                        directories.append(entry.path)
                    else:
                        real.unlink(entry.path)
        for directory in reversed(directories):
            real.rmdir(directory)

    def _copy_tree(self, root: bytes) -> None:
        directories = [(root, self.path)]
        for source, target in directories:  # grows while it is gone through
            real.mkdir(target, 0o700)
            try:
                with real.scandir(source) as listing:
                    for entry in listing:
                        there = os.path.join(target, entry.name)
                        if entry.is_dir(follow_symlinks=False):
                            self._check_device(entry.path, entry.stat(follow_symlinks=False))
                            directories.append((entry.path, there))
                        else:
                            self._copy(entry.path, there, entry.stat(follow_symlinks=False))
            except PermissionError as error:
                raise _refused(os.fsencode(error.filename or source), "it cannot be read") from error
        for source, target in reversed(directories):
            self._stamp(target, real.lstat(source))

    def _check_device(self, path: bytes, found: os.stat_result) -> None:
        if found.st_dev != self._device:
            raise _refused(path, "another file system is mounted there")

    def _copy(self, source: bytes, target: bytes, found: os.stat_result) -> None:
        if found.st_nlink > 1:
            twin = self._links.setdefault(found.st_ino, target)
            if twin is not target:
                real.link(twin, target, follow_symlinks=False)
                return
        kind = stat.S_IFMT(found.st_mode)
        if kind == stat.S_IFREG:
            self._copy_file(source, target, found)
            return
        if kind == stat.S_IFLNK:
            real.symlink(real.readlink(source), target)
        elif kind in _NODES:
            real.mknod(target, 0o600 | kind)
        else:
            raise _refused(source, "it is a device")
        self._stamp(target, found)

    def _copy_file(self, source: bytes, target: bytes, found: os.stat_result) -> None:
        try:
            old = real.open(source, _READ)
        except PermissionError:  # it is another's: O_NOATIME is for the owner only (open(2))
            old = real.open(source, _READ_ANY)
        try:
            new = real.open(target, _NEW, 0o600)
            try:
                if found.st_size and not self._clone(old, new):
                    copy(old, new)
                self._give(new, found)
                real.fchmod(new, stat.S_IMODE(found.st_mode))
                real.utime(new, ns=(found.st_atime_ns, found.st_mtime_ns))
            finally:
                real.close(new)
        finally:
            real.close(old)

    def _clone(self, old: int, new: int) -> bool:
        if self._clones:
            try:
                fcntl.ioctl(new, _CLONE, old)
            except OSError:
                self._clones = False  # this file system has no such thing, or the view is on another one
        return self._clones

    def _stamp(self, target: bytes, found: os.stat_result) -> None:
        self._give(target, found)
        if not stat.S_ISLNK(found.st_mode):
            real.chmod(target, stat.S_IMODE(found.st_mode))
        real.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns), follow_symlinks=False)

    def _give(self, target: bytes | int, found: os.stat_result) -> None:
        """Let it belong to whom it belongs in the root, where we may."""
        if not self._owner and (found.st_uid or found.st_gid):
            os.chown(target, found.st_uid, found.st_gid, follow_symlinks=isinstance(target, int))


def _refused(path: bytes, why: str) -> UnsupportedError:
    return UnsupportedError(
        f"{os.fsdecode(path)!r} cannot be in an overlay: {why}. Choose a root without it, or change that; nothing was "
        "touched."
    )
