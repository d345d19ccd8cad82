"""What a directory tree looks like, and what has changed in it since the last look, at the cost of the change alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import Final, NamedTuple

from testbench.inplace import real
from testbench.recorders.files._inotify import (
    CLOSE_WRITE,
    DELETE_SELF,
    IGNORED,
    IS_DIR,
    MODIFY,
    MOVE_SELF,
    NAMES,
    OVERFLOW,
    Inotify,
)

ROOT: Final = b""
"""The path of a tree within itself."""

_COARSE_NS: Final = 20_000_000
"""Kernels before Linux 6.13 stamp files with a clock that moves in steps up to this long."""


class Entry(NamedTuple):
    """How a file stands in a tree; another one stands there, or its content is another, if any of this differs."""

    mode: int
    ino: int
    size: int
    mtime_ns: int
    ctime_ns: int
    links: int


class Change(NamedTuple):
    """What became of one path.

    Attributes:
        before: how it stood there, None if it did not.
        after: how it stands there, None if it does not.
        kept: it is the same file, whatever became of it, and not another one of this name.
        written: its content may have changed; False if that is certain not to be.
    """

    before: Entry | None
    after: Entry | None
    kept: bool
    written: bool

    def swapped(self) -> Change:
        """Return what takes it back."""
        return self._replace(before=self.after, after=self.before)


class Tree:
    """One directory with all that is in it, on one file system.

    Args:
        root: its absolute path, without symbolic links.
        skip: absolute paths in it that are none of its business.
        inotify: tells of changes; None where the system has none to give: then everything is looked at, each time.

    Attributes:
        unread: directories that may not be listed.
    """

    def __init__(self, root: bytes, skip: frozenset[bytes], inotify: Inotify | None) -> None:
        self.root = root
        self.unread: set[bytes] = set()
        self._skip = skip
        self._prefix = root.rstrip(b"/") + b"/"
        self._inotify = inotify
        self._entries: dict[bytes, Entry] = {}
        self._watched: dict[int, bytes] = {}
        self._linked: set[bytes] = set()
        self._told: dict[int, dict[bytes, int]] = {}
        self._device = -1
        self._seen_ns = 0
        self._lost = True  # what the kernel told is not enough to know how it stands

    def tell(self, number: int, mask: int, name: bytes) -> None:
        """Be told by the kernel of a change in a directory; also of those that another tree watches."""
        if mask & OVERFLOW:
            self._lost = True
        elif number in self._watched:
            names = self._told.setdefault(number, {})
            names[name] = names.get(name, 0) | mask

    def update(self) -> dict[bytes, Change]:
        """Return what has changed since the last time, by path, parents before children."""
        told, self._told = self._told, {}
        dirty = {} if self._lost or self._inotify is None or self._root_differs() else self._dirty(told)
        changes = self._rescan() if self._lost or not self._watched else self._compare(dirty)
        for path, change in changes.items():
            self._set(path, change.after)
        self._seen_ns = real.time_ns()
        return dict(sorted(changes.items()))

    @property
    def is_new(self) -> bool:
        """Whether nobody has looked at it yet."""
        return not self._seen_ns

    def forget(self) -> None:
        """Watch it no longer."""
        self._lost = True
        if self._inotify is not None:
            for number in self._watched:
                self._inotify.remove(number)
        self._watched.clear()

    def path(self, inner: bytes) -> bytes:
        """Return the absolute path of a path in the tree."""
        return self._prefix + inner if inner else self.root

    # Everything is looked at.

    def _rescan(self) -> dict[bytes, Change]:
        self.forget()
        self.unread.clear()
        self._lost = False
        found, changes = dict(self._scan(ROOT)), {}
        for path in self._entries.keys() | found.keys():
            before, after = self._entries.get(path), found.get(path)
            if before != after or (after is not None and self._is_racy(after)):
                kept = before is not None and after is not None and before.ino == after.ino
                changes[path] = Change(before, after, kept, written=True)
        return changes

    def _is_racy(self, entry: Entry) -> bool:
        """Tell whether a file may have changed since the last look and show no other stamp."""
        return stat.S_ISREG(entry.mode) and entry.ctime_ns > self._seen_ns - _COARSE_NS

    def _scan(self, top: bytes) -> Iterator[tuple[bytes, Entry]]:
        """Give a path and all below it; from now on the kernel tells of changes there."""
        entry = self._look(top)
        if entry is None or (top == ROOT and not stat.S_ISDIR(entry.mode)):
            return
        yield top, entry
        waiting = [top] if stat.S_ISDIR(entry.mode) else []
        while waiting:
            directory = waiting.pop()
            self._watch(directory)
            for path, found, inside in self._list(directory):
                yield path, found
                if inside:
                    waiting.append(path)

    def _list(self, directory: bytes) -> Iterator[tuple[bytes, Entry, bool]]:
        prefix = directory + b"/" if directory else b""
        try:
            with real.scandir(self.path(directory)) as listing:
                for item in listing:
                    path = prefix + item.name
                    if self._skip and self.path(path) in self._skip:
                        continue
                    try:
                        found = item.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue  # a child that still runs has taken it away
                    yield path, _entry(found), stat.S_ISDIR(found.st_mode) and found.st_dev == self._device
        except FileNotFoundError:
            return
        except OSError:
            self.unread.add(directory)

    def _watch(self, directory: bytes) -> None:
        if self._inotify is None:
            return
        try:
            self._watched[self._inotify.add(self.path(directory))] = directory
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return  # what cannot be listed is noted where that is tried
        except OSError:  # too many are watched (inotify(7), max_user_watches)
            self.forget()
            self._inotify = None

    # Only what the kernel told of is looked at.

    def _root_differs(self) -> bool:
        before, now = self._entries.get(ROOT), self._look(ROOT)
        self._lost = before is None or now is None or before.ino != now.ino
        return self._lost

    def _dirty(self, told: dict[int, dict[bytes, int]]) -> dict[bytes, int]:
        """Return the paths of which the kernel told, each with what it told."""
        dirty: dict[bytes, int] = dict.fromkeys(self._linked, 0)  # it may be changed by a name elsewhere
        moved = []
        for number, names in told.items():
            directory = self._watched.get(number)
            if directory is None:
                continue
            for name, mask in names.items():
                path = directory + b"/" + name if directory and name else directory or name
                dirty[path] = dirty.get(path, 0) | mask
                if mask & NAMES:
                    dirty.setdefault(directory, 0)
                if mask & IS_DIR and mask & NAMES:
                    moved.append(path)
                elif mask & (IGNORED | DELETE_SELF | MOVE_SELF):
                    self._unwatched(number, directory)
        for path in moved:
            self._look_below(path, dirty)
        self._look_at_twins(dirty)
        return dirty

    def _look_at_twins(self, dirty: dict[bytes, int]) -> None:
        """Let all names of a file be dirty that has got another one: of that the kernel tells nobody else."""
        found = [self._look(path) for path, mask in dirty.items() if mask & NAMES]
        linked = {entry.ino for entry in found if entry is not None and entry.links > 1}
        if linked:
            for path, entry in self._entries.items():
                if entry.ino in linked:
                    dirty.setdefault(path, 0)

    def _unwatched(self, number: int, directory: bytes) -> None:
        """Be told that a directory is watched no longer, or not under this name: gone, or another in its place."""
        if directory == ROOT or self._look(directory) is not None:
            self._lost = True

    def _look_below(self, top: bytes, dirty: dict[bytes, int]) -> None:
        """Let everything be dirty that is in a directory which came, went or moved, or was in it."""
        below = top + b"/"
        gone = {number for number, path in self._watched.items() if path == top or path.startswith(below)}
        dirty.update((path, NAMES) for path in self._entries if path.startswith(below))
        for number in gone:
            del self._watched[number]
        if not (self._skip and self.path(top) in self._skip):
            dirty.update((path, NAMES) for path, _ in self._scan(top) if path != top)
        if self._inotify is not None:
            for number in gone - self._watched.keys():
                self._inotify.remove(number)

    def _compare(self, dirty: dict[bytes, int]) -> dict[bytes, Change]:
        changes = {}
        for path, mask in dirty.items():
            if self._skip and self.path(path) in self._skip:
                continue
            before, after = self._entries.get(path), self._look(path)
            told = bool(mask & (MODIFY | CLOSE_WRITE))
            if before != after or (told and after is not None):
                kept = before is not None and after is not None and before.ino == after.ino and not mask & NAMES
                changes[path] = Change(before, after, kept, told or not kept or not _is_alone(before, after))
        return changes

    def _look(self, path: bytes) -> Entry | None:
        try:
            found = real.lstat(self.path(path))
        except OSError:  # it is gone, or a directory on the way to it is no directory any more
            return None
        if path == ROOT:
            self._device = found.st_dev
        return _entry(found)

    def _set(self, path: bytes, entry: Entry | None) -> None:
        if entry is None:
            self._entries.pop(path, None)
            self._linked.discard(path)
            self.unread.discard(path)
            return
        self._entries[path] = entry
        if entry.links > 1 and stat.S_ISREG(entry.mode):
            self._linked.add(path)
        else:
            self._linked.discard(path)


def _is_alone(before: Entry | None, after: Entry | None) -> bool:
    """Tell whether a file has no other name, by which it may have been written to without a word from the kernel."""
    return before is not None and after is not None and before.links == after.links == 1 and before.size == after.size


def _entry(found: os.stat_result) -> Entry:
    directory = stat.S_ISDIR(found.st_mode)
    size, links = (0, 1) if directory else (found.st_size, found.st_nlink)
    # What of a directory changes with its entries is those entries' affair, except for its times.
    return Entry(found.st_mode, found.st_ino, size, found.st_mtime_ns, 0 if directory else found.st_ctime_ns, links)
