"""What brings a tree back to what it was, as long as what is done to it is not done."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from typing import Final

from testbench.inplace import real
from testbench.recorders.files._content import copy, read_at, write_at
from testbench.recorders.files._place import NEW, Place

_SMALL: Final = 1 << 16
"""Contents up to this size are kept in memory."""


class ApplyError(Exception):
    """A change could not be done again; nothing of those that were to be done with it was.

    Attributes:
        path: where.
    """

    def __init__(self, path: bytes, reason: str) -> None:
        super().__init__(f"{os.fsdecode(path)!r}: {reason}")
        self.path = os.fsdecode(path)


def failed(path: bytes, error: BaseException) -> ApplyError:
    """Return what says that something could not be done at a path."""
    return ApplyError(path, error.strerror if isinstance(error, OSError) and error.strerror else str(error))


class Undo:
    """The steps back of the changes in one root, and what is kept for them.

    Args:
        root: the absolute path of the root.
    """

    def __init__(self, root: bytes) -> None:
        self._root = root
        self._steps: list[tuple[bytes, Callable[[Place], object]]] = []
        self._noted: dict[bytes, os.stat_result | None] = {}
        self._prefix = b""
        self._names: list[bytes] = []
        self._made_root = False

    def reach_root(self) -> Place:
        """Return the root, which is made if it is not there.

        Raises:
            OSError: it is no directory, or cannot be made.
        """
        try:
            place = Place(self._root)
        except FileNotFoundError:
            real.mkdir(self._root, 0o700)
            self._made_root = True
            place = Place(self._root)
        self._noted[b""] = real.fstat(place.fd)
        return place

    def unmake_root(self) -> None:
        """Take away the root if it was made."""
        if self._made_root:
            real.rmdir(self._root)

    def new_name(self) -> bytes:
        """Return a name for a file in the root that nobody else uses; it is taken away in the end."""
        self._prefix = self._prefix or b".testbench-%d-%d-" % (real.getpid(), real.monotonic_ns())
        self._names.append(self._prefix + b"%d" % len(self._names))
        return self._names[-1]

    # Before, or right after, something is done.

    def note(self, place: Place, path: bytes, found: os.stat_result | None = None) -> None:
        """Remember mode and times of what is at a path."""
        if path not in self._noted:
            self._noted[path] = place.look(path) if found is None else found

    def note_parent(self, place: Place, path: bytes) -> None:
        """Remember mode and times of the directory that something is in."""
        self.note(place, path.rpartition(b"/")[0])

    def made(self, path: bytes) -> None:
        """Something was made at a path."""

        def unmake(place: Place) -> None:
            fd, name = place.at(path)
            real.unlink(name, dir_fd=fd)

        self._steps.append((path, unmake))

    def made_directory(self, path: bytes) -> None:
        """A directory was made."""

        def unmake(place: Place) -> None:
            fd, name = place.at(path)
            real.rmdir(name, dir_fd=fd)

        self._steps.append((path, unmake))

    def removed_directory(self, path: bytes) -> None:
        """An empty directory was taken away."""

        def make_again(place: Place) -> None:
            fd, name = place.at(path)
            real.mkdir(name, 0o700, dir_fd=fd)

        self._steps.append((path, make_again))

    def keep_beside(self, place: Place, path: bytes) -> None:
        """Keep a file that something is about to be put in the place of; until then it is there."""
        kept = self.new_name()
        fd, name = place.at(path)
        try:
            real.link(name, kept, src_dir_fd=fd, dst_dir_fd=place.fd, follow_symlinks=False)
        except PermissionError:  # this file system has no second names (link(2)), or the file is another's
            self.keep(place, path)
            return
        self._steps.append((path, _bringing_back(kept, path)))

    def keep(self, place: Place, path: bytes) -> None:
        """Take away what is no directory, and keep it."""
        kept = self.new_name()
        fd, name = place.at(path)
        real.rename(name, kept, src_dir_fd=fd, dst_dir_fd=place.fd)
        self._steps.append((path, _bringing_back(kept, path)))

    def keep_content(self, place: Place, path: bytes, file: int, size: int) -> None:
        """Keep the content of a file, open as ``file``, that is to be written to."""
        if size <= _SMALL:
            content = read_at(file, 0, size)
            self._steps.append((path, lambda again: _write_back(again, path, content)))
            return
        kept = self.new_name()
        copied = real.open(kept, NEW, 0o600, dir_fd=place.fd)
        try:
            copy(file, copied)
        finally:
            real.close(copied)
        self._steps.append((path, lambda again: _copy_back(again, path, kept)))

    # In the end.

    def stamp_directories(self, place: Place | None, others: set[bytes]) -> None:
        """Give directories the times that they had before, but for those that the tape tells of."""
        for path, found in self._noted.items():
            if place is not None and found is not None and stat.S_ISDIR(found.st_mode) and path not in others and path:
                there = place.look(path)
                if there is not None and stat.S_ISDIR(there.st_mode):
                    place.stamp(path, None, (found.st_atime_ns, found.st_mtime_ns))

    def run(self, place: Place) -> None:
        """Undo all.

        Raises:
            ApplyError: something cannot be brought back, and is kept.
        """
        try:
            while self._steps:
                path, step = self._steps[-1]
                step(place)
                self._steps.pop()
            for path, found in sorted(self._noted.items(), reverse=True):
                if found is not None and place.look(path) is not None:
                    mode = None if stat.S_ISLNK(found.st_mode) else stat.S_IMODE(found.st_mode)
                    place.stamp(path, mode, (found.st_atime_ns, found.st_mtime_ns))
        except OSError as error:
            kept = os.path.join(self._root, self._prefix + b"*")
            reason = (
                f"{error.strerror}, so that not all could be brought back; what was there is in {os.fsdecode(kept)}"
            )
            raise ApplyError(os.path.join(self._root, path), reason) from error

    def forget(self, place: Place) -> None:
        """Take away all that was kept; the root has the time that it had before."""
        for name in self._names:
            try:
                real.unlink(name, dir_fd=place.fd)
            except FileNotFoundError:
                continue  # it has found its place
        found = self._noted[b""]
        assert found is not None
        real.utime(place.fd, ns=(found.st_atime_ns, found.st_mtime_ns))


def _bringing_back(kept: bytes, path: bytes) -> Callable[[Place], None]:
    def back(again: Place) -> None:
        fd, name = again.at(path)
        real.rename(kept, name, src_dir_fd=again.fd, dst_dir_fd=fd)

    return back


def _write_back(place: Place, path: bytes, content: bytes) -> None:
    target = _open(place, path)
    try:
        write_at(target, 0, content)
        real.ftruncate(target, len(content))
    finally:
        real.close(target)


def _copy_back(place: Place, path: bytes, kept: bytes) -> None:
    target = _open(place, path)
    try:
        source = real.open(kept, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=place.fd)
        try:
            copy(source, target)
        finally:
            real.close(source)
    finally:
        real.close(target)


def _open(place: Place, path: bytes) -> int:
    fd, name = place.at(path)
    return real.open(name, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
