"""Signals while recording: when each handler of the program runs, and the event that says so."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from testbench.depth import laid_aside
from testbench.sessions._appending import Appender
from testbench.sessions._baton import Baton
from testbench.sessions._lanes import Lane, Lanes
from testbench.sessions._leaks import Leaks
from testbench.sessions._moments import AFTER, BETWEEN, HANDLED, INSIDE, SENT
from testbench.sessions._signals import Handlers, Interrupted, signal_name
from testbench.sessions._state import State

_MOST_NESTED: Final = 2
"""So many handlers may run, each in the middle of the one before; others wait until the last one has ended."""

_MOST_WAIT: Final = 4
"""Where so many wait, another signal that one of them is for is the same signal, as where the system keeps them."""

_INEXACT: Final = "the handler ran at a moment between two events, which a replay knows only roughly"


class RecordedSignals:
    """The signals of one recording; see `testbench.sessions._signals.Coming`.

    Args:
        lanes: the lanes of the recording.
        appender: where events go.
        baton: who runs the program.
        leaks: where signals are listed whose moment a replay cannot repeat exactly.
        state: whether the recording goes on.
    """

    def __init__(
        self,
        lanes: Lanes,
        appender: Appender,
        baton: Baton,
        leaks: Leaks,
        state: State,
    ) -> None:
        self._lanes = lanes
        self._appender = appender
        self._baton = baton
        self._leaks = leaks
        self._state = state
        self._handlers: Handlers
        self._woken: int | None = None  # the number of the signal that woke the program

    def follow(self, handlers: Handlers) -> None:
        """Wake the program by these."""
        self._handlers = handlers

    def came(self, number: int, handler: Callable[[], object], *, sent: bool) -> Interrupted | None:
        """Run the handler at once, unless this thread is within our own code, where it may hold locks."""
        if self._state.is_idle():
            handler()
            return None
        lane = self._lanes.current()
        here = Interrupted(lane, lane.depth, lane.effect)
        if not sent or lane.depth:
            self._defer(lane, number, handler)
            if lane.depth and lane.effect is None:
                return None
        lane.depth, lane.effect = 1, None
        try:
            if sent and not here.depth:
                self._handle(lane, number, handler, SENT, None)
            else:
                self._handle_deferred(lane, INSIDE if here.effect else BETWEEN, here.effect, most=1)
        except BaseException:
            lane.depth, lane.effect = here.depth, here.effect
            raise
        return here

    def changes(self, number: int, *, gone: bool) -> None:
        """Run the handlers that had to wait, as CPython does before it changes one."""
        lane = self._lanes.known()
        if lane is not None and lane.deferred and not lane.depth:
            lane.depth = 1
            self.leave(lane, None)
            lane.deferred[:] = [waits for waits in lane.deferred if waits[0] != number]

    def leave(self, lane: Lane, crossing: str | None, moment: str = AFTER) -> None:
        """Leave our own code; run the handlers that had to wait for that.

        Args:
            lane: the running lane.
            crossing: what it leaves; None if a replay cannot tell when that is.
            moment: `AFTER` it, or `BEFORE` it if its effect is still to come.
        """
        try:
            if lane.deferred:
                self._handle_deferred(lane, moment if crossing else BETWEEN, crossing)
        finally:
            lane.depth = 0

    def relieve(self, lane: Lane) -> None:
        """Run the handlers that had to wait, before their lane waits itself, in an effect or for a lock."""
        self._handle_deferred(lane, INSIDE if lane.effect else BETWEEN, lane.effect)

    def wake(self) -> None:
        """Let handlers run that wait for an event which may never come; called in a thread of our own, now and then."""
        lane = self._lanes.in_main_thread()
        if lane is None or lane.depth or not lane.deferred:
            return
        with suppress(IndexError):  # it has run in this moment
            self._woken = lane.deferred[0][0]
            self._handlers.wake(self._woken)

    def _defer(self, lane: Lane, number: int, handler: Callable[[], object]) -> None:
        woken, self._woken = self._woken == number, None
        if woken and lane.deferred:
            return
        if len(lane.deferred) < _MOST_WAIT or all(number != waits for waits, _ in lane.deferred):
            lane.deferred.append((number, handler))

    def _handle_deferred(self, lane: Lane, moment: str, crossing: str | None, *, most: int | None = None) -> None:
        """Run the handlers that wait; those of signals that come meanwhile wait again, so that the program gets on.

        Some wait for the end of the handler that runs: what is sent signals faster than it handles them must not
        recurse without end.
        """
        if lane.handling >= _MOST_NESTED:
            return
        for _ in range(1 if lane.handling else most or len(lane.deferred)):
            if lane.deferred:
                self._handle(lane, *lane.deferred.pop(0), moment, crossing)
            if moment == AFTER:
                moment, crossing = BETWEEN, None  # what the handler has done has come between

    def _handle(
        self, lane: Lane, number: int, handler: Callable[[], object], moment: str, crossing: str | None
    ) -> None:
        depth, effect, thrown = lane.depth, lane.effect, lane.thrown
        lane.depth, lane.effect = 1, None
        lane.handling += 1
        try:
            with self._baton.borrowed(lane, outside=True):
                self._append(lane, number, moment, crossing)
                lane.depth = 0
                try:
                    with laid_aside():
                        handler()
                finally:
                    lane.depth = 1
                    self._end_reads()
        except BaseException as error:
            thrown = error
            raise
        finally:
            lane.handling -= 1
            lane.depth, lane.effect, lane.thrown = depth, effect, thrown
            del thrown  # it may refer to this frame

    def _append(self, lane: Lane, number: int, moment: str, crossing: str | None) -> None:
        if self._state.is_idle():
            return
        try:
            if self._appender.handled(lane.number, number, moment, crossing) == BETWEEN:
                self._leaks.note(f"signal.{signal_name(number)}", None, where=_INEXACT)
        except BaseException as reason:
            self._state.broke(reason, HANDLED)
            raise

    def _end_reads(self) -> None:
        """Let what the handler has read be no part of a run that what it interrupted goes on with."""
        if self._state.is_idle():
            return
        try:
            self._appender.stop_reading()
        except BaseException as reason:
            self._state.broke(reason, HANDLED)
            raise
