"""Whether somebody outside may let a wait of the program end, by a signal that the program handles."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the functions themselves; those of signal call them
import signal
from typing import Final

_NOT_FROM_OUTSIDE: Final = frozenset({signal.SIGALRM, signal.SIGINT})
"""Signals not waited for: the alarms of a still clock are its own, and every ``asyncio.run`` handles SIGINT."""


def is_signalled() -> bool:
    """Tell whether the program has a handler for a signal that somebody may send."""
    handlers = [_signal.getsignal(number) for number in _signal.valid_signals() if number not in _NOT_FROM_OUTSIDE]
    return any(callable(found) and found is not _signal.default_int_handler for found in handlers)
