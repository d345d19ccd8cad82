"""What goes to the tape, in order and without secrets: an event waits while it may hold the beginning of one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import attrs

from testbench.errors import UsageError
from testbench.protocol import Pieces, Place, Plain
from testbench.redaction import Piece, Redactor, Streams
from testbench.sessions._places import at, replaced
from testbench.sessions._redacting import value_of, with_value
from testbench.tape import Outcome, Returned

_LANE_START: Final = 0

_PATIENCE: Final = 64
"""So many events wait for the rest of what looks only a little like a secret."""

_MOST: Final = 8192
"""So many wait for the rest of what surely is one."""


@attrs.define(eq=False)
class _Waiting:
    """An event that is not on the tape yet.

    Attributes:
        write: puts it there, once its turn has come.
        pieces: how many bytes values in it are still to be redacted.
    """

    write: Callable[[], None]
    pieces: int = 0


@attrs.define(eq=False)
class _Crossing:
    """A crossing whose streams are being redacted, one after the other."""

    request: Plain
    outcome: Plain

    def at(self, place: Place) -> Plain:
        """Return what is in one place, None if there is no such place."""
        return at(place, self.request, self.outcome)

    def put(self, place: Place, data: bytes) -> None:
        """Replace the bytes in one place."""
        if place[0] == "request":
            self.request = replaced(self.request, place[1:], data)
        else:
            self.outcome = replaced(self.outcome, place[1:], data)


class Tape(Protocol):
    """What an outbox writes to; see `testbench.tape.Writer`."""

    def kind(self, name: str, fields: Sequence[str]) -> int:
        """Return the number of a kind."""

    def event(self, event: list[Any]) -> None:
        """Append one event."""

    def call_body(self, values: Sequence[Plain], outcome: Outcome) -> Any:
        """Lower one crossing."""

    def run_body(self, values: list[Any]) -> Any:
        """Lower the values of a run."""

    def flush(self, open_run: list[Any] | None = None) -> None:
        """Put everything into the file."""

    def close(self) -> None:
        """Finish."""


class Outbox:
    """Writes events, redacted; those that have to wait let all later ones wait behind them.

    Args:
        writer: the tape.
        redactor: None if nothing is redacted.
        pieces: per kind and op, which bytes of its events are pieces of streams.
    """

    def __init__(
        self, writer: Tape, redactor: Redactor | None = None, pieces: Mapping[str, Pieces] | None = None
    ) -> None:
        self._writer = writer
        self._redactor = redactor
        self._pieces = pieces or {}
        self._streams = None if redactor is None else Streams(redactor)
        self._waiting: deque[_Waiting] = deque()

    def call(self, name: str, dt_ns: int, lane: int, request: Plain, took_ns: int, outcome: Outcome) -> None:
        """Write one crossing.

        Raises:
            UsageError: the request looks like a plain value does on a tape.
            RecordingError: a redactor of the user's raised; the event is not written.
        """
        redactor = self._redactor
        if redactor is not None and isinstance(outcome, Returned) and name in self._pieces:
            self._call_with_pieces(redactor, name, dt_ns, lane, request, took_ns, outcome.value)
            return
        if redactor is not None:
            given = value_of(outcome)
            request, redacted = redactor.event(name, request, given)
            outcome = with_value(outcome, given, redacted)
        if self._waiting:
            self._put(lambda: self._write_call(name, dt_ns, lane, request, took_ns, outcome))
        else:
            self._write_call(name, dt_ns, lane, request, took_ns, outcome)

    def run(self, name: str, dt_ns: int, lane: int, values: list[Any]) -> None:
        """Write the values of a run."""
        if self._redactor is not None and values and type(values[0]) not in (float, int):
            redacted = self._redactor.value(values, eager=False)
            assert isinstance(redacted, list)
            values = redacted
        self._put(lambda: self._writer.event(self._run_event(name, dt_ns, lane, values)))

    def lane(self, dt_ns: int, number: int, name: str, parent: int | None) -> None:
        """Write the start of a lane."""
        self._put(lambda: self._writer.event([_LANE_START, dt_ns, number, [name, parent]]))

    def flush(self, open_run: tuple[str, int, int, list[Any]] | None = None) -> None:
        """Put on disk what does not wait; the open run, as `run` takes it, goes behind it for the time being."""
        if self._waiting or open_run is None or not _is_of_numbers(open_run[3]):
            self._writer.flush()
        else:
            self._writer.flush(self._run_event(*open_run))

    def settle(self) -> None:
        """Write all that waits: nothing comes that could tell more."""
        if self._streams is not None:
            self._streams.end()
        self._go_on()

    def close(self) -> None:
        """Write all that waits, and the end of the tape."""
        self.settle()
        self._writer.close()

    def _call_with_pieces(
        self, redactor: Redactor, name: str, dt_ns: int, lane: int, request: Plain, took_ns: int, value: Plain
    ) -> None:
        assert self._streams is not None
        crossing, found = _Crossing(request, value), []
        for stream, place, last in self._pieces[name](request, value):
            data = crossing.at(place)
            if isinstance(data, bytes):
                crossing.put(place, b"")
                found.append((stream, place, data, last or not data))
        crossing.request, crossing.outcome = redactor.event(name, crossing.request, crossing.outcome)
        waiting = _Waiting(
            lambda: self._write_call(name, dt_ns, lane, crossing.request, took_ns, Returned(crossing.outcome)),
            len(found),
        )
        self._waiting.append(waiting)
        for stream, place, data, last in found:
            self._streams.add(stream, Piece(data, _settling(crossing, waiting, place)), last=last)
        self._go_on()

    def _put(self, write: Callable[[], None]) -> None:
        if self._waiting:
            self._waiting.append(_Waiting(write))
            self._go_on()
        else:
            write()

    def _go_on(self) -> None:
        """Write what has waited long enough."""
        waiting = self._waiting
        if self._streams is not None and waiting and waiting[0].pieces:
            if len(waiting) > _MOST:
                self._streams.end()
            elif len(waiting) % _PATIENCE == 0:
                self._streams.give_up()
        while waiting and not waiting[0].pieces:
            waiting.popleft().write()

    def _run_event(self, name: str, dt_ns: int, lane: int, values: list[Any]) -> list[Any]:
        return [self._writer.kind(name, ["values"]), dt_ns, lane, self._writer.run_body(values)]

    def _write_call(self, name: str, dt_ns: int, lane: int, request: Plain, took_ns: int, outcome: Outcome) -> None:
        fields, values = [""], [request]
        if type(request) is dict:
            fields, values = [*request], [*request.values()]
            if fields == [""]:
                raise UsageError(f'{name}: a request whose only key is "" is what a plain value looks like on a tape')
        number = self._writer.kind(name, [*fields, "took_ns", "outcome"])
        self._writer.event([number, dt_ns, lane, self._writer.call_body([*values, took_ns], outcome)])


def _settling(crossing: _Crossing, waiting: _Waiting, place: Place) -> Callable[[bytes], None]:
    def settle(data: bytes) -> None:
        crossing.put(place, data)
        waiting.pieces -= 1

    return settle


def _is_of_numbers(values: list[Any]) -> bool:
    return not values or type(values[0]) in (float, int)
