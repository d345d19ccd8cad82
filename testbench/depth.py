"""How deep a thread is inside effects, as recorders remember it; laid aside while a signal handler of the program runs.

A handler interrupts its thread anywhere, also in the middle of an effect. What it does itself is not part of that
effect: the session makes it events of their own. So no recorder may take it for something that passes straight through.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final


class Depth(threading.local):
    """One number for each thread, 0 until the thread sets it; recorders keep theirs in one of these.

    Attributes:
        depth: how deep the running thread is inside what passes straight through.
    """

    depth = 0

    def __init__(self) -> None:
        """Be one of those that are laid aside; called in each thread that looks."""
        _ALL.add(self)


_ALL: Final[weakref.WeakSet[Depth]] = weakref.WeakSet()


@contextmanager
def laid_aside() -> Iterator[None]:
    """Let every `Depth` of the running thread be 0 while the body runs."""
    before = [(state, state.depth) for state in list(_ALL) if state.depth]
    for state, _ in before:
        state.depth = 0
    try:
        yield
    finally:
        for state, depth in before:
            state.depth = depth
