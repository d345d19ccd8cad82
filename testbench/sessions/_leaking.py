"""Leaks while recording: they happen, and are listed with the line that made them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from testbench.protocol import Plain
from testbench.redaction import Redactor
from testbench.sessions._handling import RecordedSignals
from testbench.sessions._lanes import Lane, Lanes
from testbench.sessions._leaks import UNSEEN_FORK, Leaks
from testbench.sessions._state import State


class RecordedLeaks:
    """What no event of one recording tells of.

    Args:
        leaks: where it is listed.
        lanes: the lanes of the recording.
        signals: told when our own code is left.
        state: whether the recording goes on.
        redactor: takes secrets out of what is listed; None leaves them there.
    """

    def __init__(
        self, leaks: Leaks, lanes: Lanes, signals: RecordedSignals, state: State, redactor: Redactor | None
    ) -> None:
        self._leaks = leaks
        self._lanes = lanes
        self._signals = signals
        self._state = state
        self._redactor = redactor

    def let(
        self, name: str, request: Plain, effect: Callable[[], Any], instead: str, before: Callable[[], None]
    ) -> Any:
        """Let a leak happen and list it; see `testbench.protocol.Call.leak`.

        Args:
            name: kind and op.
            request: what is asked.
            effect: makes it happen.
            instead: what to do instead.
            before: called when it is listed and has not happened.
        """
        lane = self._lanes.current()
        if not lane.depth:
            lane.depth = 1
            try:
                self._note(name, request, instead)
                before()
            finally:
                self._signals.leave(lane, None)
        lane.leaking += 1
        try:
            return effect()
        finally:
            lane.leaking -= 1

    def report(self, name: str, request: Plain, instead: str) -> None:
        """List a leak that happens afterwards; see `testbench.protocol.Call.report`."""
        lane = self._lanes.known()
        if not self._is_new(lane):
            return
        lane = lane or Lane(-1, "")
        lane.depth = 1
        try:
            self._note(name, request, instead)
        finally:
            self._signals.leave(lane, None)

    def see_fork(self) -> None:
        """List a fork, unless it belongs to a crossing, or its line has told of a leak already."""
        if self._is_new(self._lanes.known()):
            self._leaks.note(UNSEEN_FORK, None, first=True)

    def _is_new(self, lane: Lane | None) -> bool:
        return not self._state.is_idle() and not (lane is not None and (lane.depth or lane.leaking))

    def _note(self, name: str, request: Plain, instead: str) -> None:
        shown = request if self._redactor is None else self._redactor.value(request)
        self._leaks.note(name, shown, instead=instead)
