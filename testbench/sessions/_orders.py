"""How much of the recorded order a session keeps: all of it, or what a relaxation leaves that the user has declared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import attrs

from testbench.errors import TestbenchError, UsageError
from testbench.protocol import Plain
from testbench.sessions._baton import Baton
from testbench.sessions._comparing import Comparing
from testbench.sessions._cursor import NONE_ASIDE, Aside, Cursor, RawEvent
from testbench.sessions._lane_cursor import LaneCursor
from testbench.sessions._lanes import Lane
from testbench.sessions._shuffling import Shuffled
from testbench.sessions._turns import Turns, Unordered
from testbench.sessions._vigil import Wait
from testbench.sessions._waiting import RAN_OUT
from testbench.tape import KindRow, Reader
from testbench.values import same

ORDERS: Final = ("strict", "boundary", "lane", "any")
"""From the strictest to the loosest."""

_KEPT: Final = {
    "strict": "recorded order over all lanes",
    "boundary": "recorded order over all lanes; between events they run side by side",
    "lane": "recorded order within each lane",
    "any": "in any order",
}


@attrs.frozen
class Order:
    """The order that a session keeps.

    Attributes:
        name: one of `ORDERS`.
        seed: from which other orders of the lanes are drawn on replay; each keeps its own.
    """

    name: str = "strict"
    seed: int | None = None

    @property
    def by_lane(self) -> bool:
        """Whether each lane takes its events without regard to the others."""
        return self.name in ("lane", "any") or self.seed is not None

    @property
    def rule(self) -> str:
        """The rule for a report."""
        kept = _KEPT["lane" if self.by_lane and self.name != "any" else self.name]
        shuffled = "" if self.seed is None else f", shuffled with seed {self.seed}"
        return f"same kind and op, request by its matcher, {kept}{shuffled}"

    def follows_locks(self, *, replaying: bool) -> bool:
        """Tell whether waits for locks are ours: to repeat who gets which, or to notice waits in vain."""
        return replaying or self.name == "strict"

    def recording_baton(self, main: Lane, **options: Any) -> Baton:
        """Return who puts the lanes of a recording in order."""
        return (Baton if self.name == "strict" else Unordered)(main, list, **options)

    def replaying_baton(self, main: Lane, cursor: Callable[[], Cursor], **options: Any) -> Baton:
        """Return who puts the lanes of a replay in order, by the cursor that there will be."""
        if self.seed is not None:
            shuffled = Shuffled(main, lambda waits: _of_any_lane(cursor(), waits), **options)
            shuffled.seed = self.seed
            return shuffled
        if self.by_lane:
            return Baton(main, lambda waits: _of_any_lane(cursor(), waits), **options)
        made = Baton if self.name == "strict" else Turns
        return made(main, lambda waits: _of_next_event(cursor(), waits), **options)

    def cursor(
        self,
        reader: Reader,
        failed: Callable[[], TestbenchError | None],
        comparing: Comparing,
        baton: Baton,
        aside: Aside = NONE_ASIDE,
    ) -> Cursor:
        """Return what moves along the events of a tape.

        Raises:
            UsageError: a tape with signals is to be replayed lane by lane.
        """
        if self.by_lane:
            signals = sorted({row.name for row in reader.kinds.values() if row.name.startswith("signal.")})
            if signals:
                raise UsageError(
                    f"this tape has {signals[0]}, and the moment of a signal is told by the order of all events: "
                    'replay it with order="strict" or "boundary", and not shuffled'
                )
            return LaneCursor(reader, failed, _Fits(reader, comparing) if self.name == "any" else None, aside)
        cursor = Cursor(reader, failed, aside)
        if isinstance(baton, Turns):
            cursor.moved = baton.moved
        return cursor


STRICT: Final = Order()


def _of_next_event(cursor: Cursor, waits: list[Wait]) -> list[Wait]:
    """Return who may take the next event of the tape; at its end, everybody."""
    turn = cursor.turn
    if turn is None:
        return [wait for wait in waits if not wait.timed]
    ran_out = cursor.row.name == RAN_OUT
    return [wait for wait in waits if wait.turn == turn and wait.timed == ran_out]


def _of_any_lane(cursor: Cursor, waits: list[Wait]) -> list[Wait]:
    """Return who may take the next event of its own lane; whose time runs out, only if the tape says so."""
    assert isinstance(cursor, LaneCursor)
    return [wait for wait in waits if not wait.timed or cursor.next_is(wait.turn, RAN_OUT)]


@attrs.frozen
class _Fits:
    """Tells whether an event answers a call, wherever it is on the tape."""

    _reader: Reader
    _comparing: Comparing

    def __call__(self, row: KindRow, event: RawEvent, name: str, request: Plain) -> bool:
        if row.name != name:
            return False
        if name == "lane.start":
            return {"name": event[3][0]} == request
        if row.fields[-1:] != ("outcome",):
            return True
        recorded = self._reader.call_body(event[3], row)[0]
        return same(recorded, request) or self._comparing.unlike(name, recorded, request) is None
