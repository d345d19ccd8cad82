"""Whether nobody can go on any more: every lane of a replay waits, for a turn or a lock, and none of them will get it.

That is certain when no thread of the process is left that could let them go on. A thread that does not wait here may:
one of another origin, or a lane asleep in a call that nobody intercepts. Then it takes longer to be believed, and
longest where such a thread runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from testbench.inplace import real, threads
from testbench.sessions._lanes import Lanes

_GRACE_NS: Final = 50_000_000
"""So long nothing must have happened, for what is between two steps to come to rest."""

_ASLEEP_SHARE: Final = 10
"""Where all other threads sleep, it takes this part of the whole patience."""


class Standstill:
    """Tells that nobody can go on any more.

    Args:
        lanes: the lanes of the replay.
        stall_s: seconds after which it is believed in any case.
        hopeless: tells that the next event belongs to a lane that has ended.
        awaited: tells that something is on its way that wakes a lane: a signal that the tape has.

    Attributes:
        closing: whether a thread is ending the session, and lets all go on; then only that one asks.
    """

    def __init__(
        self,
        lanes: Lanes,
        stall_s: float,
        *,
        hopeless: Callable[[], bool],
        awaited: Callable[[], bool],
    ) -> None:
        self._lanes = lanes
        self._patience_ns = int(stall_s * 1e9)
        self._hopeless = hopeless
        self._awaited = awaited
        self.closing = False
        self._look_ns = 0  # when to look at the threads again
        self._ran_ns: dict[int, int | None] = {}  # how long each has run
        self._unchanged_ns = 0  # since when they have not changed

    def reached(self, since_ns: int, *, closer: bool = False) -> bool:
        """Tell whether nobody can go on, where nothing has happened since a time; the closer ends the session."""
        if self.closing and not closer:
            return False
        if self._hopeless():
            return True
        now_ns = real.monotonic_ns()
        quiet_ns = now_ns - since_ns
        if quiet_ns > self._patience_ns:
            return True
        if quiet_ns < _GRACE_NS or now_ns < self._look_ns:
            return False
        self._look_ns = now_ns + _GRACE_NS
        if self._awaited():
            return False
        loose = self._lanes.loose()
        return not loose or min(quiet_ns, self._slept_ns(loose, now_ns)) > self._patience_ns // _ASLEEP_SHARE

    def _slept_ns(self, loose: dict[int, int], now_ns: int) -> int:
        """Return how long none of some threads has run; 0 where the system does not tell."""
        ran_ns = {ident: threads.ran_ns(native) for ident, native in loose.items()}
        if ran_ns != self._ran_ns or None in ran_ns.values():
            self._ran_ns, self._unchanged_ns = ran_ns, now_ns
        return now_ns - self._unchanged_ns
