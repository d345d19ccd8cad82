"""Arriving at the next event of a replay, and what happens when there is none or another: divergences that stick."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NoReturn

from testbench.errors import TestbenchError, UsageError
from testbench.protocol import Plain
from testbench.sessions._baton import Baton
from testbench.sessions._cursor import LANE_START, Cursor, RawEvent
from testbench.sessions._lanes import Lane
from testbench.sessions._reporting import Reporter

_OVER: Final = "over"


class OverError(Exception):
    """The session ended while a lane waited: its crossing comes after it and is for the real world."""


class Arrivals:
    """The way of every lane to its next event.

    Args:
        stuck: called once, when the replay has failed.
        baton: who runs the program.
        lives: tells of a lane that has begun, by its number, whether it has not ended.

    Attributes:
        failure: what went wrong first; raised again at every later crossing and at the end.
        in_vain: whether it was that nobody could go on, so that whoever waits does so in vain.
    """

    def __init__(self, stuck: Callable[[], None], baton: Baton, lives: Callable[[int], bool]) -> None:
        self.failure: TestbenchError | None = None
        self.in_vain = False
        self._stuck = stuck
        self._late: list[tuple[Lane, str, Plain]] = []  # who calls what after the end of the tape
        self._baton = baton
        self._lives = lives
        self._cursor: Cursor
        self._reporter: Reporter

    def follow(self, cursor: Cursor, reporter: Reporter) -> None:
        """Begin at a cursor, which itself asks for `failure` when a lane waits at it."""
        self._cursor, self._reporter = cursor, reporter

    def at(self, turn: int, lane: Lane, name: str, request: Plain, *, pausing: bool) -> RawEvent:
        """Wait for a lane's turn; return the event of this lane that is at the cursor now.

        At the end of the tape, another lane than the main one waits for the end of the session: it may be a thread that
        had begun this crossing when the recording ended, and whose outcome came later.

        Args:
            turn: whose turn it must be.
            lane: the running lane.
            name: what it calls.
            request: what it asks.
            pausing: while recording, other lanes ran here, since it had an effect.

        Raises:
            OverError: the session ended meanwhile.
            DivergenceError: the tape has ended, nobody moves, or the replay has failed before.
        """
        cursor, baton = self._cursor, self._baton
        if (
            (cursor.turn != turn and not cursor.by_lane)
            or not baton.goes_on(lane, pausing=pausing)
            or self.failure is not None
        ):
            self._wait(turn, lane, name, request)
        if cursor.by_lane:
            cursor.bring(turn, name, request)
        event = cursor.event
        if event is None:
            cursor.check()
            if lane.number:
                self._wait_over(lane, name, request)
                self.in_vain = True
            self._exhausted(lane, name, request)
        return event

    def _wait(self, turn: int, lane: Lane, name: str, request: Plain) -> None:
        let_go = self._baton.pass_on(lane, turn, name)
        self._look_up()
        if not let_go:
            self.stall(lane, name, request)

    def _wait_over(self, lane: Lane, name: str, request: Plain) -> None:
        """Wait, after the end of the tape, for that of the session; return if it does not come."""
        late = (lane, name, request)
        self._late.append(late)
        try:
            told = f"the end of the session, to call {name} after it: the tape has ended"
            self._baton.sleep(lane, _OVER, None, lambda: self._cursor.over, told)
            self._look_up()
        finally:
            self._late.remove(late)

    def _look_up(self) -> None:
        """Raise what has happened while this lane waited."""
        if self.failure is not None:
            raise self.failure
        if self._cursor.over:
            raise OverError

    def stall(self, lane: Lane, name: str, request: Plain = None) -> NoReturn:
        """Report that a lane waits and nobody can go on any more."""
        if self.failure is not None:
            raise self.failure
        self.in_vain = True
        if self._late:  # it is for this one that the others wait
            self._exhausted(*self._late[0])
        self.diverge("stall", self._stalled(), lane, name, request)

    def _exhausted(self, lane: Lane, name: str, request: Plain) -> NoReturn:
        ended = "the tape has no more events of this lane" if self._cursor.by_lane else "the tape has ended"
        self.diverge("exhausted", f"{ended}, and the program calls {name}", lane, name, request)

    def diverge(self, code: str, reason: str, lane: Lane, name: str, request: Plain) -> NoReturn:
        """Raise a divergence, and make it stick."""
        if self.failure is None:
            self.stick(self._reporter.error(code, reason, lane.name, name, request))
        self.fail()

    def fail_later(self, reason: str, lane: Lane | None, name: str) -> None:
        """Refuse what happens where nothing can be raised: the next crossing raises it, and the end of the session."""
        if self.failure is None:
            called = "of a thread without any event" if lane is None else lane.name
            self.stick(self._reporter.error("refused", reason, called, name, None))

    def intrude(self, name: str) -> NoReturn:
        """Refuse what a signal handler or finaliser asks for while its thread is reading an event.

        It sticks, but nobody is waked and nothing is looked up: this thread may hold the lock that it takes.
        """
        if self.failure is None:
            self.failure = UsageError(
                f"{name} was called by a signal handler or finaliser while an event was being read; it is not on the "
                "tape, so it can be neither answered nor run"
            )
        raise self.failure

    def stick(self, failure: TestbenchError) -> None:
        """Make every later crossing, and the end of the session, raise this again."""
        if self.failure is None:
            self.failure = failure
            self._stuck()
            self._cursor.wake()
            self._baton.end()

    def fail(self) -> NoReturn:
        """Raise again what went wrong; the reader of every source once something has."""
        assert self.failure is not None
        raise self.failure

    def hopeless(self) -> bool:
        """Tell whether the next event belongs to a lane that has ended."""
        turn = None if self._cursor.by_lane else self._cursor.turn
        return turn is not None and turn in self._cursor.names and not self._lives(turn)

    def _stalled(self) -> str:
        turn, event = self._cursor.turn, self._cursor.event
        if turn is None or event is None:
            return "no lane can go on any more: the tape has ended, and each waits for another"
        owner, name = self._cursor.names.get(turn, "a thread that has no lane yet"), self._cursor.row.name
        told = f"the next event, {name}{f' of {event[3][0]}' if event[0] == LANE_START else ''}, belongs to {owner}"
        if self.hopeless():
            return f"{told}, which has ended without it"
        return f"no lane can go on any more, and {told}"
