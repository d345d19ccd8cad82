"""What ``os.scandir`` gives: entries that answer as those of CPython do, from a listing that is on the tape."""

from __future__ import annotations

import os
import stat
import warnings
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, NoReturn


class Entry:
    """One entry of a directory; it passes for an ``os.DirEntry``, which nobody but CPython can make.

    Args:
        name: its name, text or bytes.
        path: its path, made of what was scanned.
        what: ``"file"``, ``"dir"``, ``"link"`` or another word.
        inode: its number.
        look: asks ``stat`` of it, following links or not.
    """

    __slots__ = ("_found", "_inode", "_look", "_what", "name", "path")

    def __init__(self, name: Any, path: Any, what: str, inode: int, look: Callable[[bool], os.stat_result]) -> None:
        self.name, self.path = name, path
        self._what, self._inode, self._look = what, inode, look
        self._found: dict[bool, os.stat_result] = {}

    @property  # type: ignore[misc]  # isinstance asks for it
    def __class__(self) -> Any:
        return os.DirEntry

    def __fspath__(self) -> Any:
        return self.path

    def __repr__(self) -> str:
        return f"<DirEntry {self.name!r}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("cannot pickle 'posix.DirEntry' object")

    def inode(self) -> int:
        """Return the number of its file."""
        return self._inode

    def is_symlink(self) -> bool:
        """Tell whether it is a symbolic link."""
        return self._what == "link"

    def is_junction(self) -> bool:
        """Tell that it is no such thing, which only Windows has."""
        return False

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """Tell whether it is a directory, or a link to one."""
        return self._is("dir", stat.S_IFDIR, follow_symlinks)

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        """Tell whether it is a regular file, or a link to one."""
        return self._is("file", stat.S_IFREG, follow_symlinks)

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Return what is known of it, asked once."""
        follow = bool(follow_symlinks) and self._what == "link"
        if follow not in self._found:
            self._found[follow] = self._look(follow)
        return self._found[follow]

    def _is(self, what: str, kind: int, follow: bool) -> bool:
        if not follow or self._what != "link":
            return self._what == what
        try:
            return stat.S_IFMT(self.stat().st_mode) == kind
        except FileNotFoundError:
            return False


class Scan:
    """The iterator that ``os.scandir`` gives."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries: Iterator[Entry] = iter(entries)
        self._closed = False

    def __iter__(self) -> Scan:
        return self

    def __next__(self) -> Entry:
        try:
            return next(self._entries)
        except StopIteration:
            self._closed = True
            raise

    def close(self) -> None:
        """Give nothing any more."""
        self._entries = iter(())
        self._closed = True

    def __del__(self) -> None:
        if not self._closed:
            warnings.warn(f"unclosed scandir iterator {self!r}", ResourceWarning, source=self)  # noqa: B028  # as CPython

    def __enter__(self) -> Scan:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def word_of(entry: os.DirEntry[Any]) -> str:
    """Return what an entry is, as the listing on the disk says."""
    if entry.is_symlink():
        return "link"
    if entry.is_dir(follow_symlinks=False):
        return "dir"
    return "file" if entry.is_file(follow_symlinks=False) else "other"


def kinds_of(answer: Any) -> dict[str, str]:
    """Return what each entry of a scanned directory is, by name, in the order of names.

    On a tape the words stand beside the names, not under them: what is named ``password`` there is redacted.
    """
    kinds = answer["kinds"]  # by name on tapes of a time when that was not so
    return dict(kinds) if isinstance(kinds, dict) else dict(zip(answer["names"], kinds, strict=True))
