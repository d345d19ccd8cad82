"""Replaying: answer each crossing from the tape, in the recorded order, and never touch the world."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, Final, NoReturn

from testbench.errors import TestbenchError, UsageError
from testbench.protocol import Effect, Plain
from testbench.redaction import Redactor
from testbench.sessions._arriving import Arrivals, OverError
from testbench.sessions._baton import Baton
from testbench.sessions._births import Births
from testbench.sessions._call import KindCall
from testbench.sessions._comparing import Comparing
from testbench.sessions._cursor import Cursor, RawEvent
from testbench.sessions._delivering import ReplayedSignals
from testbench.sessions._errors import rebuild
from testbench.sessions._facts import ReplayedFacts
from testbench.sessions._lanes import Lane, Lanes
from testbench.sessions._leaks import UNSEEN_FORK
from testbench.sessions._locks import Locks
from testbench.sessions._orders import STRICT, Order
from testbench.sessions._readers import Source
from testbench.sessions._replayed_runs import ReplayedRuns
from testbench.sessions._reporting import Reporter
from testbench.sessions._rerecording import Rerecorder
from testbench.sessions._standstill import Standstill
from testbench.sessions._waiting import RAN_OUT, Waiting
from testbench.tape import Raised, Reader, Writer, plain
from testbench.values import same

_UNSEEN: Final = (
    "a process was started by C code (uvloop, a C extension), or through a name that was bound before the session; no "
    "recorder saw it, so that it is real now and was not recorded then. Use the event loop of asyncio, subprocess, or "
    "mark the function that starts it with @testbench.boundary"
)


class Replaying:
    """The mode that answers from a tape.

    Args:
        reader: the tape.
        comparing: says whether a request is the recorded one.
        stall_s: seconds without any progress after which a waiting lane gives up, where it is not certain before that
            nobody can go on; a tenth of it is enough where all threads sleep.
        writer: records the replay again, event for event, when given.
        redactor: keeps secrets out of reports; None leaves them there.
        order: how much of the recorded order counts.
        facts: kind and op of what is asked by `testbench.protocol.Call.fact`.
    """

    mode = "replay"
    cursor: Cursor
    signals: ReplayedSignals
    _arrivals: Arrivals
    _baton: Baton
    _births: Births

    def __init__(
        self,
        reader: Reader,
        comparing: Comparing,
        *,
        stall_s: float = 30.0,
        writer: Writer | None = None,
        redactor: Redactor | None = None,
        order: Order = STRICT,
        facts: Collection[str] = (),
    ) -> None:
        self.redactor = redactor
        self._reader = reader
        self._comparing = comparing
        self._rerecorder = Rerecorder(writer)
        self._runs = ReplayedRuns(self, reader, self._rerecorder)
        self.lanes = Lanes(
            lambda parent, name: self._births.born(parent, name),
            lambda lane: self._births.adopted(lane),
            self._runs.go_parallel,
            lambda lane: self._baton.begin(lane),
            self._ended,
            lambda parent: self.signals.leave(parent, "lane.start"),
        )
        self._still = Standstill(
            self.lanes, stall_s, hopeless=lambda: self._arrivals.hopeless(), awaited=lambda: self.signals.is_next()
        )
        self._baton = order.replaying_baton(
            self.lanes.main,
            lambda: self.cursor,
            relieve=lambda lane: self.signals.relieve(lane),
            still=self._still,
            by_tape=True,
        )
        self.follows_locks = order.follows_locks(replaying=True)
        self._waiting = Waiting(self.lanes, self._baton, self)
        self.locks = Locks(self.lanes, self._baton, self._waiting, endless=False)
        living = {self.lanes.main.number}
        self._arrivals = Arrivals(self._runs.unplug, self._baton, living.__contains__)
        self._births = Births(self, self._arrivals, self._baton, self._rerecorder, living)
        self._facts = ReplayedFacts(reader, facts, self.lanes, self._rerecorder, self.inside)
        self.leaks = self._facts.leaks
        aside = (self._facts.numbers, self._facts.passed)
        self.cursor = order.cursor(reader, lambda: self._arrivals.failure, comparing, self._baton, aside)
        reporter = Reporter(reader, self.cursor, comparing, self.lanes, order.rule, redactor)
        self._arrivals.follow(self.cursor, reporter)
        self._runs.follow(self._arrivals)
        self.signals = ReplayedSignals(
            reader,
            self.cursor,
            self._arrivals,
            self.lanes,
            self._baton,
            self._rerecorder,
            self.arrive,
            self._runs.at_rest,
        )
        self.cursor.shared = not self.lanes.single

    @property
    def failure(self) -> TestbenchError | None:
        """What went wrong so far, if anything."""
        return self._arrivals.failure

    def call_for(self, kind: str) -> KindCall:
        """Return the waist for one kind."""
        return KindCall(self, kind)

    def cross(self, name: str, request: Plain, effect: Effect, raises: tuple[type[BaseException], ...]) -> Plain:
        """Answer one crossing from the tape; see `testbench.protocol.Call`."""
        lane = self.lanes.current()
        if lane.depth:
            self._arrivals.intrude(name)
        lane.depth = 1
        try:
            return self._cross(lane, name, request, raises)
        except OverError:
            return effect()
        except TestbenchError as error:
            self._arrivals.stick(error)
            raise
        finally:
            self.signals.leave(lane, name)

    def _cross(self, lane: Lane, name: str, request: Plain, raises: tuple[type[BaseException], ...]) -> Plain:
        event = self.arrive(lane, name, request, pausing=True)
        row = self.cursor.row
        if row.name != name or row.fields[-1:] != ("outcome",):
            self._arrivals.diverge(
                "mismatch", f"the tape holds {row.name} here, the program called {name}", lane, name, request
            )
        recorded, took_ns, outcome = self._reader.call_body(event[3], row)
        alike = same(recorded, request)
        reason = self._comparing.difference(name, recorded, request)
        if reason is not None:
            self._arrivals.diverge("mismatch", f"{name} was asked something else: {reason}", lane, name, request)
        if self._rerecorder.active:
            asked = plain(request) if alike else recorded  # a matcher lets some requests differ
            self._rerecorder.call(row, event, asked, took_ns, outcome)
        self.cursor.advance()
        if isinstance(outcome, Raised):
            raise self._rebuilt(outcome, raises, lane, name, request)
        return outcome.value

    def fact(
        self, name: str, request: Plain, effect: Effect, raises: tuple[type[BaseException], ...], listed: bool
    ) -> Plain:
        """Answer a fact from the tape; see `testbench.protocol.Call.fact`."""
        return self._facts.ask(name, request, effect, raises, listed)

    def foretold(self, name: str) -> Sequence[tuple[Plain, Plain]]:
        """Return the facts of one op; see `testbench.protocol.Call.foretold`."""
        return self._facts.foretold(name)

    def leak(self, name: str, request: Plain, effect: Callable[[], Any], instead: str) -> NoReturn:
        """Refuse a crossing that no tape can answer."""
        self._refuse(self.lanes.current(), name, request, instead)

    def report(self, name: str, request: Plain, instead: str, refused: bool) -> None:
        """Refuse what would happen next, if it is to be; see `testbench.protocol.Call.report`."""
        if not refused or self.cursor.over:
            return
        lane = self.lanes.known() or Lane(-1, "a thread without any event")
        if lane.depth:
            self._arrivals.intrude(name)
        self._refuse(lane, name, request, instead)

    def _refuse(self, lane: Lane, name: str, request: Plain, instead: str) -> NoReturn:
        reason = f"{name} cannot be replayed, and is not let through to the real world"
        reason += f"; {instead}" if instead else ""
        self._arrivals.diverge("refused", reason, lane, name, request)

    def arrive(
        self, lane: Lane, name: str, request: Plain, *, pausing: bool = False, turn: int | None = None
    ) -> RawEvent:
        """Wait for a turn; return the event that is at the cursor then, which no lane but this one can take.

        Args:
            lane: the running lane.
            name: what it calls.
            request: what it asks.
            pausing: while recording, other lanes ran here, since it had an effect.
            turn: whose turn it must be, by its number; None for that of the lane.
        """
        if turn is None:
            turn = lane.number
        event = self._at(turn, lane, name, request, pausing=pausing)
        if event[0] in self.signals.kinds:
            return self.signals.clear(lane, name, request, lambda *asked: self._at(turn, *asked, pausing=pausing))
        return event

    def _at(self, turn: int, lane: Lane, name: str, request: Plain, *, pausing: bool) -> RawEvent:
        if self.cursor.over:
            raise OverError
        self._runs.settle(lane, name, request)
        return self._arrivals.at(turn, lane, name, request, pausing=pausing)

    def _rebuilt(
        self, outcome: Raised, raises: tuple[type[BaseException], ...], lane: Lane, name: str, request: Plain
    ) -> BaseException:
        try:
            return rebuild(outcome, raises)
        except UsageError as reason:
            self._arrivals.diverge("mismatch", str(reason), lane, name, request)

    def add_source(self, source: Source) -> None:
        """Open a source; see `testbench.protocol.Call.source`."""
        self._runs.add(source)

    # Lanes and locks.

    def _ended(self, lane: Lane) -> None:
        self._births.ended(lane)
        self._waiting.ended(lane)
        self._baton.finish(lane)

    def expired(self, lane: Lane, timeout_s: float) -> None:
        """Find on the tape that the time for a lock has run out; see `testbench.sessions._waiting.Clock`."""
        try:
            event = self.arrive(lane, RAN_OUT, {"timeout": timeout_s})
            row = self.cursor.row
            self._rerecorder.call(row, event, *self._reader.call_body(event[3], row))
            self.cursor.advance()
        except OverError:
            return
        except TestbenchError as error:
            self._arrivals.stick(error)
            raise

    def leave(self, lane: Lane) -> None:
        """Leave our own code."""
        self.signals.leave(lane, None)

    def stalled(self, lane: Lane) -> None:
        """Report a wait that nothing ends."""
        self._arrivals.stall(lane, "lane.wait")

    def failed(self) -> TestbenchError | None:
        """Return what went wrong, while the session is open; see `testbench.sessions._waiting.Clock`."""
        return None if self.cursor.over else self._arrivals.failure

    def in_vain(self) -> bool:
        """Tell whether it was that nobody could go on."""
        return self._arrivals.in_vain

    def inside(self) -> bool:
        """Tell whether the session is over; no effect is run before."""
        return self.cursor.over

    def follows(self) -> bool:
        """Tell whether what happens now is the program's; see `Call.follows`."""
        lane = self.lanes.known()
        return lane is not None and not lane.depth and not self.cursor.over

    def alone(self) -> bool:
        """Tell whether there is one lane; see `Call.alone`."""
        return self.lanes.alone

    # The end.

    def see_fork(self) -> None:
        """Fail because of a fork: on replay no process is started by way of a recorder."""
        if not self.cursor.over:
            self._arrivals.fail_later(_UNSEEN, self.lanes.known(), UNSEEN_FORK)

    def finish(self) -> None:
        """Check that all was asked for, once the program has ended.

        Raises:
            DivergenceError: a divergence happened during the run, or events are left over.
            TapeDamagedError: the tape could not be read to its end.
        """
        self._runs.close()
        try:
            self._check_leftover()
            self._rerecorder.close()
        finally:
            self.cursor.over = True
            self._baton.end()

    def abandon(self) -> None:
        """Stop answering: the process was forked and this is the child."""
        self.cursor.over = True
        self._baton.abandon()

    def settle(self) -> None:
        """Let lanes that still run take what is theirs; give up when one that should move is gone or does not move."""
        here = self.lanes.known()
        self._still.closing = True
        if here is not None:
            self._baton.give_up(here)
        while self.failure is None and self.cursor.event is not None:
            owners = self.cursor.turns()
            if here is not None and self.signals.kinds:
                self.signals.deliver_last(here)
            if (here is not None and here.number in owners) or not owners & self.lanes.alive():
                return
            if not self.cursor.wait_moved(self._nobody_moves):
                return

    def _nobody_moves(self) -> bool:
        since_ns = self._baton.stirred_ns
        return self._still.reached(since_ns, closer=True) and self._baton.stirred_ns == since_ns

    def _check_leftover(self) -> None:
        if self.failure is not None:
            raise self.failure
        lane = self.lanes.known() or self.lanes.main
        self._runs.settle(lane, "", None)
        self.cursor.check()
        if self.cursor.event is not None:
            left = self._reader.total - self.cursor.taken
            events = "one event was" if left == 1 else f"{left} events were"
            self._arrivals.diverge("leftover", f"the program has ended and {events} never asked for", lane, "", None)
