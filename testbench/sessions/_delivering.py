"""Signals on replay: each handler of the program runs where the tape says, for real ones as well as for gone ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final, NamedTuple, NoReturn, cast

from testbench.depth import laid_aside
from testbench.errors import TestbenchError
from testbench.protocol import Plain
from testbench.sessions._arriving import Arrivals
from testbench.sessions._baton import Baton
from testbench.sessions._cursor import Cursor, RawEvent
from testbench.sessions._lanes import Lane, Lanes
from testbench.sessions._moments import AFTER, BEFORE, BETWEEN, HANDLED, INSIDE, INTERRUPTED, SENT
from testbench.sessions._rerecording import Rerecorder
from testbench.sessions._signals import Handlers, Interrupted, in_main_thread, signal_name
from testbench.tape import Reader

Arrive = Callable[[Lane, str, Plain], RawEvent]


class Handled(NamedTuple):
    """The request of one event ``signal.handled``."""

    number: int
    moment: str
    crossing: str | None


class ReplayedSignals:
    """The signals of one replay; see `testbench.sessions._signals.Coming`.

    Args:
        reader: the tape.
        cursor: where the replay is on it.
        arrivals: what is told of divergences.
        lanes: the lanes of the replay.
        baton: who runs the program.
        rerecorder: appends what is taken from the tape.
        arrive: waits for a lane's turn, as for any crossing.
        at_rest: tells that no run of reads is open, so that the event at the cursor is what comes next.

    Attributes:
        kinds: the numbers of the kinds of events that this tape has about signals; empty for most.
    """

    def __init__(
        self,
        reader: Reader,
        cursor: Cursor,
        arrivals: Arrivals,
        lanes: Lanes,
        baton: Baton,
        rerecorder: Rerecorder,
        arrive: Arrive,
        at_rest: Callable[[], bool],
    ) -> None:
        self._reader = reader
        self._cursor = cursor
        self._arrivals = arrivals
        self._lanes = lanes
        self._baton = baton
        self._rerecorder = rerecorder
        self._arrive = arrive
        self._at_rest = at_rest
        rows = reader.kinds.values()
        self.kinds: Final = frozenset(row.number for row in rows if row.name in (HANDLED, INTERRUPTED))
        self._handled_kinds: Final = frozenset(row.number for row in rows if row.name == HANDLED)
        self._handlers: Handlers
        self._coming: int | None = None  # the number of the signal that is being delivered
        self._woken: int | None = None  # the number of the signal that woke the main thread
        self._awaited = -1  # position of a signal that the main thread has been seen not to arrive at
        self._real: Counter[int] = Counter()  # real signals so far
        self._totals: Counter[int] | None = None  # signals on the tape

    def follow(self, handlers: Handlers) -> None:
        """Deliver by these."""
        self._handlers = handlers

    # On the way to an event.

    def clear(self, lane: Lane, name: str, request: Plain, again: Arrive) -> RawEvent:
        """Deliver what is between a lane and its next crossing; return the event that is at the cursor then.

        Raises:
            BaseException: what a handler raised, where it ended the crossing or came before it.
        """
        thrown: BaseException | None = None
        try:
            while True:
                event = again(lane, name, request)
                if event[0] not in self.kinds:
                    return event  # what was thrown into the effect, if anything was, never came out of it
                handled = self._handled(event)
                if handled is None:
                    self._interrupt(lane, name, request, thrown)
                if handled.moment == SENT and name == HANDLED:
                    return event
                self._check(handled, lane, name, request)
                thrown = self._deliver(lane, event, handled, name, request) or thrown
        finally:
            del thrown  # it may refer to this frame

    def leave(self, lane: Lane, crossing: str | None) -> None:
        """Leave our own code; deliver what came right after a crossing, then run real handlers that had to wait."""
        lane.depth = 0
        if self.kinds:
            self._deliver_after(lane, crossing)
        while lane.deferred:
            self._run(lane, lane.deferred.pop(0)[1])

    def deliver_last(self, lane: Lane) -> None:
        """Deliver signals at the end of the program, after its last crossing."""
        while self._at_rest() and (event := self._mine(lane)) is not None:
            handled = cast(Handled, self._handled(event))
            if handled.moment != BETWEEN:
                return
            self._deliver(lane, event, handled, "", None)

    def is_next(self) -> bool:
        """Tell whether the next event is a signal that comes by itself, for which the main thread may wait."""
        event = self._cursor.event
        handled = None if event is None else self._handled(event)
        return handled is not None and handled.moment == BETWEEN

    def relieve(self, lane: Lane) -> None:
        """Run real handlers that had to wait while their lane was in a crossing; it waits there, without a lock."""
        while lane.deferred:
            self._run(lane, lane.deferred.pop(0)[1])

    # Real signals.

    def came(self, number: int, handler: Callable[[], object], *, sent: bool) -> Interrupted | None:
        """Run the handler if the tape says so, or does not know of the signal; leave it to the tape if it comes there.

        Signals that the program sends itself are asked for like any crossing.
        """
        if self._cursor.over:
            handler()
        elif self._coming == number:
            self._coming = None
            self._run(self._lanes.current(), handler)
        elif sent:
            self._sent(self._lanes.current(), number, handler)
        else:
            self._came_by_itself(number, handler)
        return None

    def changes(self, number: int, *, gone: bool) -> None:
        """Deliver what comes between two events, if that is what comes next: nothing handles it after that."""
        lane = self._lanes.known()
        while gone and lane is not None and not lane.depth and self._at_rest():
            event = self._mine(lane)
            if event is None or self._handled(event) != (number, BETWEEN, None):
                return
            self._deliver(lane, event, Handled(number, BETWEEN, None), "", None)

    def wake(self) -> None:
        """Wake the main thread if it waits, outside of every crossing, for a signal that comes next on the tape.

        Called in a thread of our own, again and again: it is a wait if nothing has moved since the last time.
        """
        event, seq = self._cursor.event, self._cursor.seq
        handled = None if event is None else self._handled(event)
        if event is None or handled is None or handled.moment != BETWEEN or not self._at_rest():
            return
        lane = self._lanes.in_main_thread()
        if lane is None or lane.depth or lane.number != event[2]:
            return
        if self._awaited == seq:
            self._woken = handled.number
            self._handlers.wake(handled.number)
        self._awaited = seq

    def _came_by_itself(self, number: int, handler: Callable[[], object]) -> None:
        lane = self._lanes.known()
        event = None if lane is None or lane.depth or not self._at_rest() else self._mine(lane)
        woken, self._woken = self._woken == number, None
        self._real[number] += not woken
        if lane is not None and event is not None and self._handled(event) == (number, BETWEEN, None):
            with self._baton.borrowed(lane, outside=False):
                self._take(event)
                self._run(lane, handler)
        elif not woken and self._real[number] > self._total(number):
            if lane is not None and lane.depth:
                lane.deferred.append((number, handler))
            else:
                self._run(lane, handler)

    def _sent(self, lane: Lane, number: int, handler: Callable[[], object]) -> None:
        request: Plain = {"number": number, "moment": SENT, "crossing": None}
        lane.depth = 1
        try:
            event = self._arrive(lane, HANDLED, request)
            if self._handled(event) != (number, SENT, None):
                told = f"the tape holds {self._cursor.row.name} here, the program sent itself {signal_name(number)}"
                self._arrivals.diverge("mismatch", told, lane, HANDLED, request)
            self._take(event)
        except TestbenchError as error:
            self._arrivals.stick(error)
            raise
        finally:
            self.leave(lane, None)
        self._run(lane, handler)

    def _total(self, number: int) -> int:
        if self._totals is None:
            events = self._reader.events() if self.kinds else ()
            self._totals = Counter(found.number for event in events if (found := self._handled(event)) is not None)
        return self._totals[number]

    # One event.

    def _handled(self, event: RawEvent) -> Handled | None:
        if event[0] not in self._handled_kinds:
            return None
        request = cast("dict[str, Plain]", self._reader.call_body(event[3], self._reader.kinds[event[0]])[0])
        return Handled(
            cast(int, request.get("number")), cast(str, request.get("moment")), cast("str | None", request["crossing"])
        )

    def _mine(self, lane: Lane) -> RawEvent | None:
        """Return the event at the cursor if it is a signal of this lane: nobody else moves the cursor then."""
        if self._cursor.turn != lane.number:
            return None
        event = self._cursor.event
        return event if event is not None and event[0] in self._handled_kinds else None

    def _deliver_after(self, lane: Lane, crossing: str | None) -> None:
        while (event := self._mine(lane)) is not None:
            handled = cast(Handled, self._handled(event))
            if crossing is None or (handled.moment, handled.crossing) != (AFTER, crossing):
                return
            self._deliver(lane, event, handled, crossing, None)

    def _check(self, handled: Handled, lane: Lane, name: str, request: Plain) -> None:
        """Find that a signal of the tape belongs on the way to this crossing."""
        if handled.moment == BETWEEN or (handled.moment in (INSIDE, BEFORE) and handled.crossing == name):
            return
        where = "sent by the program itself" if handled.moment == SENT else f"{handled.moment} {handled.crossing}"
        told = f"the tape holds {signal_name(handled.number)} here ({where}), the program called {name}"
        self._arrivals.diverge("mismatch", told, lane, name, request)

    def _deliver(
        self, lane: Lane, event: RawEvent, handled: Handled, name: str, request: Plain
    ) -> BaseException | None:
        """Let the signal come; return what the handler raised, where the tape tells what became of that."""
        depth, lane.depth = lane.depth, 1
        try:
            self._check_handler(handled.number, lane, name, request)
            self._take(event)
            self._coming = handled.number
            self._handlers.deliver(handled.number)
            if self._is_under_way():
                self._arrivals.diverge("mismatch", self._told(handled.number, "blocked"), lane, name, request)
        except TestbenchError as error:
            self._arrivals.stick(error)
            raise
        except BaseException as error:
            if handled.moment != INSIDE:
                raise
            return error
        finally:
            lane.depth = depth
        return None

    def _is_under_way(self) -> bool:
        return self._coming is not None

    def _check_handler(self, number: int, lane: Lane, name: str, request: Plain) -> None:
        if not in_main_thread():
            told = self._told(number, "in another thread than the main one, the only one that handles signals")
            self._arrivals.diverge("mismatch", told, lane, name, request)
        if not self._handlers.has(number):
            self._arrivals.diverge("mismatch", self._told(number, "without a handler for it"), lane, name, request)

    def _told(self, number: int, how: str) -> str:
        return f"a handler ran for {signal_name(number)} here while recording, and now the program is {how}"

    def _take(self, event: RawEvent) -> None:
        row = self._reader.kinds[event[0]]
        self._rerecorder.call(row, event, *self._reader.call_body(event[3], row))
        self._cursor.advance()

    def _interrupt(self, lane: Lane, name: str, request: Plain, thrown: BaseException | None) -> NoReturn:
        event = self._cursor.event
        assert event is not None
        recorded = self._reader.call_body(event[3], self._cursor.row)[0]
        if thrown is None or recorded != {"crossing": name}:
            told = f"a signal handler raised out of {recorded!r} while recording, and it has not now, in {name}"
            self._arrivals.diverge("mismatch", told, lane, name, request)
        self._take(event)
        raise thrown

    def _run(self, lane: Lane | None, handler: Callable[[], object]) -> None:
        depth = 0 if lane is None else lane.depth
        if lane is not None:
            lane.depth = 0
        try:
            with laid_aside():
                handler()
        finally:
            if lane is not None:
                lane.depth = depth
