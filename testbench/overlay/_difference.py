"""What an overlay has changed, as data: a list of changes, each with what was there and what is there."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import Final, Literal

import attrs

from testbench.errors import OverlayError
from testbench.inplace import real
from testbench.overlay._comparing import Comparison
from testbench.recorders.files._content import read_at
from testbench.recorders.files._tree import Change as Found
from testbench.recorders.files._tree import Entry

_KINDS: Final = {
    stat.S_IFREG: "file",
    stat.S_IFLNK: "link",
    stat.S_IFDIR: "directory",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
}
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


@attrs.frozen
class State:
    """How something stands at a path.

    Attributes:
        kind: ``file``, ``link``, ``directory``, ``fifo`` or ``socket``.
        mode: its permissions, as `os.chmod` takes them.
        size: of a file, in bytes; 0 of what has no content.
    """

    kind: str
    mode: int
    size: int
    _where: bytes = attrs.field(repr=False)
    _entry: Entry = attrs.field(repr=False)

    def content(self) -> bytes:
        """Return the content of a file, or where a link leads; nothing for what has none.

        Raises:
            OverlayError: it is not there any more, or another: the overlay was applied, discarded or closed.
        """
        if self.kind not in ("file", "link"):
            return b""
        try:
            found = real.lstat(self._where)
            if (found.st_ino, found.st_ctime_ns) == (self._entry.ino, self._entry.ctime_ns):
                return real.readlink(self._where) if self.kind == "link" else _content(self._where, found.st_size)
        except OSError as error:
            raise self._gone(str(error.strerror)) from error
        raise self._gone("it has changed since")

    def _gone(self, why: str) -> OverlayError:
        where = os.fsdecode(self._where)
        return OverlayError(f"the content of {where!r} cannot be read: {why}; ask for the diff again", where)


@attrs.frozen
class Change:
    """One path that an overlay has changed.

    Attributes:
        path: in the root; names that are no UTF-8 have lone surrogates, as Python decodes them.
        what: ``added``, ``deleted``, ``modified`` or ``renamed``.
        before: how it stood, None if nothing was there; of something renamed, at its old path.
        after: how it stands, None if nothing is there.
        old_path: where something renamed was; None for all else.
    """

    path: str
    what: Literal["added", "deleted", "modified", "renamed"]
    before: State | None
    after: State | None
    old_path: str | None = None


class Diff(tuple[Change, ...]):
    """All that an overlay has changed, by path; renamed files whose content is the same are one change.

    Only times that are others are no change.
    """

    __slots__ = ()

    def patch(self) -> bytes:
        """Return it as a patch that ``git apply`` takes.

        It has all that git knows of files: contents to the byte, binary or not, links, names, and whether a file can be
        executed. What git does not know (empty directories, other permissions, fifos, sockets, what is in ``.git``) is
        listed in its first lines, after ``#``.

        Raises:
            OverlayError: a content is not there any more; or too large for git, which takes less than 1 GiB.
        """
        from testbench.overlay._patch import patch  # most overlays are never asked for one

        return patch(self)


def difference(comparison: Comparison, found: dict[bytes, Found]) -> Diff:
    """Return what differs, from a comparison."""
    made = [_change(comparison, path, change) for path, change in found.items() if path and not _is_time_only(change)]
    return Diff(_with_renames(comparison, made, found))


def _is_time_only(change: Found) -> bool:
    before, after = change.before, change.after
    return before is not None and after is not None and not change.written and before.mode == after.mode


def _change(comparison: Comparison, path: bytes, found: Found) -> Change:
    before = None if found.before is None else _state(comparison.root, path, found.before)
    after = None if found.after is None else _state(comparison.view, path, found.after)
    return Change(
        os.fsdecode(path), "added" if before is None else "deleted" if after is None else "modified", before, after
    )


def _state(top: bytes, path: bytes, entry: Entry) -> State:
    kind = _KINDS[stat.S_IFMT(entry.mode)]
    return State(kind, stat.S_IMODE(entry.mode), entry.size, top + b"/" + path, entry)


def _with_renames(comparison: Comparison, made: list[Change], found: dict[bytes, Found]) -> Iterator[Change]:
    """Give the changes, where a file that is gone and the same file under another name are one."""
    gone = {os.fsencode(change.path): change for change in made if change.what == "deleted"}
    renamed: dict[str, Change] = {}
    for change in made:
        after = found[os.fsencode(change.path)].after
        if change.what == "added" and after is not None and stat.S_ISREG(after.mode):
            old = comparison.moved(after, gone)
            if old is not None and comparison.is_same_content(old, os.fsencode(change.path)):
                source = gone.pop(old)
                renamed[change.path] = attrs.evolve(change, what="renamed", before=source.before, old_path=source.path)
    taken = {change.old_path for change in renamed.values()}
    for change in made:
        if change.path not in taken or change.what != "deleted":
            yield renamed.get(change.path, change)


def _content(path: bytes, size: int) -> bytes:
    fd = real.open(path, _READ)
    try:
        return read_at(fd, 0, size)
    finally:
        real.close(fd)
