"""Recording: perform each crossing, and append what came of it to the tape."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from testbench.errors import RecordingError, TapeWriteError, TestbenchError
from testbench.protocol import Effect, Pieces, Plain
from testbench.redaction import Redactor
from testbench.sessions._appending import Appender
from testbench.sessions._baton import Baton
from testbench.sessions._call import KindCall
from testbench.sessions._deadlock import Deadlock
from testbench.sessions._errors import capture
from testbench.sessions._facts import RecordedFacts
from testbench.sessions._handling import RecordedSignals
from testbench.sessions._lanes import Lane, Lanes
from testbench.sessions._leaking import RecordedLeaks
from testbench.sessions._leaks import Leaks
from testbench.sessions._locks import Locks
from testbench.sessions._moments import INTERRUPTED
from testbench.sessions._orders import STRICT, Order
from testbench.sessions._outbox import Outbox
from testbench.sessions._readers import Source
from testbench.sessions._recorded_runs import RecordedRuns
from testbench.sessions._state import State
from testbench.sessions._strays import Strays
from testbench.sessions._waiting import RAN_OUT, Waiting
from testbench.tape import Outcome, Returned, Writer, plain

_FLUSH_AGE_NS: Final = 100_000_000
"""Events older than this are written out before the next effect begins."""


class Recording:
    """The mode that touches the world.

    Args:
        writer: where events go.
        now_ns: the clock that stamps them and measures effects.
        redactor: takes secrets out of what is written; None leaves them there.
        pieces: per kind and op, which bytes of its events are pieces of streams.
        order: how much of the order of lanes a replay is to repeat.
        stands_still: whether time does, so that a program all of whose threads wait for each other is told.
    """

    mode = "record"
    signals: RecordedSignals
    _baton: Baton
    _runs: RecordedRuns

    def __init__(
        self,
        writer: Writer,
        now_ns: Callable[[], int],
        redactor: Redactor | None = None,
        pieces: Mapping[str, Pieces] | None = None,
        order: Order = STRICT,
        *,
        stands_still: bool = False,
    ) -> None:
        self._now_ns = now_ns
        self.redactor = redactor
        self._appender = Appender(Outbox(writer, redactor, pieces), now_ns)
        self.state = State(lambda: self._baton.end())
        self.leaks = Leaks()
        self._strays = Strays(self.leaks)
        self.lanes = Lanes(
            self._born,
            self._adopted,
            lambda: self._runs.go_parallel(),
            lambda lane: self._baton.begin(lane),
            self._ended,
            lambda parent: self.signals.leave(parent, "lane.start"),
        )
        self._deadlock = Deadlock(self.lanes)
        self._baton = order.recording_baton(
            self.lanes.main,
            relieve=lambda lane: self.signals.relieve(lane),
            still=self._deadlock if stands_still else None,
            strays=self._strays,
        )
        self.follows_locks = order.follows_locks(replaying=False)
        self._runs = RecordedRuns(self, self._appender, self._baton)
        self._waiting = Waiting(self.lanes, self._baton, self)
        self.locks = Locks(self.lanes, self._baton, self._waiting, endless=True)
        self.signals = RecordedSignals(self.lanes, self._appender, self._baton, self.leaks, self.state)
        self._leaking = RecordedLeaks(self.leaks, self.lanes, self.signals, self.state, redactor)
        self._facts = RecordedFacts(**self._fact_parts())

    def _fact_parts(self) -> dict[str, Any]:
        return {
            "lanes": self.lanes,
            "appender": self._appender,
            "signals": self.signals,
            "leaks": self.leaks,
            "state": self.state,
        }

    def call_for(self, kind: str) -> KindCall:
        """Return the waist for one kind."""
        return KindCall(self, kind)

    def cross(self, name: str, request: Plain, effect: Effect, raises: tuple[type[BaseException], ...]) -> Plain:
        """Perform one crossing and append its event; see `testbench.protocol.Call`."""
        lane = self.lanes.current()
        if lane.depth or self.state.is_off():
            return effect()
        lane.depth = 1
        try:
            value, error = self._cross(name, lane, plain(request), effect, raises)
        except BaseException as reason:
            self.state.broke(reason, name)
            raise
        finally:
            self.signals.leave(lane, name)
        try:
            if error is not None:
                raise error
            return value
        finally:
            del error  # it refers to this frame

    def _cross(
        self, name: str, lane: Lane, request: Plain, effect: Effect, raises: tuple[type[BaseException], ...]
    ) -> tuple[Plain, BaseException | None]:
        """Return what was written down, a value or an exception; an exception that this raises itself was not."""
        with self._appender.lock:
            self._appender.end_run()  # what the effect reads must not land in it
            self._appender.flush(_FLUSH_AGE_NS)
        shared = not self.lanes.single
        if shared:
            self._baton.give_up(lane)
        begun_ns = self._now_ns()
        try:
            value = self._perform(lane, name, effect)
        except BaseException as error:
            took_ns = self._now_ns() - begun_ns
            if shared:
                self._baton.take(lane)
            if error is lane.thrown and self.state.broken is None:
                self._append(INTERRUPTED, lane.number, {"crossing": name}, took_ns, Returned(None))
            elif not isinstance(error, raises) or isinstance(error, TestbenchError):
                raise  # what is ours, and not the world's, is never an outcome
            else:
                self._append(name, lane.number, request, took_ns, capture(error))
            return None, error
        finally:
            lane.thrown = None
        took_ns = self._now_ns() - begun_ns
        value = plain(value)
        if shared:
            self._baton.take(lane)
        self._append(name, lane.number, request, took_ns, Returned(value))
        return value, None

    def _perform(self, lane: Lane, name: str, effect: Effect) -> Plain:
        """Run an effect; signal handlers run in it too, and in the rest of a crossing they do not."""
        lane.effect = name
        try:
            if lane.deferred:
                self.signals.relieve(lane)  # the effect may wait for ever for what a handler does
            return effect()
        finally:
            lane.effect = None

    def _append(self, name: str, lane: int, request: Plain, took_ns: int, outcome: Outcome) -> None:
        if not self.state.finished:
            self._appender.call(name, lane, request, took_ns, outcome)

    def fact(
        self, name: str, request: Plain, effect: Effect, raises: tuple[type[BaseException], ...], listed: bool
    ) -> Plain:
        """Ask for a fact; see `testbench.protocol.Call.fact`."""
        return self._facts.ask(name, request, effect, raises)

    def foretold(self, name: str) -> Sequence[tuple[Plain, Plain]]:
        """Return nothing: no fact is known before it is asked."""
        return ()

    def add_source(self, source: Source) -> None:
        """Open a source; see `testbench.protocol.Call.source`."""
        self._runs.add(source)

    # Lanes.

    def _born(self, parent: Lane, name: str) -> Lane:
        if self.state.is_idle():
            return Lane(-1, name, depth=1)
        self._baton.take(parent)
        lane = Lane(self._appender.lane(name, parent.number), name)
        self._baton.start(lane)
        return lane

    def _adopted(self, lane: Lane) -> None:
        if not self.state.is_idle():
            self._baton.take(lane)
            lane.number = self._appender.lane(lane.name, None)

    def _ended(self, lane: Lane) -> None:
        self._waiting.ended(lane)
        self._baton.finish(lane)

    # Locks.

    def expired(self, lane: Lane, timeout_s: float) -> None:
        """Note that the time for waiting for a lock has run out; see `testbench.sessions._waiting.Clock`."""
        self._baton.take(lane)
        if not self.state.is_idle():
            try:
                self._append(RAN_OUT, lane.number, {"timeout": timeout_s}, 0, Returned(None))
            except BaseException as reason:
                self.state.broke(reason, RAN_OUT)
                raise

    def leave(self, lane: Lane) -> None:
        """Leave our own code."""
        self.signals.leave(lane, None)

    def stalled(self, lane: Lane) -> None:
        """Report that the program has stopped for good.

        Raises:
            RecordingError: with all lanes, and what they wait for.
        """
        error = self._deadlock.found(lane)
        self.state.broke(error, "lane.wait")
        raise error

    def failed(self) -> TestbenchError | None:
        """Return why nobody is let wait any more: the program has stopped for good."""
        broken = self.state.broken
        found = broken if isinstance(broken, RecordingError) and broken.endless else self._deadlock.error
        return None if self.state.finished else found

    def in_vain(self) -> bool:
        """Tell whether the lanes wait in vain."""
        return self.failed() is not None

    # What is no crossing.

    def leak(self, name: str, request: Plain, effect: Callable[[], Any], instead: str) -> Any:
        """Let a leak happen, and list it; what came before is on disk by then, because this may be an ``exec``."""
        return self._leaking.let(name, request, effect, instead, lambda: self.flush(settle=True))

    def report(self, name: str, request: Plain, instead: str, refused: bool) -> None:
        """List a leak that happens afterwards; see `testbench.protocol.Call.report`."""
        self._leaking.report(name, request, instead)

    def see_fork(self) -> None:
        """Note a fork as a leak, unless it belongs to a crossing, or its line has told of a leak already."""
        self._leaking.see_fork()

    def inside(self) -> bool:
        """Tell whether the running thread is in an effect, or nothing is recorded any more; see `Call.inside`."""
        if self.state.passes():
            return True
        lane = self.lanes.known()
        return lane is not None and lane.depth > 0

    def follows(self) -> bool:
        """Tell whether the running thread has a lane, and is in no crossing; see `Call.follows`."""
        lane = self.lanes.known()
        return lane is not None and not lane.depth and not self.state.is_idle()

    def alone(self) -> bool:
        """Tell whether there is one lane; see `Call.alone`."""
        return self.lanes.alone

    # The end, good or bad.

    def flush(self, *, settle: bool = False) -> None:
        """Put everything so far on disk; the bytes of the finished tape do not depend on when this happens.

        A failure is raised in the program, at its next crossing.

        Args:
            settle: let nothing wait for what a stream may bring; on that the bytes do depend.
        """
        with self._appender.lock:
            if not self.state.finished and self.state.broken is None:
                try:
                    if settle:
                        self._appender.settle()
                    self._appender.flush()
                except TestbenchError as reason:
                    self.state.broke(reason, "a flush", told=False)

    def beat(self) -> None:
        """Be called now and then, from a thread of our own."""
        self.flush()
        self.signals.wake()

    def settle(self) -> None:
        """Run the handlers that still wait; what other lanes do from now on is after the end of the recording."""
        lane = self.lanes.known()
        if lane is not None and lane.deferred and not lane.depth:
            lane.depth = 1
            self.leave(lane)

    def finish(self) -> None:
        """Write the last run, the index and the end.

        Raises:
            RecordingError: something during the run makes the tape unfaithful.
            TapeWriteError: the disk refused.
        """
        self._strays.end()
        with self._appender.lock:
            self.state.finished = True
            if self.state.broken is None:
                self._appender.end_run()
            if not isinstance(self.state.broken, TapeWriteError):
                self._appender.close()
        self._baton.end()
        if self.state.broken is not None:
            raise self.state.broken

    def abandon(self) -> None:
        """Forget the tape without writing a byte: the process was forked and this is the child."""
        self.state.finished = True
        self._baton.abandon()
