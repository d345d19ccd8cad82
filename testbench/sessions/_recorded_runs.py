"""Reads that happen millions of times, while recording: they gather in runs, each one event of one lane."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from testbench.sessions._appending import Appender
from testbench.sessions._baton import Baton
from testbench.sessions._handling import RecordedSignals
from testbench.sessions._lanes import Lanes
from testbench.sessions._moments import BEFORE
from testbench.sessions._readers import Gathering, Source, serve
from testbench.sessions._state import State


class Owner(Protocol):
    """The recording, as far as its runs need it."""

    lanes: Lanes
    signals: RecordedSignals
    state: State


class RecordedRuns:
    """All sources of one recording.

    Args:
        owner: the recording.
        appender: where events go.
        baton: who runs the program.
    """

    def __init__(self, owner: Owner, appender: Appender, baton: Baton) -> None:
        self._owner = owner
        self._appender = appender
        self._baton = baton
        self._sources: list[Source] = []

    def add(self, source: Source) -> None:
        """Open a source."""
        self._sources.append(source)
        self._bind(source)

    def go_parallel(self) -> None:
        """Give every source the reader for several lanes."""
        with self._appender.lock:
            self._appender.end_run()
        for source in self._sources:
            self._bind(source)

    def _bind(self, source: Source) -> None:
        if self._owner.lanes.single:
            serve(lambda: self._next(source), source.bind)
        else:
            source.bind(self._parallel_reader(source))

    def _next(self, source: Source) -> Iterable[Any]:
        """Begin a run; or make a single read that goes nowhere, when it is part of another crossing."""
        owner, lane = self._owner, self._owner.lanes.current()
        if lane.depth or owner.state.is_off():
            return (source.effect(),)
        name, gathering = source.name, Gathering(source)
        lane.depth = 1
        if lane.deferred:
            owner.signals.leave(lane, name, BEFORE)
            lane.depth = 1
        try:
            with self._appender.lock:
                self._appender.begin_run(name, lane.number, gathering)
                # A handler that runs before the first read ends the run, and so, where they come fast, every run.
                return (next(gathering.reads),) if lane.deferred else gathering.reads
        except BaseException as reason:
            owner.state.broke(reason, name)
            raise
        finally:
            lane.depth = 0

    def _parallel_reader(self, source: Source) -> Callable[[], Any]:
        """Return the reader for several lanes: the read happens under the lock, so that the order is the true one."""
        owner, appender, name, effect = self._owner, self._appender, source.name, source.effect

        def read() -> Any:
            lane = owner.lanes.current()
            if lane.depth or owner.state.is_off():
                return effect()
            lane.depth = 1
            try:
                if lane.reads_on():
                    self._baton.give_up(lane)
                self._baton.take(lane)
                with appender.lock:
                    run = appender.open
                    if run is None or run.name != name or run.lane != lane.number or run.gathering.full:
                        appender.begin_run(name, lane.number, Gathering(source))
                    assert appender.open is not None
                    return next(appender.open.gathering.reads)
            except BaseException as reason:
                owner.state.broke(reason, name)
                raise
            finally:
                owner.signals.leave(lane, None)

        return read
