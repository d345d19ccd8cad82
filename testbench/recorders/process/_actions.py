"""The file actions of ``posix_spawn``: what the child finds under each of its descriptors."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Mapping
from types import NoneType
from typing import Any, TypeAlias

import attrs

from testbench.inplace import real


@attrs.frozen(eq=False)
class Opened:
    """A file that the child opens when it starts.

    Attributes:
        path: as it was given.
        flags: of ``open(2)``.
        mode: permissions of a file that is made.
    """

    path: Any
    flags: int
    mode: int

    def look(self) -> int | None:
        """Return a descriptor that only tells what this is (open(2), O_PATH); None if it is not there."""
        try:
            return real.aside(real.open(self.path, os.O_PATH | os.O_CLOEXEC))
        except (OSError, ValueError, TypeError):
            return None

    def open_here(self) -> int | None:
        """Open it in the program instead, which has the same rights and the same umask.

        What the child does to it can be looked at then. Returns None for all but regular files: opening a named pipe
        waits, and a terminal may become that of the session; those are left to the child.
        """
        try:
            if not stat.S_ISREG(real.stat(self.path).st_mode):
                return None
        except FileNotFoundError:
            if not self.flags & os.O_CREAT:
                return None
        except (OSError, ValueError, TypeError):
            return None  # the child finds out why
        try:
            return real.aside(real.open(self.path, self.flags | os.O_CLOEXEC, self.mode))
        except (OSError, ValueError, TypeError):
            return None


Source: TypeAlias = int | Opened | None
"""A descriptor of the program, a file that is opened, or nothing."""


class Actions:
    """File actions, understood as far as `os.posix_spawn` takes them: it raises for the rest.

    Args:
        given: what was given.

    Attributes:
        sources: where those descriptors of the child lead that are named by an action.
    """

    def __init__(self, given: Any) -> None:
        self._given = list(given) if isinstance(given, Iterable) else given
        self._files: dict[int, Opened] = {}
        self.sources: dict[int, Source] = {}
        with contextlib.suppress(TypeError, ValueError):  # one that is not fit
            for position, action in enumerate(self._given or ()):
                self._add(position, *action)

    def _add(self, position: int, tag: int, fd: int, *rest: Any) -> None:
        if tag == os.POSIX_SPAWN_OPEN:
            self.sources[fd] = self._files[position] = Opened(*rest)
        elif tag == os.POSIX_SPAWN_DUP2:
            (target,) = rest
            self.sources[target] = self.sources.get(fd, fd)
        else:
            self.sources[fd] = None

    def order(self, file: Opened) -> int:
        """Return when a file is opened: its position among the actions."""
        return next(position for position, opened in self._files.items() if opened is file)

    def but(self, files: Mapping[Opened, int], ends: Mapping[int, int]) -> Any:
        """Return other actions to the same effect.

        Args:
            files: descriptors of what is open already, and need not be opened by the child.
            ends: what else stands in the end for one of the child's descriptors.
        """
        if not isinstance(self._given, (list, NoneType)) or not (files or ends):
            return self._given
        actions = list(self._given or ())
        for position, file in self._files.items():
            if file in files:
                actions[position] = (os.POSIX_SPAWN_DUP2, files[file], actions[position][1])
        return actions + [(os.POSIX_SPAWN_DUP2, end, fd) for fd, end in ends.items()]
