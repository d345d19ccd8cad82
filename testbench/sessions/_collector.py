"""Keeps what hangs on the garbage collector out of a session: it comes at moments that no replay can repeat."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


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
