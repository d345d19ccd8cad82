"""Where a path of the program really leads while an overlay is open: into the view, or out of the root."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Callable
from typing import Any, Final

from testbench.inplace import real

_LOOK: Final = os.O_PATH | os.O_CLOEXEC
_MOST_LINKS: Final = 40
"""So many symbolic links Linux follows on one way (path_resolution(7))."""


class Ground:
    """The root as the program names it, and the view that stands for it. All paths are absolute text.

    Args:
        root: the root, without symbolic links.
        view: the directory that has what the program is to find in the root, without symbolic links.
        deny: whether what is outside of the root is refused; reads of the interpreter itself never are.
    """

    def __init__(self, root: str, view: str, *, deny: bool) -> None:
        self.root, self.view, self.deny = root, view, deny
        self._root_in, self._view_in = root.rstrip("/") + "/", view + "/"
        self._own = _own_places() if deny else ()

    # Between the two names of what is in the root.

    def real(self, path: str) -> str:
        """Return where what the program calls by this path really is; no link may be on the way."""
        if path.startswith(self._root_in):
            return self._view_in + path[len(self._root_in) :]
        return self.view if path == self.root else path

    def named(self, path: str) -> str:
        """Return what the program calls this real path."""
        if path.startswith(self._view_in):
            return self._root_in + path[len(self._view_in) :]
        return self.root if path == self.view else path

    def is_inside(self, path: str) -> bool:
        """Tell whether a path, without links on its way, is in the root or is it."""
        return path.startswith(self._root_in) or path == self.root

    # From what the program gives.

    def found(self, path: Any, dir_fd: int | None = None) -> Any:
        """Return where to find what the program only looks at, links followed; what is no path stays what it is.

        Raises:
            OSError: it is outside of the root, which is refused.
        """
        if type(path) is not str or dir_fd is not None:
            return self.resolved(path, dir_fd)
        if path.startswith(self._root_in):
            there = self._view_in + path[len(self._root_in) :]
        elif path == self.root:
            there = self.view
        else:
            there = path
        # One look at where the system ends up is cheaper than to walk; what it finds in the view is what is meant.
        try:
            fd = real.open(there, _LOOK)
        except (OSError, ValueError):
            return self.resolved(path, None)
        try:
            where = real.readlink(f"/proc/self/fd/{fd}")
        finally:
            real.close(fd)
        if where.startswith(self._view_in) or where == self.view:
            return there
        return there if there is path and not self.deny and not self.is_inside(where) else self.resolved(path, None)

    def reader(self, opens: Callable[..., int]) -> Callable[[Any, int], int]:
        """Return what opens a file that is read, as an opener of `open`.

        It opens first, and then asks the system what it has opened: that is cheaper than to walk.

        Args:
            opens: as `os.open`.
        """
        root_in, view_in, skip, readlink = self._root_in, self._view_in, len(self._root_in), real.readlink

        def read(path: Any, flags: int) -> int:
            there = path
            if type(path) is str and path.startswith(root_in):
                there = view_in + path[skip:]
            try:
                fd = opens(there, flags)
            except OSError:
                fd = -1  # it may be there all the same, behind a link; if not, that is said below
            if fd >= 0:
                where = readlink(f"/proc/self/fd/{fd}")
                if where.startswith(view_in) or (there is path and not self.deny and not self.is_inside(where)):
                    return fd
                real.close(fd)
            try:
                return opens(self.resolved(path), flags)
            except OSError as error:
                error.filename = path
                raise

        return read

    def resolved(
        self, path: Any, dir_fd: int | None = None, *, follow: bool = True, writes: bool = False, enters: bool = False
    ) -> Any:
        """Return where to find or make what a path names; what is no path stays what it is.

        Args:
            path: as the program gives it.
            dir_fd: the directory that it starts from, None for the working directory.
            follow: whether a link at its end is followed.
            writes: whether something is changed there.
            enters: whether paths can start from there afterwards.

        Raises:
            OSError: it is outside of the root, which is refused; a link or ``..`` leads out of it, and it is more than
                a look; or there are too many links.
        """
        if not isinstance(path, str | bytes | os.PathLike):
            return path
        given = os.fspath(path)
        name = os.fsdecode(given)
        if not name or "\0" in name:
            return path
        start = self._start(name, dir_fd)
        if start is None:
            return path  # relative to something that has no name: what it leads to has none either
        where, through = self._walk(start, name, follow)
        if self.is_inside(where):
            there = self.real(where)
        elif self.deny and not self._is_allowed(where, writes):
            raise PermissionError(
                errno.EACCES, f'outside of the overlay of {self.root}, which is denied (outside="deny")', name
            )
        elif through and (writes or enters) and not _is_of_the_kernel(where):
            raise PermissionError(
                errno.EACCES,
                f'by a link or ".." out of the overlay of {self.root}, to {where!r}: name that itself',
                name,
            )
        elif through:
            there = where  # by a link that need not be the same in the real root
        else:
            return path
        return os.fsencode(there) if isinstance(given, bytes) else there

    def _start(self, name: str, dir_fd: int | None) -> str | None:
        if name.startswith("/"):
            return "/"
        try:
            where = real.getcwd() if dir_fd is None else real.readlink(f"/proc/self/fd/{dir_fd}")
        except OSError:
            return None
        return self.named(where) if where.startswith("/") else None

    def _walk(self, start: str, name: str, follow: bool) -> tuple[str, bool]:
        """Return the path without links on its way, and whether that led through the root.

        What is not there, and all behind it, stays as it is: the system says what is wrong with it.
        """
        at, links, through = start, 0, self.is_inside(start)
        waiting = _parts(name)
        must_be_directory = name.endswith(("/", "/."))
        if name.startswith(self._root_in):  # no link stands on the way to the root
            at, through = self.root, True
            del waiting[-self.root.count("/") :]
        while waiting:
            part = waiting.pop()
            if part == "..":
                if not self._is_directory(at):
                    return _joined(at, part, *reversed(waiting)), through
                at = os.path.dirname(at)
                continue
            step = _joined(at, part)
            through = through or self.is_inside(step)
            target = None if not (waiting or follow or must_be_directory) else self._target(step)
            if target is None:
                at = step
                continue
            links += 1
            if links > _MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name)
            must_be_directory = must_be_directory or (not waiting and target.endswith("/"))
            waiting += _parts(target)
            if target.startswith("/"):
                at = "/"
        return self.named(at + "/" if must_be_directory and at != "/" else at), through

    def _target(self, path: str) -> str | None:
        """Return where a link leads, None for what is none."""
        try:
            target = real.readlink(self.real(path))
        except OSError:
            return None
        # What stands in /proc for a pipe, say, is called "pipe:[1]", and nothing has that name.
        return None if path.startswith("/proc/") and not target.startswith("/") and ":" in target else target

    def _is_directory(self, path: str) -> bool:
        try:
            return stat.S_ISDIR(real.lstat(self.real(path)).st_mode)
        except OSError:
            return False

    def is_apart(self, one: Any, other: Any) -> bool:
        """Tell whether the border of the root runs between two paths, as `resolved` gives them."""
        there = [(os.fsdecode(path) + "/").startswith(self._view_in) for path in (one, other)]
        return there[0] != there[1]

    # What is outside.

    def _is_allowed(self, where: str, writes: bool) -> bool:
        if _is_of_the_kernel(where):
            return True
        on_the_way = self._root_in.startswith(where.rstrip("/") + "/")
        return not writes and (on_the_way or (where + "/").startswith(self._own))


def _is_of_the_kernel(where: str) -> bool:
    return where.startswith(("/dev/", "/proc/")) or where in ("/dev", "/proc")


def _joined(start: str, *parts: str) -> str:
    return start.rstrip("/") + "/" + "/".join(parts)


def _parts(path: str) -> list[str]:
    """Return the names on a path, the last one first."""
    return [part for part in reversed(path.split("/")) if part not in ("", ".")]


def _own_places() -> tuple[str, ...]:
    """Return the directories that the interpreter and its modules are read from."""
    places = {sys.prefix, sys.base_prefix, sys.exec_prefix, os.path.dirname(os.__file__), *sys.path}
    found = {os.path.realpath(place) for place in places if os.path.isabs(place)} | places
    return tuple(place.rstrip("/") + "/" for place in found if os.path.isabs(place) and place != "/")
