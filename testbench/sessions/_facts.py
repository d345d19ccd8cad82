"""Facts: what the world is, asked by any lane at any time; on the tape where it was first asked, and in no order."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from types import FrameType
from typing import Final

from testbench.protocol import Effect, Plain
from testbench.sessions._appending import Appender
from testbench.sessions._cursor import RawEvent
from testbench.sessions._errors import capture, rebuild
from testbench.sessions._handling import RecordedSignals
from testbench.sessions._lanes import Lane, Lanes
from testbench.sessions._leaks import Leaks
from testbench.sessions._rerecording import Rerecorder
from testbench.sessions._state import State
from testbench.tape import Outcome, Raised, Reader, Returned, plain
from testbench.values import same

_CHANGED: Final = "it has changed since it was first asked, and the tape holds what it was then"
_NOT_TOLD: Final = "the recording did not ask, so this machine has answered; record again to have it on the tape"
_IMPORTS: Final = "<frozen importlib._bootstrap"

Key = tuple[str, str]


Facts = dict[Key, tuple[Plain, Outcome]]
"""Request and outcome of each."""


def key_of(name: str, request: Plain) -> Key:
    """Return what tells one fact from another."""
    return name, repr(request)


def numbers_of(reader: Reader, names: Collection[str]) -> frozenset[int]:
    """Return the kind numbers of facts, given kind and op of what is a fact."""
    return frozenset(number for number, row in reader.kinds.items() if row.name in names)


def fact_in(reader: Reader, event: RawEvent) -> tuple[Key, tuple[Plain, Outcome]]:
    """Return the fact of an event."""
    row = reader.kinds[event[0]]
    request, _, outcome = reader.call_body(event[3], row)
    return key_of(row.name, request), (request, outcome)


def facts_on(reader: Reader, numbers: frozenset[int]) -> Facts:
    """Return all facts of a tape."""
    found: Facts = {}
    for event in reader.of_kinds(numbers) if numbers else ():
        found.setdefault(*fact_in(reader, event))
    return found


def values_of(facts: Facts, name: str) -> list[tuple[Plain, Plain]]:
    """Return request and value of each fact of one op."""
    told = [fact for (asked, _), fact in facts.items() if asked == name]
    return [(request, outcome.value) for request, outcome in told if isinstance(outcome, Returned)]


class RecordedFacts:
    """The facts of one recording.

    Args:
        lanes: the lanes of the recording.
        appender: where events go.
        signals: told when our own code is left.
        leaks: where a fact is listed that has changed.
        state: whether the recording goes on.
    """

    def __init__(
        self,
        lanes: Lanes,
        appender: Appender,
        signals: RecordedSignals,
        leaks: Leaks,
        state: State,
    ) -> None:
        self._lanes = lanes
        self._appender = appender
        self._signals = signals
        self._leaks = leaks
        self._state = state
        self._told: dict[Key, Outcome] = {}

    def ask(self, name: str, request: Plain, effect: Effect, raises: tuple[type[BaseException], ...]) -> Plain:
        """Answer by the effect, and write that down the first time; see `testbench.protocol.Call.fact`."""
        lane = self._lanes.known()
        if lane is None or lane.depth or self._state.is_idle():
            return effect()
        try:
            value = effect()
        except raises as error:
            self._tell(lane, name, request, partial(capture, error))
            raise
        self._tell(lane, name, request, lambda: Returned(plain(value)))
        return value

    def _tell(self, lane: Lane, name: str, request: Plain, made: Callable[[], Outcome]) -> None:
        lane.depth = 1
        try:
            key, outcome = key_of(name, request), made()
            with self._appender.lock:
                told = self._told.get(key)
                if told is None:
                    self._told[key] = outcome
                    self._write(lane, name, plain(request), outcome)
            if told is not None and not _alike(told, outcome):
                self._leaks.note(name, request, instead=_CHANGED)
        except BaseException as reason:
            self._state.broke(reason, name)
            raise
        finally:
            self._signals.leave(lane, None)

    def _write(self, lane: Lane, name: str, request: Plain, outcome: Outcome) -> None:
        self._appender.fact(name, lane.number, request, outcome)


class ReplayedFacts:
    """The facts of one replay: those of the whole tape, known from the beginning.

    Args:
        reader: the tape.
        names: kind and op of those that are facts.
        lanes: the lanes of the replay.
        rerecorder: records them again where they stand, asked or not.
        over: tells that the session is over.

    Attributes:
        numbers: the kind numbers of their events, which no lane takes.
        leaks: where those are listed that the tape does not hold.
    """

    def __init__(
        self, reader: Reader, names: Collection[str], lanes: Lanes, rerecorder: Rerecorder, over: Callable[[], bool]
    ) -> None:
        self.numbers = numbers_of(reader, names)
        self.leaks = Leaks()
        self._reader = reader
        self._lanes = lanes
        self._rerecorder = rerecorder
        self._over = over
        self._told = facts_on(reader, self.numbers)

    def ask(
        self, name: str, request: Plain, effect: Effect, raises: tuple[type[BaseException], ...], listed: bool
    ) -> Plain:
        """Answer from the tape, whatever has been asked before; see `testbench.protocol.Call.fact`."""
        lane = self._lanes.known()
        if lane is None or lane.depth or self._over():
            return effect()
        told = self._told.get(key_of(name, request))
        if told is not None:
            if isinstance(told[1], Raised):
                raise rebuild(told[1], raises)
            return told[1].value
        if listed and not _importing():
            self.leaks.note(name, request, instead=_NOT_TOLD)
        return effect()

    def foretold(self, name: str) -> Sequence[tuple[Plain, Plain]]:
        """Return request and value of each of one op; see `testbench.protocol.Call.foretold`."""
        return values_of(self._told, name)

    def passed(self, event: RawEvent) -> None:
        """Be told that the cursor has passed the event of a fact."""
        if self._rerecorder.active:
            row = self._reader.kinds[event[0]]
            self._rerecorder.call(row, event, *self._reader.call_body(event[3], row))


def _alike(one: Outcome, other: Outcome) -> bool:
    if isinstance(one, Returned) and isinstance(other, Returned):
        return same(one.value, other.value)
    return repr(one) == repr(other)


def _importing() -> bool:
    """Tell whether this thread imports a module: what that asks is asked where it is first imported, by luck."""
    return any(frame.f_code.co_filename.startswith(_IMPORTS) for frame in _frames())


def _frames() -> Iterator[FrameType]:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        yield frame
        frame = frame.f_back
