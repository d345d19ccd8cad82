"""The functions of Python that take a path, redirected so that those in the root lead into the view."""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import Any, Final

from testbench.inplace import Redirect, hash_again, real
from testbench.overlay._entries import Listing
from testbench.overlay._ground import Ground
from testbench.overlay._guard import PASSING, passing
from testbench.recorders.files._uri import Uri

_LOOKS: Final = ("stat", "access", "listdir", "statvfs", "pathconf", "getxattr", "listxattr")
"""They look at what is at their first argument, links followed if not told otherwise."""

_CHANGES: Final = ("mkdir", "mkfifo", "mknod", "rmdir", "unlink", "remove", "lchown")
"""They make, take away or change what is at their first argument, no link at its end followed."""

_FOLLOWS: Final = ("chmod", "chown", "truncate", "utime", "setxattr", "removexattr")
"""They change what is at their first argument, links followed if not told otherwise."""

_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_AT_LINK: Final = os.O_NOFOLLOW | os.O_EXCL

_READ_MODES: Final = ("r", "rb", "rt", "br", "tr")
_OPENER: Final = 5
"""So many arguments stand between mode and opener of `open`."""

_URI: Final = 6
"""So many arguments stand between the database and ``uri`` of `sqlite3.connect`."""

Function = Callable[..., Any]


