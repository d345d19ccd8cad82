"""How a lane waits for a lock: it gives up the baton, is woken when the lock is released, and tries again in its turn.

It is never waited for in the operating system, where a lock would go to whoever is first; lanes are woken in the order
of coming. So locks need no events, but for one thing: that the time for waiting has run out, ``lane.expired``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from testbench.errors import TestbenchError
from testbench.inplace import real, threads
from testbench.sessions._baton import Baton
from testbench.sessions._lanes import Lane, Lanes
from testbench.sessions._vigil import EXPIRED

NOT_YET: Final = object()
"""What an attempt gives that has not succeeded."""

RAN_OUT: Final = "lane.expired"
"""The event of a lane whose time for waiting has run out."""

_PATIENCE_S: Final = 0.5
"""How long a lane waits for a lock after a replay has failed."""

_LOOK_S: Final = 0.005

_MOMENT_S: Final = 0.002
_REMEMBERED: Final = 1024  # threads that have ended and were not joined


class Clock(Protocol):
    """The mode, as far as it has to do with time that has run out."""

    def expired(self, lane: Lane, timeout_s: float) -> None:
        """Make it an event that the time has run out; the lane holds the baton."""

    def leave(self, lane: Lane) -> None:
        """Leave our own code."""

    def stalled(self, lane: Lane) -> None:
        """Give up a wait that nothing can end: raises."""

    def failed(self) -> TestbenchError | None:
        """Return what a replay has failed of that is not over yet: what a lane waits for may never come."""

    def in_vain(self) -> bool:
        """Tell whether it has because no lane could go on: whoever waited then did so in vain."""


class Waiting:
    """What waits for locks in one session.

    Args:
        lanes: the lanes of the session.
        baton: who runs.
        clock: what happens when time runs out.
    """

    def __init__(self, lanes: Lanes, baton: Baton, clock: Clock) -> None:
        self._lanes = lanes
        self._baton = baton
        self._clock = clock
        # What ends with a thread whose lane has ended, by its id, and the lane: it is free in a moment.
        self._ended: dict[int, tuple[Any, Lane]] = {}

    def ended(self, lane: Lane) -> None:
        """Be told that a lane has ended: what its thread holds to the end is free in a moment."""
        for thing in lane.ends:
            self._ended[id(thing)] = thing, lane
            self._baton.wake(id(thing), everybody=True)
        while len(self._ended) > _REMEMBERED:
            self._ended.pop(next(iter(self._ended)), None)

    def ends_soon(self, thing: Any) -> bool:
        """Tell, once, that the lane has ended with whose thread something is free, or done, in a moment."""
        return self._ended.pop(id(thing), None) is not None

    def attempt(self, acquire: Callable[..., Any], lock: Any) -> bool:
        """Acquire a lock if it is free, or will be in a moment because the thread that holds it has all but ended."""
        ended = self._ended.pop(id(lock), None)
        return bool(acquire(lock, False)) if ended is None else _take_soon(acquire, lock, ended[1])

    def lane(self) -> Lane | None:
        """Return the running lane, with the baton in its hand; None for what shall wait as it always did."""
        lane = self._lanes.known()
        if lane is None or lane.depth:
            return None
        if self._baton.over:
            return None if self._clock.failed() is None else lane
        if self._baton.holder is not lane:
            lane.depth = 1
            try:
                self._baton.come_back(lane)
            finally:
                self._clock.leave(lane)
        return lane

    def wait(
        self, lane: Lane, thing: Any, attempt: Callable[[], Any], timeout_s: float, free: Callable[[], bool]
    ) -> Any:
        """Wait until an attempt succeeds; give what it gave, or that it has not yet."""
        lane.depth = 1
        left = None if timeout_s < 0 else timeout_s
        try:
            late = self._baton.over
            while not self._baton.over:
                by = self._baton.sleep(lane, id(thing), left, free, thing)
                if by is None:
                    self._clock.stalled(lane)
                if by == EXPIRED:
                    self._clock.expired(lane, timeout_s)
                    return NOT_YET
                got = attempt()
                if got is not NOT_YET:
                    return got
            return self._wait_briefly(attempt, 0 if self._clock.in_vain() and not late else left)
        finally:
            self._clock.leave(lane)

    def _wait_briefly(self, attempt: Callable[[], Any], left_s: float | None) -> Any:
        """Wait after a replay has failed: whoever leaves what it was doing may still let go of things, for a while.

        Raises:
            DivergenceError: what the replay has failed of.
        """
        until_ns = real.monotonic_ns() + int(min(_PATIENCE_S if left_s is None else left_s, _PATIENCE_S) * 1e9)
        while True:
            failure, got = self._clock.failed(), attempt()
            if failure is None or got is not NOT_YET:
                return got
            if real.monotonic_ns() >= until_ns:
                if left_s is not None and 0 < left_s <= _PATIENCE_S:
                    return NOT_YET
                raise failure
            real.sleep(_LOOK_S)


def _take_soon(original: Callable[..., Any], lock: Any, lane: Lane) -> bool:
    """Acquire a lock that is released when a thread ends, in a moment; unless the program has got hold of it before."""
    while not original(lock, True, _MOMENT_S):
        if threads.read(str(lane.native_id), "stat") is None:
            return bool(original(lock, False))
    return True
