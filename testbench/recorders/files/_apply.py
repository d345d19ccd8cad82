"""Doing to a tree again what a child did to it: all of it, or where that fails nothing."""

from __future__ import annotations

import errno
import os
import stat
from typing import Any, Final, NamedTuple

from testbench.inplace import real
from testbench.recorders.files._content import copy, is_same, read_at, write_at
from testbench.recorders.files._place import NEW, Place, make_like
from testbench.recorders.files._undo import ApplyError, Undo, failed

_PERMISSIONS: Final = 0o777
"""A tape gives nobody the rights of another: who replays it cannot know who wrote it."""

_OF_DIRECTORIES: Final = 0o3777
"""What is in a directory gets its group by setgid, and has no more rights by it."""

_KEPT: Final = 0o7000
_OWNER: Final = 0o700
_SMALL: Final = 1 << 16
_MOST: Final = 64 << 20
"""Contents up to this size are held in memory until they are written, and all together up to that."""

_WHATS: Final = ("dir", "file", "written", "meta", "link", "fifo", "socket", "gone")
_NODES: Final = {"fifo": stat.S_IFIFO, "socket": stat.S_IFSOCK}


class _Change(NamedTuple):
    path: bytes
    what: str
    mode: int
    mtime_ns: int
    content: bytes | None
    aside: bytes
    """The name of the file in the root that has the content, where memory has not."""


