"""What the program itself reads: opening, ``stat`` and its kin, listings; each an event of its own.

Ops ``open``, ``more``, ``update``: see `testbench.recorders.files._opening`. ``stat``, ``lstat``, ``fstat``,
``access``, ``readlink``, ``statvfs``, ``listxattr``, ``getxattr``, ``listdir``, ``scandir``: what the disk said, in the
order in which it said it, also that there is no such file, or that it may not be read.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final

from testbench.inplace import Redirect
from testbench.protocol import Call, Plain
from testbench.recorders._whose import program_asks
from testbench.recorders.files._answers import Asking, as_listed, ask_stat, asking, comparing, listed, said
from testbench.recorders.files._caches import forget
from testbench.recorders.files._databases import watch_databases
from testbench.recorders.files._drift import Drift
from testbench.recorders.files._given import as_given, number
from testbench.recorders.files._listing import Entry, Scan, kinds_of, word_of
from testbench.recorders.files._opening import Opening
from testbench.recorders.files._policy import Policy, text
from testbench.recorders.files._served import Served

_ON_LINUX: Final = ("listxattr", "getxattr")


class Reads:
    """The reads of the program, for one session.

    Args:
        call: the waist.
        policy: which paths they are recorded of.
        observed: what is read is compared with the disk, instead of taken from the tape.
    """

    def __init__(self, call: Call, policy: Policy, *, observed: bool) -> None:
        self._call = call
        self._policy = policy
        self._served = Served()
        drift = Drift(call) if observed else None
        self._ask: Asking = asking(call) if drift is None else comparing(call, drift)
        self._opening = Opening(call, self._named, self._served, drift)

    def install(self, stack: ExitStack) -> None:
        """Redirect the functions until the stack is closed."""
        forget(self._policy.covers)
        made: dict[str, Callable[[Callable[..., Any]], Callable[..., Any]]] = {
            "stat": self._stat,
            "lstat": self._stat,
            "fstat": self._fstat,
            "access": self._access,
            "readlink": self._readlink,
            "listdir": self._listdir,
            "scandir": self._scandir,
            "statvfs": self._statvfs,
            "fstatvfs": self._statvfs,
            **{name: self._attributes for name in _ON_LINUX if hasattr(os, name)},
        }
        for name, make in made.items():
            redirect = Redirect(getattr(os, name))
            stack.callback(redirect.restore)
            redirect.to(as_given(make(redirect.original)))
            if name == "stat":
                watch_databases(self._call, self._named, redirect.original, stack)
        self._opening.install(stack)

    def _named(self, path: Any, dir_fd: Any) -> str | None:
        """Return the path of a read as text; None if it is not the program's, or of no path that is recorded."""
        try:
            name = self._text_of(path)
            if name is None or (dir_fd is not None and not name.startswith("/")):
                folder = self._served.name_of(dir_fd)
                if name is None or folder is None:
                    return None
                name = os.path.join(folder, name)
        except (TypeError, ValueError):
            return None  # CPython says what is wrong with it
        covered = self._policy.covers(name) and self._call.follows() and not self._call.inside() and program_asks()
        return name if covered else None

    def _text_of(self, path: Any) -> str | None:
        if type(path) is int:
            return self._served.name_of(path)
        given = path if isinstance(path, str | bytes) else os.fspath(path)
        return str(given) if isinstance(given, str) else text(given)

    # What is asked.

    def _stat(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def stat(path: Any, **options: Any) -> Any:
            name = self._named(path, options.get("dir_fd"))
            return original(path, **options) if name is None else ask_stat(self._ask, original, name, path, options)

        return stat

    def _fstat(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def fstat(fd: Any) -> Any:
            name = self._named(fd, None) if type(fd) is int else None
            return original(fd) if name is None else ask_stat(asking(self._call), original, name, fd, {})

        return fstat

    def _access(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def access(path: Any, mode: Any, **options: Any) -> Any:
            name = self._named(path, options.get("dir_fd"))
            if name is None:
                return original(path, mode, **options)
            request: Plain = {"path": name, "mode": number(mode), "options": said(options)}
            return self._ask("access", request, lambda: original(path, mode, **options))

        return access

    def _readlink(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def readlink(path: Any, **options: Any) -> Any:
            name = self._named(path, options.get("dir_fd"))
            if name is None:
                return original(path, **options)
            request: Plain = {"path": name, "mode": None, "options": {}}
            return _like(path, self._ask("readlink", request, lambda: _plain(original(path, **options))))

        return readlink

    def _attributes(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def attributes(path: Any = None, *args: Any, **options: Any) -> Any:
            name = self._named("." if path is None else path, None)
            if name is None:
                return original(path, *args, **options)
            request: Plain = {"path": name, "names": [_plain(arg) for arg in args], "options": said(options)}
            return self._ask(original.__name__, request, lambda: original(path, *args, **options))

        return attributes

    def _statvfs(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def statvfs(path: Any) -> Any:
            name = self._named(path, None)
            if name is None:
                return original(path)

            def effect() -> Plain:
                _, (fields, more) = original(path).__reduce__()
                return {"numbers": [list(fields), more]}

            return os.statvfs_result(*self._ask("statvfs", {"path": name}, effect)["numbers"])

        return statvfs

    # What is listed.

    def _listdir(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def listdir(path: Any = None) -> Any:
            name = self._named("." if path is None else path, None)
            if name is None:
                return original(path)

            def effect() -> Plain:
                found = map(_plain, original(path))
                return listed([entry for entry in found if not self._policy.is_tape(name, entry)])

            return [_like(path, found) for found in as_listed(self._ask("listdir", {"path": name}, effect))]

        return listdir

    def _scandir(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def scandir(path: Any = None) -> Any:
            name = self._named("." if path is None else path, None)
            if name is None:
                return original(path)
            answer = self._ask("scandir", {"path": name}, lambda: self._entries(original, path, name))
            folder, at = (None, path) if type(path) is int else ("." if path is None else os.fspath(path), None)
            kinds, inodes = kinds_of(answer), answer["numbers"][1]
            found = zip(as_listed(answer), inodes, strict=True)
            return Scan([_entry(folder, at, entry, kinds[entry], inode) for entry, inode in found])

        return scandir

    def _entries(self, original: Callable[..., Any], path: Any, name: str) -> Plain:
        with original(path) as scan:
            found = {_plain(entry.name): entry for entry in scan}
        names = [entry for entry in found if not self._policy.is_tape(name, entry)]
        inodes = [found[entry].inode() for entry in names]
        return {"kinds": [word_of(found[entry]) for entry in sorted(names)], **listed(names, inodes)}


def _entry(folder: Any, at: int | None, name: str, what: str, inode: int) -> Entry:
    called = _like(folder, name)
    if folder is None:
        return Entry(called, called, what, inode, lambda follow: os.stat(called, dir_fd=at, follow_symlinks=follow))
    path = os.path.join(folder, called)
    return Entry(called, path, what, inode, lambda follow: os.stat(path, follow_symlinks=follow))


def _plain(found: Any) -> Any:
    """Return a name as it stands on a tape."""
    return text(found) if isinstance(found, bytes) else str(found)


def _like(path: Any, name: str) -> Any:
    """Return a name of the tape as bytes where bytes were asked."""
    given = os.fspath(path) if isinstance(path, os.PathLike) else path
    return name.encode("utf-8", "surrogateescape") if isinstance(given, bytes) else name
