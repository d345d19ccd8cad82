"""Keeps what hangs on the garbage collector out of a session: it comes at moments that no replay can repeat."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Uncounted:
    """Keeps the few thousand objects that a session is made of from being a reason to collect garbage.

    The collector begins when so and so many more objects were made than given back. A suite of many small tests, each
    with a session, would collect at each of them, and look through all of the test runner at every fortieth. With the
    number of our own objects on top of that threshold, a program collects as often as it would without us.
    """

    def __init__(self) -> None:
        self._counts: Any = getattr(gc, "get_count", None)  # PyPy has none
        self._enabled = gc.isenabled()
        self._before = self._ours = self._given = (0, 0, 0)

    def begin(self) -> None:
        """Be about to make them: nothing is collected until `made`."""
        if self._counts is not None:
            self._before = self._counts()
            gc.disable()

    def made(self) -> None:
        """Have made them."""
        if self._counts is None:
            return
        first, second, third = self._given = gc.get_threshold()
        more = self._counts()[0] - self._before[0]
        self._ours = (first + more, second, third) if first and more > 0 else self._given
        gc.set_threshold(*self._ours)
        if self._enabled:
            gc.enable()

    def end(self) -> None:
        """Have given them back; where the program has set a threshold meanwhile, that one stays."""
        if self._counts is not None and gc.get_threshold() == self._ours:
            gc.set_threshold(*self._given)


@contextmanager
def collector_callbacks_rest() -> Iterator[None]:
    """Take the callbacks that are registered in `gc.callbacks` now out of it, and put them back at the end.

    Test tools measure collections that way (Hypothesis reads a clock at the start and end of each). When a collection
    happens depends on all allocations of the process, so those reads would be on the tape at other places each time.
    Callbacks that the program adds meanwhile are its own and stay.
    """
    callbacks = getattr(gc, "callbacks", [])  # PyPy has none
    resting = callbacks[:]
    del callbacks[:]
    try:
        yield
    finally:
        callbacks[:0] = resting
