"""Reads that happen millions of times, on replay: answered from runs, each read to its end before anything else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from testbench.errors import TapeDamagedError, TestbenchError
from testbench.protocol import Plain
from testbench.sessions._arriving import Arrivals, OverError
from testbench.sessions._cursor import Cursor, RawEvent
from testbench.sessions._delivering import ReplayedSignals
from testbench.sessions._lanes import Lane, Lanes
from testbench.sessions._readers import Answers, Source, serve
from testbench.sessions._rerecording import Rerecorder
from testbench.tape import Reader


class Owner(Protocol):
    """The replay, as far as its runs need it."""

    cursor: Cursor
    lanes: Lanes
    signals: ReplayedSignals

    def arrive(self, lane: Lane, name: str, request: Plain, *, pausing: bool = False) -> RawEvent:
        """Wait for the turn of a lane; return its event."""


class ReplayedRuns:
    """All sources of one replay, and the run that is open.

    Args:
        owner: the replay.
        reader: the tape.
        rerecorder: records runs again.
    """

    def __init__(self, owner: Owner, reader: Reader, rerecorder: Rerecorder) -> None:
        self._owner = owner
        self._reader = reader
        self._rerecorder = rerecorder
        self._arrivals: Arrivals
        self._sources: list[Source] = []
        self._open: dict[int, tuple[Answers, str]] = {}  # by lane: the run that it reads, and the name of its source

    def follow(self, arrivals: Arrivals) -> None:
        """Be told where divergences go."""
        self._arrivals = arrivals

    def add(self, source: Source) -> None:
        """Open a source."""
        self._sources.append(source)
        self._bind(source)

    def go_parallel(self) -> None:
        """Give every source the reader for several lanes."""
        owner = self._owner
        self.settle(owner.lanes.main, "lane.start", None)
        self._open.clear()
        owner.cursor.shared = True
        for source in self._sources:
            self._bind(source)

    def unplug(self) -> None:
        """Let every read fail from now on."""
        for source in self._sources:
            source.bind(self._arrivals.fail)

    def close(self) -> None:
        """Route nothing any more: the world is restored."""
        self._sources.clear()

    def at_rest(self) -> bool:
        """Tell whether no run is open, or it has been read to its end."""
        return not any(run.left() for run, _ in list(self._open.values()))

    def settle(self, lane: Lane, name: str, request: Plain) -> None:
        """Find that an open run was read to its end before its lane does anything else."""
        found = self._open.get(lane.number)
        if found is None:
            return
        run, opened = found
        left = run.left()
        if not left:
            del self._open[lane.number]
        elif self._owner.lanes.single or name != opened:
            reads = "one more read" if left == 1 else f"{left} more reads"
            self._arrivals.diverge("mismatch", f"the tape holds {reads} of {opened} before this", lane, name, request)

    def _bind(self, source: Source) -> None:
        if self._owner.lanes.single:
            serve(lambda: self._next(source), source.bind)
        else:
            source.bind(self._parallel_reader(source))

    def _next(self, source: Source) -> Iterable[Any]:
        owner, lane = self._owner, self._owner.lanes.current()
        depth, lane.depth = lane.depth, 1
        try:
            if depth:
                self._arrivals.intrude(source.name)
            run = self._begin(source, lane)
            owner.cursor.advance()
            return run.reads
        except OverError:
            return (source.effect(),)
        except TestbenchError as error:
            self._arrivals.stick(error)
            raise
        finally:
            if depth:
                lane.depth = depth
            else:
                owner.signals.leave(lane, None)

    def _begin(self, source: Source, lane: Lane) -> Answers:
        name, owner = source.name, self._owner
        event = owner.arrive(lane, name, None)
        row = owner.cursor.row
        if row.name != name or row.fields != ("values",):
            told = f"the tape holds {row.name} here, the program read {name}"
            self._arrivals.diverge("mismatch", told, lane, name, None)
        values = self._reader.run_values(event[3])
        try:
            run = Answers(source, values)
        except (ValueError, TypeError, OverflowError) as error:
            raise _damaged(name, owner.cursor.seq, error) from error
        self._open[lane.number] = (run, name)
        owner.cursor.keep(lane.number)
        self._rerecorder.run(row, event, values)
        return run

    def _parallel_reader(self, source: Source) -> Callable[[], Any]:
        """Return the reader for several lanes: the cursor stays at a run until its last value is taken."""
        owner, name = self._owner, source.name

        def read() -> Any:
            lane = owner.lanes.current()
            if lane.depth:
                self._arrivals.intrude(name)
            lane.depth = 1
            try:
                owner.arrive(lane, name, None, pausing=lane.reads_on())
                run = self._open[lane.number][0] if lane.number in self._open else self._begin(source, lane)
                value = next(run.reads)
                if not run.left():
                    del self._open[lane.number]
                    owner.cursor.advance()
                return value
            except OverError:
                return source.effect()
            except TestbenchError as error:
                self._arrivals.stick(error)
                raise
            finally:
                owner.signals.leave(lane, None)

        return read


def _damaged(name: str, seq: int, error: Exception) -> TapeDamagedError:
    return TapeDamagedError(
        f"event {seq} of the tape, {name}, holds values that no recording writes ({error}). Its digests are right, "
        "so it was made so; record again."
    )
