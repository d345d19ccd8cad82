"""Names of ``tempfile`` on replay: those of the recording, also where what it made under them is still there.

They are drawn from a generator whose state is on the tape, and ``tempfile`` draws another one where a name is taken.
So a replay takes over what is there under the next name, if the recording got that one and nobody has touched it since
the session began: a directory as it is, a file emptied. What has been touched since may be in use, by another replay
of the same tape say; then it is a leak, and the program gets another name.

Facts: ``names``, that this was seen to; ``taken``, a path that the recording did not get, and whether it was there
before the session began.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from contextlib import ExitStack
from types import ModuleType
from typing import Any, Final

from testbench.inplace import Attribute, real
from testbench.protocol import Call

NAMES: Final = "names"
TAKEN: Final = "taken"

_COARSE: Final = 5
"""CLOCK_REALTIME_COARSE (``linux/time.h``)."""


def install_names(call: Call, stack: ExitStack, tempfile: ModuleType) -> None:
    """See to the names that ``tempfile`` finds, until the stack unwinds."""
    names = _Names(call)
    for name, value in (("_os", _System(names)), ("_exists", names.exists)):
        attribute = Attribute(tempfile, name)
        stack.push(attribute)
        attribute.to(value)


class _Names:
    """What the recording got, and what is there now."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._replays = bool(call.foretold(NAMES))
        taken = [request["path"] for request, before in call.foretold(TAKEN) if before and isinstance(request, dict)]
        self._taken = frozenset(taken)
        # Inodes tell the time of now, or of the last tick before.
        self._tick_ns, self._begun_ns = _tick_ns(), real.time_ns()
        self._got: set[Any] = set()  # as long as what is made now may tell a time before the session

    def find(self, path: Any, make: Callable[[], Any], take_over: Callable[[os.stat_result], Any]) -> Any:
        """Make something new under a name.

        Args:
            path: the name.
            make: makes it; raises FileExistsError.
            take_over: is given what is there, and returns what the program gets for it; None if it is something else.

        Raises:
            FileExistsError: the name is taken.
        """
        if self._call.inside():
            return make()
        self._call.fact(NAMES, {}, lambda: True)
        if path in self._taken:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
        is_early = _tick_ns() <= self._begun_ns
        try:
            found = make()
        except FileExistsError:
            there = _look(path)
            changed_ns = there.st_ctime_ns if there else self._begun_ns + 1
            is_left = self._replays and path not in self._got and changed_ns <= self._begun_ns
            found = take_over(there) if there and is_left else None
            if found is None:
                self._call.fact(TAKEN, {"path": path}, lambda: changed_ns < self._tick_ns)
                raise
        if is_early:
            self._got.add(path)
        return found

    def exists(self, path: Any) -> bool:
        """Tell whether a name is taken that the program only wants to have."""

        def make() -> None:
            if os.path.lexists(path):
                raise FileExistsError

        try:
            self.find(path, make, lambda _: True)
        except FileExistsError:
            return True
        return False


def _look(path: Any) -> os.stat_result | None:
    try:
        return real.lstat(path)
    except OSError:  # it is gone already
        return None


def _tick_ns() -> int:
    """Return the time of the last tick."""
    return real.clock_gettime_ns(_COARSE)


class _System:
    """The module ``os`` for ``tempfile``, but for the two functions by which it makes what has a new name."""

    def __init__(self, names: _Names) -> None:
        object.__setattr__(self, "_names", names)

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(os, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(os, name)

    def mkdir(self, path: Any, mode: int) -> None:
        """Make a directory, or take over one."""

        def take_over(there: os.stat_result) -> bool | None:
            if not stat.S_ISDIR(there.st_mode):
                return None
            os.chmod(path, mode)  # so that it is touched
            return True

        self._names.find(path, lambda: os.mkdir(path, mode), take_over)

    def open(self, path: Any, flags: int, mode: int) -> Any:
        """Make a file, or take over one and empty it."""
        if not flags & os.O_EXCL:
            return os.open(path, flags, mode)

        def take_over(there: os.stat_result) -> int | None:
            if not stat.S_ISREG(there.st_mode):
                return None
            return os.open(path, flags & ~os.O_EXCL | os.O_TRUNC | os.O_NOFOLLOW, mode)

        return self._names.find(path, lambda: os.open(path, flags, mode), take_over)
