"""Signals that wait: a handler may raise, and what must not be left half done is done before it runs.

A thread blocks them for itself (pthread_sigmask(3)); one that comes to another thread is handled in the main thread all
the same, at any moment.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the functions themselves; those of signal call them
import signal
from types import TracebackType
from typing import Final

from testbench.inplace import real

_FAULTS: Final = {signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV}
_HELD: Final = frozenset(_signal.valid_signals()) - {*map(int, _FAULTS)}

_masks: dict[int, set[int]] = {}
"""By thread that holds them back, what it blocked before."""


class signals_held:  # noqa: N801  # it is used like a function, and is a class because a generator would be interrupted
    """Hold signals back from the running thread while the body runs; their handlers run at its end, and may raise."""

    def __enter__(self) -> None:
        before = real.sigmask(_signal.SIG_BLOCK, _HELD)
        self._outermost = _masks.setdefault(real.get_ident(), before) is before

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._outermost:
            real.sigmask(_signal.SIG_SETMASK, _masks.pop(real.get_ident()))


def sleep_unheld(seconds: float) -> None:
    """Sleep, and let the signals come meanwhile that `signals_held` holds back around it."""
    before = _masks.get(real.get_ident())
    if before is None:
        real.sleep(seconds)
        return
    try:
        real.sigmask(_signal.SIG_SETMASK, before)
        real.sleep(seconds)
    finally:
        real.sigmask(_signal.SIG_BLOCK, _HELD)
