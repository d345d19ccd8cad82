"""Naming a wait that nothing can end any more, on a clock that stands still: who waits, for what, and where."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the functions themselves; those of signal call them
import signal
import threading
from typing import Final

from testbench.errors import RecordingError
from testbench.where import user_line

_NOT_FROM_OUTSIDE: Final = frozenset({signal.SIGALRM, signal.SIGINT})
"""Signals not waited for: the alarms of a still clock are its own, and every ``asyncio.run`` handles SIGINT."""


def endless(what: str) -> None:
    """Report the wait of the running thread; return if a signal from outside may end it.

    Raises:
        RecordingError: nothing can.
    """
    if not _is_signalled():
        raise RecordingError(
            f"a wait that never ends: {threading.current_thread().name} waits for {what} at {user_line()}, without a "
            "timeout, and nothing is left that could end it: no other thread runs, sleeps or waits for a while, and no "
            "timer is set. Let somebody end it, wait with a timeout, or, if somebody outside of the program does, "
            'record with clock="real" or "ticking".'
        )


def _is_signalled() -> bool:
    """Tell whether the program has a handler for a signal that somebody may send."""
    handlers = [_signal.getsignal(number) for number in _signal.valid_signals() if number not in _NOT_FROM_OUTSIDE]
    return any(callable(found) and found is not _signal.default_int_handler for found in handlers)
