"""The next unread event, and whose turn it is: lanes take events in the one recorded order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Set
from itertools import islice
from typing import Any, Final

from testbench.errors import TapeError, TestbenchError
from testbench.inplace import real
from testbench.protocol import Plain
from testbench.tape import KindRow, Reader

RawEvent = tuple[Any, ...]

Aside = tuple[Set[int], Callable[[RawEvent], None]]
"""Kind numbers of events that no lane takes, and what is told of each as it is passed."""

NONE_ASIDE: Final[Aside] = (frozenset(), lambda event: None)

STRANGER: Final = -1
"""The turn of a thread that the recording had not seen before: it has no lane yet."""

LANE_START: Final = 0
"""The number of the kind of event with which a lane begins."""

_LOOK_S: Final = 0.05
"""How often whoever closes the session looks whether lanes that still run can move at all."""


class Cursor:
    """Moves along the events of a tape, one lane at a time.

    Only the lane whose turn it is may look at `event` and `advance`. Its memory is one event and three behind it.

    Attributes:
        by_lane: whether `bring` has to be asked for the next event of a lane.
        event: the next event, raw; None at the end of the tape.
        seq: its position.
        row: its kind; undefined at the end of the tape.
        turn: the lane that it belongs to; None at the end of the tape.
        shared: whether several lanes move it; nothing is locked before.
        over: whether the session has ended, so that the world is real again.
        now_ns: virtual time, nanoseconds since the recording began: when the last event taken was appended.
        names: lane names by number, as far as the tape has been read.
        taken: how many events have been taken.
        moved: called when another event is next, where several lanes move.

    Args:
        reader: the tape.
        failed: tells what went wrong, if anything.
        aside: kind numbers of events that no lane takes, and what is told of each as it is passed.
    """

    by_lane = False

    def __init__(
        self,
        reader: Reader,
        failed: Callable[[], TestbenchError | None],
        aside: Aside = NONE_ASIDE,
    ) -> None:
        self._aside = aside
        self._kinds = reader.kinds
        self._events: Iterator[RawEvent] = iter(reader.events())
        self._failed = failed
        self._lock = real.Mutex()
        self._gate: Any = None  # of whoever closes the session and waits for lanes that still run
        self._damage: TapeError | None = None
        self.shared = False
        self.over = False
        self.turn: int | None = None
        self.row: KindRow
        self.event: RawEvent | None = None
        self.seq = -1
        self.now_ns = 0
        self.names: dict[int, str] = {0: "main"}
        self.taken = 0
        self.moved: Callable[[], None] | None = None
        self.before: deque[tuple[int, int, RawEvent]] = deque(maxlen=3)
        self._load()

    def advance(self) -> None:
        """Take the next event; wake the lane that comes after."""
        event = self.event
        assert event is not None
        self.taken += 1
        self.before.append((self.seq, self.now_ns, event))
        self.now_ns += event[1]
        if event[0] == LANE_START:
            self.names[event[2]] = str(event[3][0])
        if not self.shared:
            self._load()
            return
        with self._lock:
            self._load()
            self._open_gate()
        if self.moved is not None:
            self.moved()

    def bring(self, turn: int, name: str, request: Plain) -> None:
        """Do nothing: the next event is the next one on the tape, whoever asks."""

    def keep(self, lane: int) -> None:
        """Do nothing: nobody else brings another event."""

    def turns(self) -> set[int]:
        """Return the lanes whose events may be taken now."""
        return set() if self.turn is None else {self.turn}

    def wait_moved(self, in_vain: Callable[[], bool]) -> bool:
        """Wait until some lane has taken the next event; False when it is told that this is in vain."""
        seq = self.seq
        with self._lock:
            if self._failed() is not None or self.event is None:
                return True
            self._gate = self._gate or real.allocate_lock()
            real.acquire(self._gate, False)
        while not real.acquire(self._gate, True, _LOOK_S) and seq == self.seq:
            if in_vain():
                return False
        return True

    def check(self) -> None:
        """Raise the damage that ended the tape too early, if any."""
        if self._damage is not None:
            raise self._damage

    def wake(self) -> None:
        """Wake whoever waits for a move, to find that the session has failed."""
        with self._lock:
            self._open_gate()

    def rest(self, most: int) -> list[tuple[int, int, RawEvent]]:
        """Return up to ``most`` of the events after the next one with seq and time; nobody can advance afterwards."""
        found: list[tuple[int, int, RawEvent]] = []
        with self._lock:
            now_ns = self.now_ns + (self.event[1] if self.event else 0)
            try:
                for event in islice(self._events, most):
                    found.append((self.seq + 1 + len(found), now_ns, event))
                    now_ns += event[1]
            except TapeError as damage:
                self._damage = damage  # the report shows what could be read; the damage itself is raised at close
        return found

    def _load(self) -> None:
        self.seq += 1
        try:
            event, passed, passed_ns = self._next()
            self.event = event
            self.seq += passed
            self.now_ns += passed_ns
            if event is None:
                self.turn = None
            else:
                self.row = self._kinds[event[0]]
                self.turn = turn_of(event)
        except TapeError as damage:
            self.event, self.turn, self._damage = None, None, damage

    def _next(self) -> tuple[RawEvent | None, int, int]:
        """Read the next event that lanes take; return it, None at the end, with how many were passed, and their time.

        Raises:
            TapeDamagedError: it cannot be read.
        """
        numbers, told = self._aside
        passed = passed_ns = 0
        for event in self._events:
            if event[0] not in numbers:
                return event, passed, passed_ns
            passed += 1
            self.taken += 1
            passed_ns += event[1]
            told(event)
        return None, passed, passed_ns

    def _open_gate(self) -> None:
        if self._gate is not None:
            real.open_gate(self._gate)


def turn_of(event: RawEvent) -> int:
    """Return whose move an event is; the start of a lane is its parent's, or a thread's that turns up by itself."""
    if event[0] != LANE_START:
        return int(event[2])
    parent = event[3][1]
    return STRANGER if parent is None else int(parent)
