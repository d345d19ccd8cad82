"""Events about files: what is read and written where it is neither the program's own nor installed."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final

from testbench.protocol import Plain
from testbench.recorders._asker import program_asks
from testbench.recorders.audit._frames import crossing_frame, is_importing
from testbench.recorders.audit._left import LeftByChildren
from testbench.recorders.audit._paths import Paths, is_directory, path_behind, text_of
from testbench.where import user_frame

Report = Callable[[str, Plain], None]

_PASSING: Final = frozenset(f"testbench.recorders.files.{name}" for name in ("_opening", "_reads", "_lookups"))
"""Modules of ours that open for the program, where that is none of their business: for writing, say."""
_LOADING: Final = frozenset(("ctypes", "testbench.recorders._foreign"))

_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_SHARED: Final = "/dev/shm/"
_LIBC: Final = ("libc.", "libm.", "libdl.", "libpthread.", "librt.", "libpython")


class FileEvents:
    """What is reported of files in one session.

    Args:
        report: reports a leak that a replay lets happen.
        paths: which files need no report.
        left: which files a child has left.
        left_report: reports one of those.
        passing: tells that what happens now is no leak of anybody's; asked last, since files are opened all the time.
    """

    def __init__(
        self, report: Report, paths: Paths, left: LeftByChildren, left_report: Report, passing: Callable[[], bool]
    ) -> None:
        self._report = report
        self._paths = paths
        self._left = left
        self._left_report = left_report
        self._passing = passing

    def opened(self, path: Any, _: Any, flags: Any) -> None:
        """Look at ``open``."""
        written = bool(flags & _WRITES) if isinstance(flags, int) else False
        if written:
            self._left.changes(text_of(path))
        elif self._left.may_be:
            self._look_left(text_of(path))
        if type(path) is not str or ".." in path or not path.startswith(self._paths.written):
            self._look("write" if written else "read", text_of(path), written=written, opened=True)

    def listed(self, path: Any = None, *_: Any) -> None:
        """Look at ``os.listdir``, ``os.scandir``, ``os.getxattr``, ``os.listxattr``."""
        where = path_behind(path) if isinstance(path, int) else "." if path is None else text_of(path)
        if self._left.may_be:
            self._look_left(where)
        self._look("read", where, written=False)

    def changed(self, path: Any, *rest: Any) -> None:
        """Look at what changes one file; the last argument may be the descriptor of the directory that it is in."""
        where = _within(path, rest[-1] if rest else -1)
        self._left.changes(where)
        self._look("write", where, written=True)

    def removed(self, path: Any, directory: Any = -1) -> None:
        """Look at ``os.remove`` and ``os.rmdir``."""
        where = _within(path, directory)
        self._left.removes(where)
        self._look("write", where, written=True)

    def truncated(self, path: Any, *_: Any) -> None:
        """Look at ``os.truncate``, ``os.setxattr`` and ``os.removexattr``, which are given no directory."""
        self._left.changes(text_of(path))
        self._look("write", text_of(path), written=True)

    def moved(self, source: Any, target: Any, source_dir: Any = -1, target_dir: Any = -1) -> None:
        """Look at ``os.rename`` and ``os.link``."""
        self._left.moves(_within(source, source_dir), _within(target, target_dir))
        self._look("write", _within(source, source_dir), written=True)
        self._look("write", _within(target, target_dir), written=True)

    def linked(self, _: Any, path: Any, directory: Any = -1) -> None:
        """Look at ``os.symlink``, for which it is of no account where the link leads to."""
        self._left.changes(_within(path, directory))
        self._look("write", _within(path, directory), written=True)

    def database(self, path: Any, *_: Any) -> None:
        """Look at ``sqlite3.connect``."""
        text = text_of(path)
        if text.startswith("file:"):
            text = text[5:].partition("?")[0]
        if text not in ("", ":memory:"):
            self._left.changes(text)
            self._look("database", text, written=False)

    def locked(self, file: Any, *_: Any) -> None:
        """Look at ``fcntl.flock``, ``fcntl.lockf`` and ``os.lockf``: another process may hold the lock."""
        if isinstance(file, int) and (path := path_behind(file)):
            self._look("lock", path, written=True)

    def mapped(self, file: Any, *_: Any) -> None:
        """Look at ``mmap``: of memory that has a name, other processes may have a part."""
        path = path_behind(file) if isinstance(file, int) and file >= 0 else ""
        if path.startswith(_SHARED) and self._is_asked_for():
            self._report("shared_memory", {"path": path})

    def library(self, path: Any, *_: Any) -> None:
        """Look at ``ctypes.dlopen``; the functions of the C library that cross something are watched by name."""
        text = text_of(path)
        if text and not os.path.basename(text).startswith(_LIBC) and self._is_asked_for(_LOADING):
            self._report("c_library", {"library": text})

    def logged(self, *_: Any) -> None:
        """Look at ``syslog.syslog``."""
        if self._is_asked_for():
            self._report("log", {})

    def extension(self, _: Any, path: Any = "", *__: Any) -> None:
        """Look at ``sqlite3.load_extension``."""
        self.library(path)

    def _look_left(self, path: str) -> None:
        left = self._left.left(path) if path else ""
        if left and self._is_asked_for():
            self._left_report("left_by_child", {"path": left})

    def _look(self, op: str, path: str, *, written: bool, opened: bool = False) -> None:
        if path and not self._paths.own(path, written=written) and self._is_asked_for():
            user = user_frame(crossing_frame())
            found = self._paths.found(path, "<" if user is None else user.f_code.co_filename, written=written)
            if found and not (opened and is_directory(found)):  # what is in one, a listing looks at
                self._report(op, {"path": found})

    def _is_asked_for(self, beside: frozenset[str] = _PASSING) -> bool:
        """Tell whether it is done for the program: not by ourselves, nor by a test runner, nor to import a module."""
        if self._passing():
            return False
        frame = crossing_frame(beside=beside)
        return frame is not None and program_asks(frame) and not is_importing(frame)


def _within(path: Any, directory: Any) -> str:
    text = text_of(path)
    if isinstance(directory, int) and directory >= 0 and text[:1] != "/":
        return os.path.join(path_behind(directory), text)
    return text
