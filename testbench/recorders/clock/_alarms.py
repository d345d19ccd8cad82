"""The interval timers of a clock that stands still (setitimer(2)): they ring when its time passes them.

Ringing sends the program the signal, as the operating system would. The timers that count processor time never ring,
because on such a clock a program takes none.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Final

import attrs

from testbench.inplace import real

_NEVER_RING: Final = (signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)

Setting = tuple[int, int]
"""Nanoseconds until a timer rings, 0 if it does not; and from then on again and again, 0 for only once."""

OFF: Final[Setting] = (0, 0)


@attrs.define
class Alarms:
    """The timers of one clock.

    Attributes:
        due_ns: when the one that counts real time rings next, by what has elapsed on the clock; None if it is off.
    """

    _elapsed_ns: Callable[[], int]
    due_ns: int | None = None
    _interval_ns: int = 0
    _others: dict[int, Setting] = attrs.Factory(dict)

    def get(self, which: int) -> Setting:
        """Return how a timer stands."""
        if which in _NEVER_RING:
            return self._others.get(which, OFF)
        return OFF if self.due_ns is None else (self.due_ns - self._elapsed_ns(), self._interval_ns)

    def set(self, which: int, setting: Setting) -> Setting:
        """Set a timer, or take it back; return how it stood."""
        before, (value_ns, interval_ns) = self.get(which), setting
        if which in _NEVER_RING:
            self._others[which] = setting if value_ns else OFF
        else:
            self.due_ns = self._elapsed_ns() + value_ns if value_ns else None
            self._interval_ns = interval_ns if value_ns else 0
        return before

    def ring(self) -> None:
        """Send the signal of the timer that is due.

        Raises:
            BaseException: what a handler of the program raises, where this thread is the one that handles signals.
        """
        assert self.due_ns is not None
        self.due_ns = self.due_ns + self._interval_ns if self._interval_ns else None
        real.kill(real.getpid(), signal.SIGALRM)