class Applying:
    """Changes of one event in one root; first all of them are given, then they are done.

    What was there before is kept, in files of the root that have names of their own, until all is done.

    Args:
        root: the absolute path of the root, without symbolic links.
        whole: the changes are those of this user, here: modes are set with all their bits, and a file that is another
            takes the place of the old one at once, with its owner and extended attributes.
    """

    def __init__(self, root: bytes, *, whole: bool = False) -> None:
        self._root = root
        self._whole = whole
        self._modes = 0o7777 if whole else _PERMISSIONS
        self._changes: list[_Change] = []
        self._held = 0
        self._place: Place | None = None
        self._undo = Undo(root)

    def add(self, path: Any, what: Any, mode: Any, mtime_ns: Any, content: Any) -> None:
        """Give one change; see `testbench.recorders.files._capture` for what it says.

        Raises:
            ApplyError: it cannot be done; `roll_back` then.
        """
        name = _checked(path)
        try:
            if what == "more":
                self._write_aside(self._changes[-1].aside, content, os.O_WRONLY)
                return
            if what not in _WHATS:
                raise ValueError(what)
            self._changes.append(_Change(name, what, int(mode or 0), int(mtime_ns or 0), *self._take(what, content)))
        except OSError as error:
            raise failed(os.path.join(self._root, name), error) from error
        except (TypeError, ValueError, LookupError, AttributeError, OverflowError) as error:
            raise ApplyError(
                os.path.join(self._root, name), f"the tape says what no recording does ({error})"
            ) from error

    def commit(self) -> None:
        """Do all of it.

        Raises:
            ApplyError: it cannot be done; `roll_back` then.
        """
        change = None
        directories = [change for change in self._changes if change.what == "dir"]
        try:
            for change in directories:
                self._let_in(change.path)
            for change in reversed(self._changes):
                if change.what == "gone" and change.path:
                    self._remove(change.path)
            for change in self._changes:
                if change.what != "gone":
                    self._do(change)
            self._undo.stamp_directories(self._place, {change.path for change in directories})
            for change in reversed(directories):
                self._finish_directory(change)
        except (OSError, OverflowError) as error:
            raise failed(os.path.join(self._root, change.path if change else b""), error) from error

    def roll_back(self) -> None:
        """Bring back what was there before.

        Raises:
            ApplyError: something could not be brought back; what was there is in the file that it names.
        """
        if self._place is not None:
            self._undo.run(self._place)
            self._changes.clear()
            self.close()
            self._undo.unmake_root()

    def close(self) -> None:
        """Let go of what was kept; give the root its time, which that has changed.

        Raises:
            ApplyError: the root was taken away by the child, and cannot be here.
        """
        if self._place is None:
            return
        with self._place as place:
            self._undo.forget(place)
            for change in self._changes:
                if not change.path and change.what == "dir":
                    place.stamp(b"", None, (change.mtime_ns, change.mtime_ns))
        self._place = None
        if any(change.what == "gone" and not change.path for change in self._changes):
            try:
                real.rmdir(self._root)
            except OSError as error:
                raise failed(self._root, error) from error

    # Before anything is done.

    def _reach(self) -> Place:
        if self._place is None:
            self._place = self._undo.reach_root()
        return self._place

    def _take(self, what: str, content: Any) -> tuple[bytes | None, bytes]:
        """Return the content and b"", or None and the name of the file that has it."""
        if what == "link":
            return content.encode("utf-8", "surrogateescape"), b""
        if what not in ("file", "written"):
            return None, b""
        if isinstance(content, bytes) and len(content) <= _SMALL and self._held < _MOST:
            self._held += len(content)
            return content, b""
        self._reach()
        aside = self._undo.new_name()
        self._write_aside(aside, content, NEW)
        return None, aside

    def _write_aside(self, name: bytes, content: Any, flags: int) -> None:
        fd = real.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=self._reach().fd)
        try:
            if isinstance(content, bytes):
                write_at(fd, 0, content)
                return
            for offset, data in content["parts"]:
                write_at(fd, offset, data)
            real.ftruncate(fd, content["size"])
        finally:
            real.close(fd)

    # What is done.

    def _do(self, change: _Change) -> None:
        place, path = self._reach(), change.path
        before = place.look(path)
        if change.what == "dir":
            self._make_directory(path, before)
        elif change.what == "meta":
            if before is None:
                raise OSError(errno.ENOENT, "it is not here, and was when this was recorded")
            self._undo.note(place, path, before)
            place.stamp(path, change.mode & self._modes, (before.st_atime_ns, change.mtime_ns))
        elif change.what == "written" and before is not None and stat.S_ISREG(before.st_mode):
            self._rewrite(change, before)
        elif before is not None and self._is_there(change, before):
            self._undo.note(place, path, before)
            mode = None if change.what == "link" else change.mode & self._modes
            place.stamp(path, mode, (before.st_atime_ns, change.mtime_ns))
        elif self._whole and change.what == "file" and before is not None and stat.S_ISREG(before.st_mode):
            self._replace(change, before)
        else:
            if before is not None:
                self._remove(path)
            self._undo.note_parent(place, path)
            self._make(change)

    def _is_there(self, change: _Change, before: os.stat_result) -> bool:
        """Tell whether what is to be there is there already, but for mode and time; never of what has content."""
        if change.what == "link" and stat.S_ISLNK(before.st_mode):
            fd, name = self._reach().at(change.path)
            return real.readlink(name, dir_fd=fd) == change.content
        return stat.S_IFMT(before.st_mode) == _NODES.get(change.what)

    def _make(self, change: _Change) -> None:
        place, path, mode = self._reach(), change.path, change.mode & self._modes
        fd, name = place.at(path)
        times_ns = (change.mtime_ns, change.mtime_ns)
        if change.what == "link":
            real.symlink(change.content or b"", name, dir_fd=fd)
        elif change.what in _NODES:
            real.mknod(name, 0o600 | _NODES[change.what], dir_fd=fd)
        elif change.content is None:
            real.rename(change.aside, name, src_dir_fd=place.fd, dst_dir_fd=fd)
        else:
            new = real.open(name, NEW, 0o600, dir_fd=fd)
            self._undo.made(path)
            try:
                write_at(new, 0, change.content)
                real.fchmod(new, mode)
                real.utime(new, ns=times_ns)
            finally:
                real.close(new)
            return
        self._undo.made(path)
        place.stamp(path, None if change.what == "link" else mode, times_ns)

    def _replace(self, change: _Change, before: os.stat_result) -> None:
        """Put another file in the place of one; whoever looks finds one or the other."""
        place, path = self._reach(), change.path
        aside = change.aside
        if change.content is not None:
            aside = self._undo.new_name()
            self._write_aside(aside, change.content, NEW)
        self._undo.note_parent(place, path)
        self._undo.keep_beside(place, path)
        make_like(place, path, aside, before)
        place.stamp(aside, change.mode & self._modes, (change.mtime_ns, change.mtime_ns))
        fd, name = place.at(path)
        real.rename(aside, name, src_dir_fd=place.fd, dst_dir_fd=fd)

    def _rewrite(self, change: _Change, before: os.stat_result) -> None:
        """Give a file another content; whoever has it open sees that."""
        place, path = self._reach(), change.path
        self._undo.note(place, path, before)
        fd, name = place.at(path)
        target = real.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=fd)
        try:
            if change.content is not None:
                self._write(target, path, change.content, before.st_size)
            else:
                self._write_from(target, path, change.aside)
            real.fchmod(target, change.mode & self._modes)
            real.utime(target, ns=(before.st_atime_ns, change.mtime_ns))
        finally:
            real.close(target)

    def _write(self, target: int, path: bytes, content: bytes, size: int) -> None:
        if size == len(content) and read_at(target, 0, size) == content:
            return
        self._undo.keep_content(self._reach(), path, target, size)
        write_at(target, 0, content)
        if size > len(content):
            real.ftruncate(target, len(content))

    def _write_from(self, target: int, path: bytes, aside: bytes) -> None:
        source = real.open(aside, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._reach().fd)
        try:
            if not is_same(source, target):
                self._undo.keep_content(self._reach(), path, target, real.fstat(target).st_size)
                copy(source, target)
        finally:
            real.close(source)

    def _let_in(self, path: bytes) -> None:
        """Make a directory such that its entries can be changed, as its owner can; its mode is set at the end."""
        place = self._reach()
        found = place.look(path)
        if found is not None and stat.S_ISDIR(found.st_mode) and found.st_mode & _OWNER != _OWNER:
            self._undo.note(place, path, found)
            place.stamp(path, stat.S_IMODE(found.st_mode) | _OWNER, (found.st_atime_ns, found.st_mtime_ns))

    def _make_directory(self, path: bytes, before: os.stat_result | None) -> None:
        place = self._reach()
        if before is not None and stat.S_ISDIR(before.st_mode):
            self._undo.note(place, path, before)
            return
        if before is not None:
            self._remove(path)
        self._undo.note_parent(place, path)
        fd, name = place.at(path)
        real.mkdir(name, _OWNER, dir_fd=fd)
        self._undo.made_directory(path)

    def _finish_directory(self, change: _Change) -> None:
        """Set mode and time, after those of all that is in it."""
        place = self._reach()
        found = place.look(change.path)
        if found is not None:
            was = stat.S_IMODE(found.st_mode)
            mode = change.mode & (self._modes | _OF_DIRECTORIES)
            if not (change.path or self._whole):
                mode |= was & _KEPT  # the root is the user's own
            place.stamp(change.path, None if mode == was else mode, (found.st_atime_ns, change.mtime_ns))

    def _remove(self, path: bytes) -> None:
        """Take away what is at a path, if anything is; a directory only if it is empty."""
        place = self._reach()
        found = place.look(path)
        if found is None:
            return
        self._undo.note_parent(place, path)
        if not stat.S_ISDIR(found.st_mode):
            self._undo.keep(place, path)
            return
        self._undo.note(place, path, found)
        fd, name = place.at(path)
        real.rmdir(name, dir_fd=fd)
        self._undo.removed_directory(path)


def _checked(path: Any) -> bytes:
    """Return a path inside of a root.

    Raises:
        ApplyError: it would lead out of it.
    """
    try:
        name: bytes = path.encode("utf-8", "surrogateescape")
    except (UnicodeEncodeError, AttributeError):
        raise ApplyError(repr(path).encode(), "the tape gives this as the name of a file, and it is none") from None
    if name and any(part in (b"", b".", b"..") or b"\0" in part for part in name.split(b"/")):
        raise ApplyError(name, "the tape names a file outside of its root, which no recording does")
    return name
