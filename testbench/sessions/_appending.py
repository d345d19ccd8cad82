"""Putting events on the tape in one order, from any thread: stamps, kind numbers, lanes and the open run."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from testbench.inplace.real import Mutex
from testbench.protocol import Plain
from testbench.sessions._moments import AFTER, BETWEEN, HANDLED
from testbench.sessions._outbox import Outbox
from testbench.sessions._readers import Gathering
from testbench.tape import Outcome, Returned


@attrs.frozen(eq=False)
class OpenRun:
    """Reads of one source by one lane that will be one event.

    Attributes:
        name: kind and op of the source.
        lane: number of the lane that reads.
        dt_ns: when it began, after the event before.
        gathering: the values so far.
    """

    name: str
    lane: int
    dt_ns: int
    gathering: Gathering


class Appender:
    """The only hand that writes to the tape of a recording.

    At most one run is open; every other event ends it first. That is what keeps reads in order with all else.

    Args:
        outbox: the way to the tape.
        now_ns: the clock that stamps events.

    Attributes:
        lock: held while events are put in order; a reader for several lanes holds it around its read.
        open: the open run.
        before: called once, before the next event; None if there is nothing to do.
    """

    def __init__(self, outbox: Outbox, now_ns: Callable[[], int]) -> None:
        self.lock = Mutex()
        self.open: OpenRun | None = None
        self.before: Callable[[], object] | None = None
        self._outbox = outbox
        self._now_ns = now_ns
        self._last_ns = now_ns()
        self._flushed_ns = self._last_ns
        self._lanes = 1
        self._closed = False  # a lane that goes on after the end may come too late to know
        self._latest = 0  # the lane whose doing the last event is

    def call(self, name: str, lane: int, request: Plain, took_ns: int, outcome: Outcome) -> None:
        """Append the event of one crossing; its outcome is known now."""
        with self.lock:
            self.end_run()
            self._call(name, lane, request, took_ns, outcome)

    def fact(self, name: str, lane: int, request: Plain, outcome: Outcome) -> None:
        """Append a fact, which took no time; to a replay it is no event, so what came before is still the latest."""
        with self.lock:
            latest = self._latest
            self.call(name, lane, request, 0, outcome)
            self._latest = latest

    def handled(self, lane: int, number: int, moment: str, crossing: str | None) -> str:
        """Append that a signal handler is about to run; return the moment as it was written.

        What comes ``"after"`` a crossing is found there on replay only if no other lane has come between.
        """
        with self.lock:
            self.end_run()
            if moment == AFTER and self._latest != lane:
                moment, crossing = BETWEEN, None
            self._call(HANDLED, lane, {"number": number, "moment": moment, "crossing": crossing}, 0, Returned(None))
        return moment

    def _call(self, name: str, lane: int, request: Plain, took_ns: int, outcome: Outcome) -> None:
        if self._closed:
            return
        self._outbox.call(name, self._stamp(), lane, request, took_ns, outcome)
        self._latest = lane

    def lane(self, name: str, parent: int | None) -> int:
        """Append the start of a lane; return its number, -1 if it is no event any more."""
        with self.lock:
            if self._closed:
                return -1
            self.end_run()
            number = self._lanes
            self._lanes += 1
            self._outbox.lane(self._stamp(), number, name, parent)
            self._latest = number if parent is None else parent
        return number

    def begin_run(self, name: str, lane: int, gathering: Gathering) -> None:
        """End the open run and begin another; `lock` is held."""
        self.end_run()
        self.open = OpenRun(name, lane, self._stamp(), gathering)

    def stop_reading(self) -> None:
        """Let the next read begin a run of its own, if one is open."""
        if self.open is not None:
            with self.lock:
                self.end_run()

    def end_run(self) -> None:
        """Append the event of the open run, if there is one and it was read at all; `lock` is held."""
        run, self.open = self.open, None
        if not self._closed and run is not None and (values := run.gathering.end()):
            self._outbox.run(run.name, run.dt_ns, run.lane, values)
            self._latest = run.lane

    def flush(self, age_ns: int = 0) -> None:
        """Put everything so far on disk if the last time is ``age_ns`` ago; `lock` is held.

        The values of the open run are written as if it ended here, and written again when it does.
        """
        now_ns = self._now_ns()
        if now_ns - self._flushed_ns >= age_ns:
            self._flushed_ns = now_ns
            run = self.open
            values = run.gathering.so_far() if run is not None else []
            self._outbox.flush((run.name, run.dt_ns, run.lane, values) if run is not None and values else None)

    def close(self) -> None:
        """Write index and end, and nothing any more; `lock` is held."""
        self._closed = True
        self._outbox.close()

    def settle(self) -> None:
        """Let nothing wait any more for what may come, because nothing may; `lock` is held."""
        self._outbox.settle()

    def restart(self) -> None:
        """Count time from now on: what was written before was written by somebody else."""
        self.before = None
        self._last_ns = self._flushed_ns = self._now_ns()

    def _stamp(self) -> int:
        if self.before is not None:
            self.before()
        now_ns = self._now_ns()
        dt_ns = max(0, now_ns - self._last_ns)  # a clock that is moved by hand may go back; the order may not
        self._last_ns += dt_ns
        return dt_ns
