"""Signals while recording: when each handler of the program runs, and the event that says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from testbench.depth import laid_aside
from testbench.sessions._appending import Appender
from testbench.sessions._baton import Baton
from testbench.sessions._lanes import Lane, Lanes
from testbench.sessions._leaks import Leaks
from testbench.sessions._moments import AFTER, BETWEEN, HANDLED, INSIDE, SENT
from testbench.sessions._signals import signal_name
from testbench.sessions._state import State

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

    def came(self, number: int, handler: Callable[[], object], *, sent: bool) -> None:
        """Run the handler at once, unless this thread is within our own code, where it may hold locks."""
        if self._state.is_idle():
            handler()
            return
        lane = self._lanes.current()
        if lane.effect is not None:
            self._handle(lane, number, handler, INSIDE, lane.effect)
        elif lane.depth:
            lane.deferred.append((number, handler))
        else:
            self._handle(lane, number, handler, SENT if sent else BETWEEN, None)

    def leave(self, lane: Lane, crossing: str | None, moment: str = AFTER) -> None:
        """Leave our own code; run the handlers that had to wait for that.

        Args:
            lane: the running lane.
            crossing: what it leaves; None if a replay cannot tell when that is.
            moment: `AFTER` it, or `BEFORE` it if its effect is still to come.
        """
        lane.depth = 0
        while lane.deferred:
            self._handle(lane, *lane.deferred.pop(0), moment if crossing else BETWEEN, crossing)

    def relieve(self, lane: Lane) -> None:
        """Run the handlers that had to wait, before their lane waits itself, in an effect or for a lock."""
        while lane.deferred:
            self._handle(lane, *lane.deferred.pop(0), INSIDE if lane.effect else BETWEEN, lane.effect)

    def _handle(
        self, lane: Lane, number: int, handler: Callable[[], object], moment: str, crossing: str | None
    ) -> None:
        depth, effect, thrown = lane.depth, lane.effect, lane.thrown
        lane.depth, lane.effect = 1, None
        try:
            with self._baton.borrowed(lane, outside=True):
                self._append(lane, number, moment, crossing)
                lane.depth = 0
                with laid_aside():
                    handler()
                lane.depth = 1
        except BaseException as error:
            thrown = error
            raise
        finally:
            lane.depth, lane.effect, lane.thrown = depth, effect, thrown
            del thrown  # it may refer to this frame
            if not depth:
                self.leave(lane, None)

    def _append(self, lane: Lane, number: int, moment: str, crossing: str | None) -> None:
        if self._state.is_idle():
            return
        try:
            if self._appender.handled(lane.number, number, moment, crossing) == BETWEEN:
                self._leaks.note(f"signal.{signal_name(number)}", None, where=_INEXACT)
        except BaseException as reason:
            self._state.broke(reason, HANDLED)
            raise
