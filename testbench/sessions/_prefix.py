"""The part of a tape that a run follows before it leaves it: answers, one after the other, written to a new tape.

It knows one lane, the main one, and no signals: whatever else comes on the tape is its end.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Final, NamedTuple

from testbench.errors import UsageError
from testbench.protocol import Plain
from testbench.sessions._comparing import Comparing
from testbench.sessions._errors import rebuild
from testbench.sessions._facts import Key, fact_in, facts_on, numbers_of
from testbench.sessions._readers import Answers, Source
from testbench.sessions._rerecording import Rerecorder
from testbench.tape import KindRow, Outcome, Raised, RawEvent, Reader, Writer, plain
from testbench.values import same

_MAIN: Final = 0

Answer = tuple[Plain, BaseException | None]
"""What a crossing returns, or raises."""


class OpenRun(NamedTuple):
    """Reads of one source that are being answered."""

    name: str
    event: RawEvent
    values: list[Plain]
    answers: Answers


class Prefix:
    """The events of a tape, as long as a program asks for them.

    Args:
        reader: the tape.
        comparing: says whether a request is the recorded one.
        writer: where those that were asked for are written again, byte for byte.
        facts: kind and op of what is asked by `testbench.protocol.Call.fact`; it is kept, asked or not.

    Attributes:
        seq: how many events have been taken.
        reason: why the program has left the tape; empty while it has not.
        last: per source, the last value read.
        facts: those of the whole tape.
        kept: the facts among what was kept, with their outcomes.
    """

    def __init__(self, reader: Reader, comparing: Comparing, writer: Writer, facts: Collection[str] = ()) -> None:
        self._aside = numbers_of(reader, facts)
        self.facts = facts_on(reader, self._aside)
        self.kept: dict[Key, Outcome] = {}
        self._reader = reader
        self._comparing = comparing
        self._rerecorder = Rerecorder(writer)
        self._events: Iterator[RawEvent] = iter(reader.events())
        self._event: RawEvent | None = None
        self._open: OpenRun | None = None
        self.seq = 0
        self.reason = ""
        self.last: dict[str, Plain] = {}
        self._load()

    def answer(self, name: str, request: Plain, raises: tuple[type[BaseException], ...]) -> Answer | None:
        """Answer a crossing; None if the tape does not, and from then on.

        Args:
            name: kind and op.
            request: what is asked.
            raises: exceptions that are outcomes.
        """
        found = self._next(name, "outcome")
        if found is None:
            return None
        row, event = found
        recorded, took_ns, outcome = self._reader.call_body(event[3], row)
        alike = same(recorded, request)
        unlike = self._comparing.difference(name, recorded, request)
        if unlike is not None:
            self.reason = f"{name} was asked something else: {unlike}"
            return None
        error: BaseException | None = None
        if isinstance(outcome, Raised):
            try:
                error = rebuild(outcome, raises)
            except UsageError as reason:
                self.reason = str(reason)
                return None
        self._rerecorder.call(row, event, plain(request) if alike else recorded, took_ns, outcome)
        self._taken()
        return (None, error) if isinstance(outcome, Raised) else (outcome.value, None)

    def run(self, source: Source) -> Iterator[Any] | None:
        """Give the values of a run of reads; None if the tape has none here."""
        found = self._next(source.name, "values")
        if found is None:
            return None
        event = found[1]
        values = list(self._reader.run_values(event[3]))
        self._open = OpenRun(source.name, event, values, Answers(source, values))
        return self._open.answers.reads

    def end(self, reason: str) -> None:
        """Leave the tape: what was read of an open run is written, and nothing more is answered."""
        run = self._open
        if run is not None:
            left = run.answers.left()
            self._close(len(run.values) - left)
            if left:
                reason = _unread(run.name, left)
        self.reason = self.reason or reason

    def is_complete(self) -> bool:
        """Tell whether all of the tape has been asked for."""
        run = self._open
        if run is not None and not run.answers.left():
            self._close(len(run.values))
        return self._event is None

    def _next(self, name: str, last_field: str) -> tuple[KindRow, RawEvent] | None:
        """Return the next event if it is of this name and shape, and the run before it was read to its end."""
        run = self._open
        if self.reason or (run is not None and run.answers.left()):
            return None
        if run is not None:
            self._close(len(run.values))
        event = self._event
        if event is None:
            self.reason = f"the tape has ended, and the program calls {name}"
            return None
        row = self._reader.kinds[event[0]]
        if event[2] != _MAIN or row.name != name or row.fields[-1:] != (last_field,):
            self.reason = f"the tape holds {row.name} here, the program called {name}"
            return None
        return row, event

    def _close(self, count: int) -> None:
        """Write what was read of the open run."""
        run, self._open = self._open, None
        if run is not None and count:
            self._rerecorder.run(self._reader.kinds[run.event[0]], run.event, run.values[:count])
            self.last[run.name] = run.values[count - 1]
        if run is not None and count == len(run.values):
            self._taken()

    def _taken(self) -> None:
        self.seq += 1
        self._load()

    def _load(self) -> None:
        """Take the next event that is no fact; those before it are kept."""
        self._event = next(self._events, None)
        while self._event is not None and self._event[0] in self._aside:
            key, (request, outcome) = fact_in(self._reader, self._event)
            self.kept.setdefault(key, outcome)
            self._rerecorder.call(self._reader.kinds[self._event[0]], self._event, request, 0, outcome)
            self.seq += 1
            self._event = next(self._events, None)


def _unread(name: str, left: int) -> str:
    return f"the tape holds {'one more read' if left == 1 else f'{left} more reads'} of {name} before this"
