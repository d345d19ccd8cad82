"""Files of the program that a child has left, or changed: on replay nobody does that, unless it is on the tape.

Nothing tells who has changed a file. But what has changed since the session began, and not by the program itself, which
is seen doing so, was changed by a child; or by C code of the program, which is on no tape either. A file that the
program has open when a child begins may be where the child's output goes, which is on the tape: of those nothing is
said.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from typing import Final, NamedTuple

from testbench.inplace import real
from testbench.recorders._births import Births

_COARSE: Final = 5
"""CLOCK_REALTIME_COARSE (``linux/time.h``), which stamps files and moves in steps of some milliseconds."""

_STEP_S: Final = 0.0005
_STEPS: Final = 40

_MOST: Final = 200_000
"""So many changes of the program are remembered; of a program that makes more, nothing is said any more."""

_NO_FILES: Final = ("/proc/", "/dev/", "/sys/")

_Key = tuple[int, int]


class _State(NamedTuple):
    """How a file stood; a directory by its entries alone."""

    key: _Key
    mtime_ns: int
    size: int
    ctime_ns: int


class LeftByChildren:
    """What children of one session have left for the program; see `testbench.recorders._births.Watcher`.

    Args:
        births: what of their doings is on the tape.
        allowed: paths that the program may reach though no tape tells of them.

    Attributes:
        may_be: whether there has been a child at all.
    """

    def __init__(self, births: Births, allowed: Sequence[str]) -> None:
        self.may_be = False
        self._births = births
        self._allowed = [os.path.expanduser(path) for path in allowed]
        self._since_ns = real.time_ns()
        self._own: dict[str, _State | None] = {}  # what the program has changed, as the next child has found it
        self._fresh: set[str] = set()  # what it has changed since the last child began
        self._held: set[_Key] = set()

    def forks(self, *_: object) -> None:
        """Be told that the program forks, which makes a child too."""
        self.begins()
        self.starts()

    def begins(self, *_: object) -> None:
        """Be told that a child begins."""
        self.may_be = True
        if len(self._own) < _MOST:
            self._held.update(_open_files())
            fresh, self._fresh = self._fresh, set()
            for path in fresh:
                self._own[path] = _state(_stat(path))

    def starts(self, *_child: object) -> None:
        """Let what the child changes have a later time than what had changed before the session."""
        for _ in range(_STEPS):  # no more: the clock may have been set back
            if real.clock_gettime_ns(_COARSE) > self._since_ns:
                return
            real.sleep(_STEP_S)

    def seen(self, child: object) -> None:
        """Do nothing."""

    def ended(self, child: object) -> None:
        """Do nothing."""

    def changes(self, *paths: str) -> None:
        """Be told that the program itself is about to write or make files."""
        for path in map(_absolute, paths if len(self._own) < _MOST else ()):
            for changed in (path, os.path.dirname(path)):
                self._own[changed] = None
                self._fresh.add(changed)

    def removes(self, path: str) -> None:
        """Be told that the program is about to remove a file: a child may make another one."""
        self.changes(path)
        self._own.pop(_absolute(path), None)
        self._fresh.discard(_absolute(path))

    def moves(self, source: str, target: str) -> None:
        """Be told that the program is about to rename something; it is as much its own as it was."""
        source, target = _absolute(source), _absolute(target)
        if source in self._own:
            self.changes(target)
            found = _stat(source)
            if found is not None and stat.S_ISDIR(found.st_mode):
                below = f"{source}/"
                moved = [path for path in list(self._own) if path.startswith(below)]
                self.changes(*(f"{target}/{path[len(below) :]}" for path in moved))
        self.removes(source)

    def left(self, path: str) -> str:
        """Return the absolute path of a file or directory that a child has changed, empty if none has."""
        path = _absolute(path)
        found = None if path.startswith(_NO_FILES) or len(self._own) >= _MOST else _stat(path)
        state = _state(found)
        if found is None or state is None or not self._has_changed(path, found, state):
            return ""
        return "" if state.key in self._held or self._is_own(path, state.key) or self._is_told(path) else path

    def _has_changed(self, path: str, found: os.stat_result, state: _State) -> bool:
        """Tell whether it has since the session began; or since the program has changed it."""
        if path in self._own:
            return path not in self._fresh and state != self._own[path]
        # The time of change tells of files that keep the older time of a copy; a directory's of more than its entries.
        return (found.st_mtime_ns if stat.S_ISDIR(found.st_mode) else found.st_ctime_ns) > self._since_ns

    def _is_own(self, path: str, key: _Key) -> bool:
        """Tell whether the program has it open, or has changed it under another path."""
        if key in _open_files():
            return True
        name = os.path.basename(path)
        others = [other for other in list(self._own) if os.path.basename(other) == name and other != path]
        return path not in self._own and any(_key_of(other) == key for other in others)

    def _is_told(self, path: str) -> bool:
        """Tell whether what children do there is on the tape, or allowed; links may lead there."""
        told = {*map(_key_of, self._births.told), *map(_key_of, self._allowed)}
        above = os.path.dirname(path)
        while told and path != above:
            if _key_of(path) in told:
                return True
            path, above = above, os.path.dirname(above)
        return False


def _open_files() -> set[_Key]:
    """Return the regular files that this process has open."""
    found = (_stat(int(fd)) for fd in real.listdir("/proc/self/fd"))
    return {(each.st_dev, each.st_ino) for each in found if each is not None and stat.S_ISREG(each.st_mode)}


def _absolute(path: str) -> str:
    if path[:1] != "/":
        try:
            path = os.path.join(real.getcwd(), path)
        except FileNotFoundError:
            return path
    return os.path.normpath(path) if "/." in path or "//" in path or path.endswith("/") else path


def _stat(path: str | bytes | int) -> os.stat_result | None:
    try:
        return real.stat(path)
    except (OSError, ValueError):
        return None


def _state(found: os.stat_result | None) -> _State | None:
    """Return the state of a regular file or a directory."""
    if found is not None and stat.S_ISREG(found.st_mode):
        return _State((found.st_dev, found.st_ino), found.st_mtime_ns, found.st_size, found.st_ctime_ns)
    if found is not None and stat.S_ISDIR(found.st_mode):
        return _State((found.st_dev, found.st_ino), found.st_mtime_ns, 0, 0)
    return None


def _key_of(path: str | bytes) -> _Key | None:
    found = _stat(path)
    return None if found is None else (found.st_dev, found.st_ino)
