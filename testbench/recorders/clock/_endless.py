"""Naming a wait that nothing can end any more, on a clock that stands still: who waits, for what, and where."""

from __future__ import annotations

import sys
import threading

from testbench.errors import RecordingError
from testbench.signalled import is_signalled
from testbench.tasks import tasks_of
from testbench.where import user_line


def endless(what: str) -> None:
    """Report the wait of the running thread; return if a signal from outside may end it.

    Raises:
        RecordingError: nothing can.
    """
    if is_signalled():
        return
    raise never_ends(
        f"{threading.current_thread().name} waits for {what} at {user_line()}{_tasks()}, without a timeout, and "
        "nothing is left that could end it: no other thread runs, sleeps or waits for a while, and no timer is set. "
        "Let somebody end it, wait with a timeout, or, if somebody outside of the program does, record with "
        'clock="real" or "ticking".'
    )


def never_ends(told: str) -> RecordingError:
    """Return the error of a wait that never ends; ``told`` says whose."""
    error = RecordingError(f"a wait that never ends: {told}")
    error.endless = True
    return error


def _tasks() -> str:
    """Tell where the tasks of the event loop wait, if the running thread runs one."""
    tasks = tasks_of(sys._getframe(1))
    where = ", ".join(f"{name} at {place}" for name, place in tasks.suspended) if tasks is not None else ""
    return where and f" (an event loop: {where})"
