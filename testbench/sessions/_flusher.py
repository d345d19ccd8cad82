"""A small thread that writes out what a program has recorded before it went quiet.

Without it, a program that waits for an hour in a call that nobody records, and is then killed, would lose the events
before the wait.
"""

from __future__ import annotations

import _thread
import gc
import os
from collections.abc import Callable
from typing import Final

from testbench.inplace.own import start_own_thread
from testbench.inplace.real import acquire, allocate_lock, get_ident, locked, release

_EVERY_S: Final = 0.1


class Flusher:
    """Calls ``flush`` ten times a second, in a thread that `threading` does not list.

    Args:
        flush: puts everything so far on disk; may be called at any moment.
        ignore: told the ident of the thread, whose own doings are never events.
    """

    def __init__(self, flush: Callable[[], None], ignore: Callable[[int], None]) -> None:
        self._flush = flush
        self._ignore = ignore
        self._stop = allocate_lock()
        self._ended = allocate_lock()
        self._native_id = 0

    def start(self) -> None:
        """Start the thread."""
        acquire(self._stop)
        acquire(self._ended)
        start_own_thread(self._run)

    def stop(self) -> None:
        """End the thread and wait until it is gone; does nothing when it is not running."""
        if not locked(self._ended):
            return
        release(self._stop)
        acquire(self._ended)
        release(self._ended)
        # The kernel must have let go of it too: CPython 3.12 and later warn when a process of several threads forks.
        while os.access(f"/proc/self/task/{self._native_id}", os.F_OK):
            os.sched_yield()

    def _run(self) -> None:
        self._native_id = _thread.get_native_id()
        self._ignore(get_ident())
        try:
            while not acquire(self._stop, True, _EVERY_S):
                self._flush_without_finalisers()
            release(self._stop)
        finally:
            release(self._ended)

    def _flush_without_finalisers(self) -> None:
        # A collection in this thread would run the program's finalisers here, outside of every lane.
        enabled = gc.isenabled()
        gc.disable()
        try:
            self._flush()
        finally:
            if enabled:
                gc.enable()
