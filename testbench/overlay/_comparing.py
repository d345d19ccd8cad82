"""What differs between the root and the view of an overlay, and whether the root is still what it was."""

from __future__ import annotations

import os
import stat
from collections.abc import Container, Iterable, Iterator
from typing import Final

from testbench.errors import OverlayError
from testbench.inplace import real
from testbench.recorders.files._content import is_same
from testbench.recorders.files._tree import Change, Entry, Tree

_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_COARSE_NS: Final = 20_000_000
"""Kernels before Linux 6.13 stamp files with a clock that moves in steps up to this long."""

Entries = dict[bytes, Entry]


def entries(tree: Tree) -> Entries:
    """Return what is in a tree that nobody has looked at yet.

    Raises:
        OverlayError: a directory in it may not be listed.
    """
    found = {path: change.after for path, change in tree.update().items() if change.after is not None}
    for path in sorted(tree.unread):
        raise OverlayError(
            f"the directory {os.fsdecode(path)!r} in the overlay may not be listed, so nobody knows what is in it; "
            "make it readable",
            os.fsdecode(path),
        )
    return found


class Comparison:
    """Compares the view with the root, from a moment when both were the same: this one.

    Args:
        root: the root, absolute.
        view: the view, absolute.
        before: what was in the root when it was copied.
    """

    def __init__(self, root: bytes, view: bytes, before: Entries) -> None:
        self.root, self.view = root, view
        self._before = before
        self._same = entries(self._tree())
        self._same_ns = real.time_ns()
        self._by_ino: dict[int, bytes] | None = None

    def changes(self) -> tuple[Tree, dict[bytes, Change]]:
        """Return the view, and what is another there than in the root, by path, parents before children.

        Raises:
            OverlayError: the root has changed meanwhile where the view has; or something cannot be read.
        """
        tree = self._tree()
        now = entries(tree)
        found = {}
        for path in sorted(self._touched(now)):
            change = self._change(path, self._before.get(path), now.get(path))
            if change is not None:
                self._check_root(path)
                found[path] = change
        return tree, found

    def look_again(self, paths: Iterable[bytes]) -> None:
        """Know the root anew where it was changed and brought back: by that files and directories get new numbers.

        Args:
            paths: where; what is not as it was there stays known as it was.
        """
        for path in {*paths, *(path for path, entry in self._before.items() if entry.links > 1)}:
            before, now = self._before.get(path), _look(_in(self.root, path))
            if (
                before is not None
                and now is not None
                and before == now._replace(ino=before.ino, ctime_ns=before.ctime_ns)
            ):
                self._before[path] = now

    def moved(self, after: Entry, gone: Container[bytes]) -> bytes | None:
        """Return which of the paths that are gone had the file that is now elsewhere in the view; None for no one."""
        if self._by_ino is None:
            self._by_ino = {entry.ino: path for path, entry in self._same.items() if stat.S_ISREG(entry.mode)}
        path = self._by_ino.get(after.ino)
        return path if path in gone else None

    def is_same_content(self, old: bytes, new: bytes) -> bool:
        """Tell whether a file of the root has the content of one in the view."""
        left = self._opened(self.root, old)
        try:
            right = self._opened(self.view, new)
            try:
                return is_same(left, right)
            finally:
                real.close(right)
        finally:
            real.close(left)

    def _tree(self) -> Tree:
        return Tree(self.view, frozenset(), None)

    def _touched(self, now: Entries) -> Iterator[bytes]:
        """Give the paths that may be others than they were."""
        same, since_ns = self._same, self._same_ns - _COARSE_NS
        for path, entry in now.items():
            if same.get(path) != entry or (entry.ctime_ns > since_ns and stat.S_ISREG(entry.mode)):
                yield path
        yield from same.keys() - now.keys()

    def _change(self, path: bytes, before: Entry | None, after: Entry | None) -> Change | None:
        if before is None or after is None or stat.S_IFMT(before.mode) != stat.S_IFMT(after.mode):
            return None if before is after else Change(before, after, kept=False, written=True)
        written = False
        if stat.S_ISREG(after.mode):
            written = before.size != after.size or not self.is_same_content(path, path)
        elif stat.S_ISLNK(after.mode):
            written = real.readlink(_in(self.root, path)) != real.readlink(_in(self.view, path))
        if not written and before.mode == after.mode and before.mtime_ns == after.mtime_ns:
            return None
        return Change(before, after, kept=before.links > 1, written=written)

    def _check_root(self, path: bytes) -> None:
        """See that the root still is at a path what it was.

        Raises:
            OverlayError: it is not.
        """
        before, now = self._before.get(path), _look(_in(self.root, path))
        if before is not None and now is not None and stat.S_ISDIR(before.mode):
            before, now = (entry._replace(mtime_ns=0) for entry in (before, now))  # another may have got a new entry
        if before != now:
            where = os.fsdecode(_in(self.root, path))
            raise OverlayError(
                f"{where!r} is another than when the overlay began ({_said(before)} then, {_said(now)} now), and "
                "the overlay has changed it too. Nothing was touched. Bring it back as it was, or close the overlay "
                "without applying it.",
                os.fsdecode(path),
            )

    def _opened(self, top: bytes, path: bytes) -> int:
        where = _in(top, path)
        try:
            return real.open(where, _READ)
        except OSError as error:
            raise OverlayError(
                f"{os.fsdecode(where)!r} cannot be read to compare it: {error.strerror}; make it readable",
                os.fsdecode(path),
            ) from error


def _in(top: bytes, path: bytes) -> bytes:
    return top + b"/" + path if path else top


def _look(path: bytes) -> Entry | None:
    try:
        found = real.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    directory = stat.S_ISDIR(found.st_mode)
    size, links = (0, 1) if directory else (found.st_size, found.st_nlink)
    return Entry(found.st_mode, found.st_ino, size, found.st_mtime_ns, 0 if directory else found.st_ctime_ns, links)


def _said(entry: Entry | None) -> str:
    if entry is None:
        return "nothing"
    return f"mode {stat.filemode(entry.mode)}, {entry.size} bytes, changed at {entry.ctime_ns or entry.mtime_ns} ns"
