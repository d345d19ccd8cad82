"""The cursor of a replay whose lanes need not keep the order that they had among one another."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from testbench.errors import TapeError, TestbenchError
from testbench.protocol import Plain
from testbench.sessions._cursor import NONE_ASIDE, Aside, Cursor, RawEvent, turn_of
from testbench.tape import KindRow, Reader


class Unread(NamedTuple):
    """One event that has not been taken: its position, the time before it, and itself."""

    seq: int
    before_ns: int
    event: RawEvent


Fits = Callable[[KindRow, RawEvent, str, Plain], bool]
"""Tells whether an event answers a call: its name and request."""


class LaneCursor(Cursor):
    """Moves along the events of each lane by itself, or of all lanes in any order.

    Who is about to take an event, with the baton in its hand, lets `bring` choose it. Events of lanes that are behind
    stay in memory.

    Args:
        reader: the tape.
        failed: what the replay has failed of.
        fits: where any event will do that answers the call, what does; None where each lane keeps its order.
        aside: events that no lane takes.
    """

    by_lane = True

    def __init__(
        self,
        reader: Reader,
        failed: Callable[[], TestbenchError | None],
        fits: Fits | None = None,
        aside: Aside = NONE_ASIDE,
    ) -> None:
        self._fits = fits
        self._unread: dict[int, deque[Unread]] = {}
        self._shown: Unread | None = None
        self._kept: dict[int, Unread] = {}
        self._read = 0
        self._read_ns = 0
        super().__init__(reader, failed, aside)

    def bring(self, turn: int, name: str, request: Plain) -> None:
        """Make the event that answers a call the next one; none is, if the lane has no more."""
        with self._lock:
            self._show(self._kept.get(turn) or self._found(turn, name, request))

    def keep(self, lane: int) -> None:
        """Bring the event that is next now, whenever a lane asks, until it is taken: a run is taken value by value."""
        if self._shown is not None:
            self._kept[lane] = self._shown

    def next_is(self, turn: int, name: str) -> bool:
        """Tell whether the next event of a lane is of some kind."""
        with self._lock:
            found = self._next_of(turn)
        return found is not None and self._kinds[found.event[0]].name == name

    def rest(self, most: int) -> list[tuple[int, int, RawEvent]]:
        """Return up to ``most`` of the unread events that stand after the next one, with seq and time."""
        with self._lock:
            while self._read_on() is not None and self._read - self.seq <= most:
                pass
            found = sorted(item for unread in self._unread.values() for item in unread if item.seq > self.seq)
        return [(item.seq, item.before_ns, item.event) for item in found[:most]]

    def turns(self) -> set[int]:
        """Return the lanes that have events left, as far as the tape has been read."""
        with self._lock:
            return {turn for turn, unread in self._unread.items() if unread}

    def _load(self) -> None:
        """Take away what was shown; show what comes first of the rest."""
        if self._shown is not None and self.turn is not None:
            self._unread[self.turn].remove(self._shown)  # the first of them, nearly always
            self._kept = {lane: item for lane, item in self._kept.items() if item is not self._shown}
        self._show(self._first() or self._read_on())

    def _show(self, item: Unread | None) -> None:
        self._shown = item
        if item is None:
            self.seq, self.event, self.turn = self._read, None, None
            return
        self.seq, self.now_ns, self.event = item
        self.row, self.turn = self._kinds[item.event[0]], turn_of(item.event)

    def _found(self, turn: int, name: str, request: Plain) -> Unread | None:
        if self._fits is None:
            return self._next_of(turn)
        mine: Iterable[Unread] = self._unread.get(turn, ())
        others = sorted(item for owner, unread in self._unread.items() if owner != turn for item in unread)
        for item in (*mine, *others):
            if self._answers(item, name, request):
                return item
        while (read := self._read_on()) is not None:
            if self._answers(read, name, request):
                return read
        mine_next = self._next_of(turn)
        return self._first() if mine_next is None else mine_next

    def _first(self) -> Unread | None:
        heads: list[Unread] = [unread[0] for unread in self._unread.values() if unread]
        return min(heads) if heads else None

    def _answers(self, item: Unread, name: str, request: Plain) -> bool:
        assert self._fits is not None
        if item in self._kept.values():
            return False
        return self._fits(self._kinds[item.event[0]], item.event, name, request)

    def _next_of(self, turn: int) -> Unread | None:
        while not self._unread.get(turn):
            if self._read_on() is None:
                return None
        return self._unread[turn][0]

    def _read_on(self) -> Unread | None:
        """Read one more event of the tape; None at its end."""
        try:
            event, passed, passed_ns = self._next()
        except TapeError as damage:
            self._damage = damage
            return None
        self._read += passed
        self._read_ns += passed_ns
        if event is None:
            return None
        item = Unread(self._read, self._read_ns, event)
        self._read += 1
        self._read_ns += event[1]
        self._unread.setdefault(turn_of(event), deque()).append(item)
        return item
