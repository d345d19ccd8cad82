"""How a lane waits to be let go on, and what it looks for meanwhile: time, strays, and that nobody can go on any more.

It is woken by whoever lets it go on. Now and then it wakes by itself; the more lanes wait, the less often each does.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Final, Protocol

import attrs

from testbench.inplace import real
from testbench.sessions._asleep import Watch
from testbench.sessions._lanes import Lane

_SLICE_S: Final = 0.005
"""How often one of the lanes that wait looks around."""

_LONGEST_S: Final = 0.25
"""How often each of them does at least."""

WOKEN: Final = "woken"
EXPIRED: Final = "expired"

_GOES_ON: Final = ""


@attrs.define(eq=False)
class Wait:
    """One lane that waits for the baton, or for a lock and then for the baton.

    Attributes:
        lane: who.
        turn: whose turn it must be on the tape, if it comes from outside.
        key: what it waits for inside the program; None if it only wants the baton.
        timed: it goes on, with nothing gained, when its time runs out.
        free: tells that what it waits for is there, though nobody has said so: code that nobody intercepts has done it.
        what: for reports: the lock or queue itself, or the name of the crossing that it is about to make.
        gate: locked until it may go on.
        by: what let it go on.
    """

    lane: Lane
    turn: int
    key: Hashable = None
    timed: bool = False
    free: Callable[[], bool] | None = None
    what: Any = ""
    gate: Any = attrs.Factory(real.closed_gate)
    by: str = WOKEN

    def is_innermost(self) -> bool:
        """Tell whether this is what its thread is waiting for now, and not a signal handler that interrupted it."""
        return self.lane.waits[-1] is self


class Held(Protocol):
    """The baton, as far as those who wait for it look at it."""

    holder: Lane | None
    since_ns: int
    stirred_ns: int
    waking: Lane | None

    def lose(self, holder: Lane, why: str) -> None:
        """Take it away from a lane."""

    def rests(self, since_ns: int) -> bool:
        """Tell whether nobody holds it, and nothing has happened since a time."""

    def withdraw(self, wait: Wait) -> bool:
        """Wait no longer; False if it was let go on in this moment."""

    def expire(self, wait: Wait) -> None:
        """Let a lane go on whose time for a lock has run out, unless it gets the lock first."""

    def wake_anyhow(self) -> bool:
        """Let a lane go on whose lock is free, though nobody has said so; tell whether there is one."""


class Still(Protocol):
    """Tells that nobody can go on any more; see `testbench.sessions._standstill`."""

    def reached(self, since_ns: int) -> bool:
        """Tell whether it is so, where nothing has happened since a time."""


class Vigil:
    """The waiting of all lanes of one session.

    Args:
        baton: what they wait for.
        still: how they notice that they wait in vain; without it they wait for ever.
        relieve: runs the handlers of signals that came to a lane before it began to wait.
        by_tape: whether a tape says who goes on; a lane that waits for the baton alone gets it soon where none does.
    """

    def __init__(self, baton: Held, still: Still | None, relieve: Callable[[Lane], None], *, by_tape: bool) -> None:
        self._baton = baton
        self._still = still
        self._relieve = relieve
        self._by_tape = by_tape
        self._watch = Watch()
        self._waiting = 0

    def keep(self, wait: Wait, timeout_s: float | None = None) -> str | None:
        """Wait until let go on; signal handlers may run meanwhile where the program itself waits.

        Returns:
            WOKEN or EXPIRED; None if nobody can go on any more.
        """
        until_ns = None if timeout_s is None else real.monotonic_ns() + int(timeout_s * 1e9)
        self._waiting += 1
        try:
            while not self._opened(wait, until_ns):
                if until_ns is not None and real.monotonic_ns() >= until_ns:
                    self._baton.expire(wait)
                    until_ns = None
                by = self._look_around(wait)
                if by != _GOES_ON:
                    return by
            return wait.by
        except BaseException:
            self._baton.withdraw(wait)
            raise
        finally:
            self._waiting -= 1
            wait.lane.waits.remove(wait)

    def _opened(self, wait: Wait, until_ns: int | None) -> bool:
        """Wait for a short while; tell whether the gate is open."""
        slice_s = min(_SLICE_S * self._waiting, _LONGEST_S)
        if until_ns is not None:
            slice_s = max(0.0, min(slice_s, (until_ns - real.monotonic_ns()) / 1e9))
        lane, depth = wait.lane, wait.lane.depth
        lane.depth = depth if wait.key is None else 0
        try:
            return bool(real.acquire(wait.gate, True, slice_s))
        finally:
            lane.depth = depth

    def _look_around(self, wait: Wait) -> str | None:
        """Return what lets the lane go on; `_GOES_ON` if it waits further."""
        baton, still = self._baton, self._still
        if wait.lane.deferred and (self._by_tape or wait.key is not None):
            self._relieve(wait.lane)
        if wait.free is not None and baton.holder is None and wait.free():
            baton.wake_anyhow()
        holder = baton.holder
        if holder is not None:
            why = "" if baton.waking is holder else self._watch.loses(holder, baton.since_ns)
            if why:
                baton.lose(holder, why)
        elif still is not None and self._is_in_vain(still) and baton.withdraw(wait):
            wait.lane.in_vain = wait
            return None
        return _GOES_ON

    def _is_in_vain(self, still: Still) -> bool:
        """Tell whether nobody can go on; what came while this was looked at, on a busy machine, is looked at again."""
        since_ns = self._baton.stirred_ns
        return still.reached(since_ns) and self._baton.rests(since_ns) and not self._baton.wake_anyhow()
