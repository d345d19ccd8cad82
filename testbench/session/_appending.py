"""Putting events on the tape in one order, from any thread: stamps, kind numbers, lanes and the open run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import attrs

from testbench.inplace.real import allocate_lock
from testbench.protocol import Plain
from testbench.tape import Outcome, Writer

RUN_MAX: Final = 4096
"""Reads in one run; a longer one goes on as the next event, so that memory stays bounded."""

_LANE_START: Final = 0


@attrs.define(eq=False)
class Run:
    """Reads of one source that will be one event.

    Attributes:
        name: kind and op of the source.
        values: what was read, in order; empty while the run is not open, and the same list for ever, so that a reader
            may hold on to it.
        lane: number of the lane that reads.
        dt_ns: when it began, after the event before.
    """

    name: str
    values: list[Any] = attrs.Factory(list)
    lane: int = 0
    dt_ns: int = 0


class Appender:
    """The only hand that writes to the tape of a recording.

    At most one run is open; every other event closes it first. That is what keeps reads in order with all else.

    Args:
        writer: the tape.
        now_ns: the clock that stamps events.

    Attributes:
        lock: held while events are put in order; a reader for several lanes holds it around its read.
        open: the open run.
    """

    def __init__(self, writer: Writer, now_ns: Callable[[], int]) -> None:
        self.lock = allocate_lock()
        self.open: Run | None = None
        self._writer = writer
        self._now_ns = now_ns
        self._last_ns = now_ns()
        self._flushed_ns = self._last_ns
        self._lanes = 1

    def call(self, name: str, lane: int, request: Plain, took_ns: int, outcome: Outcome) -> None:
        """Append the event of one crossing; its outcome is known now."""
        fields, values = ([*request], [*request.values()]) if type(request) is dict else ([""], [request])
        with self.lock:
            self.end_run()
            number = self._writer.kind(name, [*fields, "took_ns", "outcome"])
            self._writer.event([number, self._stamp(), lane, self._writer.call_body([*values, took_ns], outcome)])

    def lane(self, name: str, parent: int | None) -> int:
        """Append the start of a lane; return its number."""
        with self.lock:
            self.end_run()
            number = self._lanes
            self._lanes += 1
            self._writer.event([_LANE_START, self._stamp(), number, [name, parent]])
        return number

    def begin_run(self, run: Run, lane: int, value: Plain) -> None:
        """Close the open run and begin another with its first value; `lock` is held."""
        self.end_run()
        run.lane, run.dt_ns = lane, self._stamp()
        run.values.append(value)
        self.open = run

    def end_run(self) -> None:
        """Append the event of the open run, if there is one; `lock` is held."""
        run, self.open = self.open, None
        if run is not None:
            self._writer.event(self._run_event(run))
            run.values.clear()

    def flush(self, age_ns: int = 0) -> None:
        """Put everything so far on disk if the last time is ``age_ns`` ago; `lock` is held.

        The values of the open run are written as if it ended here, and written again when it does.
        """
        now_ns = self._now_ns()
        if now_ns - self._flushed_ns >= age_ns:
            self._flushed_ns = now_ns
            self._writer.flush(None if self.open is None else self._run_event(self.open))

    def close(self) -> None:
        """Write index and end; `lock` is held."""
        self._writer.close()

    def _run_event(self, run: Run) -> list[Any]:
        number = self._writer.kind(run.name, ["values"])
        # A copy: the reader goes on appending while a flush looks at the run.
        return [number, run.dt_ns, run.lane, self._writer.run_body(run.values[:])]

    def _stamp(self) -> int:
        now_ns = self._now_ns()
        dt_ns = max(0, now_ns - self._last_ns)  # a clock that is moved by hand may go back; the order may not
        self._last_ns += dt_ns
        return dt_ns
