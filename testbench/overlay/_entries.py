"""What `os.scandir` gives within an overlay: entries that are called as the program calls them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from types import TracebackType
from typing import Any


class Entry:
    """One entry, with all that an `os.DirEntry` has; links are followed where the program sees them lead.

    Args:
        entry: as the system gives it.
        path: what the program calls it.
    """

    __slots__ = ("_entry", "name", "path")

    def __init__(self, entry: os.DirEntry[Any], path: Any) -> None:
        self._entry, self.name, self.path = entry, entry.name, path

    @property  # type: ignore[misc]  # isinstance asks for it
    def __class__(self) -> Any:
        return os.DirEntry

    def __fspath__(self) -> Any:
        return self.path

    def __repr__(self) -> str:
        return f"<DirEntry {self.name!r}>"

    def inode(self) -> int:
        """See `os.DirEntry.inode`."""
        return self._entry.inode()

    def is_symlink(self) -> bool:
        """See `os.DirEntry.is_symlink`."""
        return self._entry.is_symlink()

    def is_junction(self) -> bool:
        """See `os.DirEntry.is_junction`: there is no such thing."""
        return False

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """See `os.DirEntry.is_dir`."""
        if follow_symlinks and self._entry.is_symlink():
            return stat.S_ISDIR(self._mode_behind())
        return self._entry.is_dir(follow_symlinks=False)

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        """See `os.DirEntry.is_file`."""
        if follow_symlinks and self._entry.is_symlink():
            return stat.S_ISREG(self._mode_behind())
        return self._entry.is_file(follow_symlinks=False)

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """See `os.DirEntry.stat`."""
        if follow_symlinks and self._entry.is_symlink():
            return os.stat(self.path)
        return self._entry.stat(follow_symlinks=False)

    def _mode_behind(self) -> int:
        try:
            return os.stat(self.path).st_mode
        except FileNotFoundError:
            return 0  # as os.DirEntry: what is not there is neither


class Listing:
    """What stands for the iterator of `os.scandir`.

    Args:
        listing: as the system gives it.
        path: what the program asked for.
    """

    def __init__(self, listing: Any, path: Any) -> None:
        self._listing = listing
        self._path = path

    def __iter__(self) -> Iterator[Entry]:
        return self

    def __next__(self) -> Entry:
        entry = next(self._listing)
        return Entry(entry, os.path.join(self._path, entry.name))

    def __enter__(self) -> Listing:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """See `os.scandir`."""
        self._listing.close()
