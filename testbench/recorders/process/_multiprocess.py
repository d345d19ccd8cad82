"""What multiprocessing keeps of its children, in a form that repeats from run to run.

They are in a set, whose order is that of addresses, and it asks them one after the other whether they have ended; here
they are in the order in which they started. And the jobs of all pools of a process are counted, which its workers are
told; here the count begins with the session, whatever the process has done before.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import Any

_MODULE = "multiprocessing.process"
_NAME = "_children"
_POOL = "multiprocessing.pool"


class InOrder:
    """A set that knows in which order things came; as much of one as multiprocessing asks for."""

    def __init__(self, things: Iterable[Any]) -> None:
        self._things = dict.fromkeys(things)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._things)

    def __len__(self) -> int:
        return len(self._things)

    def __contains__(self, thing: object) -> bool:
        return thing in self._things

    def add(self, thing: Any) -> None:
        """Add a thing, at the end if it is new."""
        self._things[thing] = None

    def discard(self, thing: Any) -> None:
        """Remove a thing if it is there."""
        self._things.pop(thing, None)


class Processes:
    """The children of multiprocessing, for one session.

    Args:
        stack: when it is closed, they are in a set again.
    """

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._replaced = False

    def look(self) -> None:
        """Be called when a child is about to start: multiprocessing may have been imported by now."""
        module: Any = sys.modules.get(_MODULE)
        if module is not None and not self._replaced and isinstance(vars(module).get(_NAME), set):
            self._replaced = True
            self._stack.callback(_put_back, module)
            setattr(module, _NAME, InOrder(sorted(getattr(module, _NAME), key=_started)))
            self._count_jobs()

    def _count_jobs(self) -> None:
        pool: Any = sys.modules.get(_POOL)
        if pool is not None:
            self._stack.callback(setattr, pool, "job_counter", pool.job_counter)
            pool.job_counter = itertools.count()


def _started(process: Any) -> tuple[int, ...]:
    """Return the numbers by which multiprocessing tells processes apart, in the order of their starts."""
    return tuple(process._identity)


def _put_back(module: Any) -> None:
    held = getattr(module, _NAME)
    if isinstance(held, InOrder):  # else this is a child of a fork, where multiprocessing has begun another one
        setattr(module, _NAME, set(held))
