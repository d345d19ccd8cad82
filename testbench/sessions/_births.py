"""The birth of lanes on replay: each is an event of the tape, which says who starts it and gives it its number."""

from __future__ import annotations

from typing import Protocol

from testbench.errors import TestbenchError
from testbench.protocol import Plain
from testbench.sessions._arriving import Arrivals, OverError
from testbench.sessions._baton import Baton
from testbench.sessions._cursor import STRANGER, Cursor, RawEvent
from testbench.sessions._lanes import Lane
from testbench.sessions._rerecording import Rerecorder


class Owner(Protocol):
    """The replay, as far as births need it."""

    cursor: Cursor

    def arrive(self, lane: Lane, name: str, request: Plain, *, turn: int | None = None) -> RawEvent:
        """Wait for a turn; return its event."""


class Births:
    """The lanes that a replay has begun.

    Args:
        owner: the replay.
        arrivals: where divergences go.
        baton: who runs the program.
        rerecorder: records births again.
        living: the numbers of those that have not ended.
    """

    def __init__(
        self, owner: Owner, arrivals: Arrivals, baton: Baton, rerecorder: Rerecorder, living: set[int]
    ) -> None:
        self._owner = owner
        self._arrivals = arrivals
        self._baton = baton
        self._rerecorder = rerecorder
        self._living = living

    def born(self, parent: Lane, name: str) -> Lane:
        """Return a lane that the tape says is started here."""
        lane = Lane(-1, name)
        if self._find(parent.number, parent, lane):
            self._baton.start(lane)
        return lane

    def adopted(self, lane: Lane) -> None:
        """Give a lane its number whose thread nobody was seen to start."""
        self._find(STRANGER, lane, lane)

    def ended(self, lane: Lane) -> None:
        """Be told that a lane has ended."""
        self._living.discard(lane.number)

    def _find(self, turn: int, asking: Lane, lane: Lane) -> bool:
        """Find the start of a lane on the tape, and give it its number; False once the session is over."""
        name, cursor = lane.name, self._owner.cursor
        request: dict[str, Plain] = {"name": name}
        try:
            event = self._owner.arrive(asking, "lane.start", request, turn=turn)
            row = cursor.row
            if row.name != "lane.start" or event[3][0] != name:
                told = f"the tape holds {row.name} here, the program started the lane {name}"
                self._arrivals.diverge("mismatch", told, asking, "lane.start", request)
            self._rerecorder.lane(event)
            self._living.add(int(event[2]))
            cursor.advance()
            lane.number = int(event[2])
            return True
        except OverError:
            return False
        except TestbenchError as error:
            self._arrivals.stick(error)
            raise