class Redirects:
    """All of them, for one overlay.

    Args:
        ground: where paths lead.
    """

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Redirect them while the body runs."""
        with ExitStack() as stack:
            stack.callback(hash_again)
            for names, body in ((_LOOKS, self._look), (_CHANGES, self._change), (_FOLLOWS, self._follow)):
                for name in names:
                    self._to(stack, getattr(os, name), body)
            self._to(stack, os.chdir, self._enter)
            self._to(stack, os.lstat, self._at_link)
            self._to(stack, os.readlink, self._readlink)
            self._to(stack, os.scandir, self._scandir)
            self._to(stack, os.symlink, self._symlink)
            for function in (os.link, os.rename, os.replace):
                self._to(stack, function, self._two)
            self._to(stack, os.getcwd, lambda original: lambda: self._ground.named(original()))
            self._to(
                stack, os.getcwdb, lambda original: lambda: os.fsencode(self._ground.named(os.fsdecode(original())))
            )
            opened = self._to(stack, os.open, self._os_open)
            opening = Redirect(io.open)
            stack.callback(opening.restore)
            opening.to(self._open(opening.original, opened))  # who opens says what the program gave
            self._to(stack, io.open_code, self._first)
            self._install_databases(stack)
            hash_again()
            yield

    def _install_databases(self, stack: ExitStack) -> None:
        """Redirect what opens databases in C, where it is there."""
        for module, name in (("_sqlite3", "connect"), ("_gdbm", "open"), ("_dbm", "open")):
            try:
                found = getattr(import_module(module), name)
            except ImportError:
                continue
            self._to(stack, found, self._database)

    def _to(self, stack: ExitStack, function: Function, body: Callable[[Function], Function]) -> Function:
        """Replace a function until the stack is closed; return what it was."""
        redirect = Redirect(function)
        stack.callback(redirect.restore)
        redirect.to(_with_given_names(body(redirect.original)))
        return redirect.original

    # Bodies: what a function is replaced by, from what it was.

    def _look(self, original: Function) -> Function:
        found, resolved = self._ground.found, self._ground.resolved

        def look(path: Any = ".", *args: Any, **options: Any) -> Any:
            dir_fd = options.pop("dir_fd", None)
            if options.get("follow_symlinks", True):
                there = found(path, dir_fd)
            else:
                there = resolved(path, dir_fd, follow=False)
            return original(there, *args, **_with(dir_fd, there, path, options))

        return look

    def _at_link(self, original: Function) -> Function:
        resolved = self._ground.resolved

        def lstat(path: Any, **options: Any) -> Any:
            dir_fd = options.pop("dir_fd", None)
            there = resolved(path, dir_fd, follow=False)
            return original(there, **_with(dir_fd, there, path, options))

        return lstat

    def _readlink(self, original: Function) -> Function:
        ground = self._ground

        def readlink(path: Any, **options: Any) -> Any:
            dir_fd = options.pop("dir_fd", None)
            there = ground.resolved(path, dir_fd, follow=False)
            target = original(there, **_with(dir_fd, there, path, options))
            return ground.named(target) if isinstance(target, str) else os.fsencode(ground.named(os.fsdecode(target)))

        return readlink

    def _scandir(self, original: Function) -> Function:
        found = self._ground.found

        def scandir(path: Any = None) -> Any:
            if isinstance(path, int):
                return original(path)
            named = "." if path is None else os.fspath(path)
            return Listing(original(found(named)), named)

        return scandir

    def _enter(self, original: Function) -> Function:
        resolved = self._ground.resolved
        return lambda path: original(resolved(path, enters=True))

    def _change(self, original: Function) -> Function:
        return self._changing(original, follow=False)

    def _follow(self, original: Function) -> Function:
        return self._changing(original, follow=True)

    def _changing(self, original: Function, *, follow: bool) -> Function:
        resolved = self._ground.resolved

        def change(path: Any, *args: Any, **options: Any) -> Any:
            dir_fd = options.pop("dir_fd", None)
            there = resolved(path, dir_fd, follow=follow and options.get("follow_symlinks", True), writes=True)
            return original(there, *args, **_with(dir_fd, there, path, options))

        return change

    def _two(self, original: Function) -> Function:
        resolved = self._ground.resolved

        def two(src: Any, dst: Any, *, src_dir_fd: Any = None, dst_dir_fd: Any = None, **options: Any) -> Any:
            old = resolved(src, src_dir_fd, follow=False, writes=original.__name__ != "link")
            new = resolved(dst, dst_dir_fd, follow=False, writes=True)
            if src_dir_fd is not None and old is src:
                options["src_dir_fd"] = src_dir_fd
            if dst_dir_fd is not None and new is dst:
                options["dst_dir_fd"] = dst_dir_fd
            if isinstance(old, str | bytes | os.PathLike) and self._ground.is_apart(old, new):
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), src, None, dst)
            return original(old, new, **options)

        return two

    def _symlink(self, original: Function) -> Function:
        resolved = self._ground.resolved

        def symlink(src: Any, dst: Any, *args: Any, dir_fd: Any = None, **options: Any) -> Any:
            there = resolved(dst, dir_fd, follow=False, writes=True)
            return original(src, there, *args, **_with(dir_fd, there, dst, options))

        return symlink

    def _os_open(self, original: Function) -> Function:
        ground = self._ground

        def open(path: Any, flags: Any, mode: Any = 0o777, *, dir_fd: Any = None) -> Any:
            if isinstance(flags, int) and flags & (_WRITES | _AT_LINK):
                at_link = flags & os.O_NOFOLLOW or (flags & os.O_CREAT and flags & os.O_EXCL)
                there = ground.resolved(path, dir_fd, follow=not at_link, writes=bool(flags & _WRITES))
            else:
                there = ground.found(path, dir_fd)
            fd = original(there, flags, mode, **_with(dir_fd, there, path, {}))
            if stat.S_ISDIR(real.fstat(fd).st_mode):
                self._check_entering(fd, path, dir_fd)
            return fd

        return open

    def _check_entering(self, fd: int, path: Any, dir_fd: int | None) -> None:
        """See that the directory of a descriptor may be one that paths start from.

        Raises:
            OSError: a link or ``..`` leads to it out of the root; it is closed.
        """
        try:
            self._ground.resolved(path, dir_fd, enters=True)
        except BaseException:
            real.close(fd)
            raise

    def _open(self, original: Function, os_open: Function) -> Function:
        ground = self._ground
        reading = ground.reader(os_open)

        def open(file: Any, mode: Any = "r", *args: Any, **options: Any) -> Any:
            if type(file) is not str or "opener" in options or len(args) > _OPENER:
                if isinstance(file, int) or options.get("opener") is not None or len(args) > _OPENER:
                    with passing():
                        return original(file, mode, *args, **options)  # an opener calls os.open
                options.pop("opener", None)
            if mode in _READ_MODES:
                ident = real.get_ident()  # as `passing`, which takes longer
                PASSING.add(ident)
                try:
                    return original(file, mode, *args, opener=reading, **options)
                finally:
                    PASSING.discard(ident)

            def writing(path: Any, flags: int) -> int:
                try:
                    return int(os_open(ground.resolved(path, follow=not flags & os.O_EXCL, writes=True), flags, 0o666))
                except OSError as error:
                    error.filename = path
                    raise

            with passing():
                return original(file, mode, *args, opener=writing, **options)

        return open

    def _first(self, original: Function) -> Function:
        found = self._ground.found
        return lambda path: original(found(path))

    def _database(self, original: Function) -> Function:
        resolved = self._ground.resolved

        def connect(database: Any, *args: Any, **options: Any) -> Any:
            if database in ("", b"", ":memory:", b":memory:"):
                return original(database, *args, **options)
            if options.get("uri") or len(args) > _URI:
                uri = Uri.of(database)
                if uri is not None:
                    return original(uri.at(resolved(uri.path, writes=True)), *args, **options)
            return original(resolved(database, writes=True), *args, **options)

        return connect


def _with_given_names(body: Function) -> Function:
    """Let errors name what the program gave, and not where that is."""

    def called(*args: Any, **options: Any) -> Any:
        try:
            return body(*args, **options)
        except OSError as error:
            if error.filename is not None and args and error.filename not in args[:2]:
                error.filename = args[0]
            if error.filename2 is not None and len(args) > 1:
                error.filename2 = args[1]
            raise

    return called


def _with(dir_fd: int | None, there: Any, path: Any, options: dict[str, Any]) -> dict[str, Any]:
    """Return the options with the directory, where the path is still one that starts from it."""
    if dir_fd is not None and there is path:
        options["dir_fd"] = dir_fd
    return options
