"""Naming a wait that nothing can end any more, on a clock that stands still: who waits, for what, and where."""

from __future__ import annotations

import threading

from testbench.errors import RecordingError
from testbench.signalled import is_signalled
from testbench.where import user_line


def endless(what: str) -> None:
    """Report the wait of the running thread; return if a signal from outside may end it.

    Raises:
        RecordingError: nothing can.
    """
    if not is_signalled():
        raise RecordingError(
            f"a wait that never ends: {threading.current_thread().name} waits for {what} at {user_line()}, without a "
            "timeout, and nothing is left that could end it: no other thread runs, sleeps or waits for a while, and no "
            "timer is set. Let somebody end it, wait with a timeout, or, if somebody outside of the program does, "
            'record with clock="real" or "ticking".'
        )
