"""Arriving at the next event of a replay, and what happens when there is none or another: divergences that stick."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from testbench.errors import TestbenchError, UsageError
from testbench.protocol import Plain
from testbench.sessions._cursor import STRANGER, Cursor, RawEvent
from testbench.sessions._lanes import Lane
from testbench.sessions._reporting import Reporter
from testbench.sessions._turns import Turns


class OverError(Exception):
    """The session ended while a lane waited: its crossing comes after it and is for the real world."""


class Arrivals:
    """The way of every lane to its next event.

    Args:
        stuck: called once, when the replay has failed.
        turns: says when a lane may go on whose turn it is.

    Attributes:
        failure: what went wrong first; raised again at every later crossing and at the end.
    """

    def __init__(self, stuck: Callable[[], None], turns: Turns) -> None:
        self.failure: TestbenchError | None = None
        self._stuck = stuck
        self._turns = turns
        self._cursor: Cursor
        self._reporter: Reporter

    def follow(self, cursor: Cursor, reporter: Reporter) -> None:
        """Begin at a cursor, which itself asks for `failure` when a lane waits at it."""
        self._cursor, self._reporter = cursor, reporter

    def at(self, turn: int, lane: Lane, name: str, request: Plain) -> RawEvent:
        """Wait for a lane's turn; return the event of this lane that is at the cursor now.

        At the end of the tape, another lane than the main one waits for the end of the session: it may be a thread that
        had begun this crossing when the recording ended, and whose outcome came later.

        Raises:
            OverError: the session ended meanwhile.
            DivergenceError: the tape has ended, nobody moves, or the replay has failed before.
        """
        cursor = self._cursor
        # Where it has the turn already, nobody else can move the cursor: there is nothing to wait for or lock.
        if (cursor.turn != turn or self._turns.holder != turn or self.failure is not None) and not self._wait(
            turn, lane
        ):
            self.diverge("stall", self._stalled(), lane, name, request)
        event = cursor.event
        if event is None:
            if lane.number and cursor.wait_over(turn):
                raise OverError
            self.diverge("exhausted", f"the tape has ended, and the program calls {name}", lane, name, request)
        return event

    def _wait(self, turn: int, lane: Lane) -> bool:
        self._turns.rest(lane)
        if not self._cursor.wait(turn):
            return False
        if self._cursor.turn is not None:
            self._turns.take(lane)
            if self.failure is not None:
                raise self.failure
        return True

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
            self._cursor.wake_all()

    def fail(self) -> NoReturn:
        """Raise again what went wrong; the reader of every source once something has."""
        assert self.failure is not None
        raise self.failure

    def _stalled(self) -> str:
        event = self._cursor.event
        owner = self._cursor.names.get(event[2] if event else STRANGER, "a new lane")
        return f"no lane has moved for a while: the next event, {self._cursor.row.name}, belongs to {owner}"
