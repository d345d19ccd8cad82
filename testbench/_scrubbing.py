"""Secrets on tapes that are there already: finding them, and writing the tapes again without them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import attrs

from testbench.errors import TapeDamagedError, TapeIncompleteError
from testbench.recorders import known_pieces
from testbench.redaction import Redact, Redactor, Span, redactor
from testbench.sessions import Outbox, highest_on
from testbench.tape import Reader, TapeFile, Writer, check

_LANE_START = 0
_HEADER = -1

StrPath = str | os.PathLike[str]


@attrs.frozen
class Secret:
    """A place of a tape where a secret stands; what it is, is not told.

    Attributes:
        seq: position of the event, -1 for the header; of pieces of a stream, that of the piece with which it was clear
            what they are.
        name: kind and op.
        place: the way to it in the event, ``"request.argv.3"``; ``"stream"`` for pieces of one.
        rule: what found it: the issuer of a token, ``"name"``, ``"url"``, ``"private-key"``, ``"known"``, …
        size: how many characters, or bytes, it has.
    """

    seq: int
    name: str
    place: str
    rule: str
    size: int

    def __str__(self) -> str:
        where = "header" if self.seq == _HEADER else f"{self.seq} {self.name}"
        return f"{where}: {self.place}: {self.rule}, {self.size} characters"


@attrs.frozen
class ScrubReport:
    """What came of a scrub.

    Attributes:
        path: the tape without secrets.
        events: how many events it holds.
        redactions: in how many places a secret was replaced; 0 if the tape was clean, and was left as it is.
    """

    path: Path
    events: int
    redactions: int


def scan(path: StrPath, *, redact: Redact = True, redact_values: Iterable[str | bytes] = ()) -> list[Secret]:
    """Return where secrets stand on a tape, payloads included; none of what `testbench.record` writes.

    Args:
        path: the tape; an incomplete one is searched as far as it goes.
        redact: as for `testbench.Testbench`.
        redact_values: as for `testbench.Testbench`.

    Raises:
        TapeNotFoundError, NotATapeError, TapeVersionError, TapeDamagedError: there is nothing to search.
        UsageError: a rule is none.
    """
    with Reader.open(path) as reader:
        return _Search(reader, redact, tuple(redact_values)).run()


def scrub(
    path: StrPath,
    out: StrPath | None = None,
    *,
    redact: Redact = True,
    redact_values: Iterable[str | bytes] = (),
) -> ScrubReport:
    """Write a tape again with placeholders where its secrets were; order, lanes and times stay as they are.

    A secret that is recognised anywhere on the tape is replaced everywhere, also before that place.

    Args:
        path: the tape.
        out: where to write it; by default in its own place, in one step.
        redact: as for `testbench.Testbench`.
        redact_values: as for `testbench.Testbench`.

    Raises:
        TapeNotFoundError, NotATapeError, TapeVersionError, TapeDamagedError: the tape cannot be read.
        TapeIncompleteError: its recording never finished.
        TapeBusyError, TapeWriteError: the new one cannot be written.
        UsageError: a rule is none.
    """
    with Reader.open(path) as reader:
        if not reader.complete:
            raise TapeIncompleteError(
                f"the recording of {path} never finished; make a clean tape of what is there first, with: testbench "
                f"recover {path}"
            )
        search = _Search(reader, redact, tuple(redact_values))
        if not search.run() and out is None:
            return ScrubReport(Path(path), reader.total, 0)
        file = TapeFile.create(path if out is None else out)
        try:
            replaced = _write(reader, file, search.fresh())
        except BaseException:
            file.set_aside()
            raise
        return ScrubReport(file.commit(), reader.total, replaced)


def _write(reader: Reader, file: TapeFile, chosen: Redactor | None) -> int:
    meta = reader.meta if chosen is None else chosen.value(reader.meta)
    assert isinstance(meta, dict)
    outbox = Outbox(Writer(file.fd, meta), chosen, known_pieces())
    _copy(reader, outbox, lambda seq, name: None)
    outbox.close()
    findings = check(file.partial)
    if findings:
        raise TapeDamagedError(f"the scrubbed tape is not sound, so it was not kept: {findings[0].message}")
    return 0 if chosen is None else chosen.redactions


def _copy(reader: Reader, outbox: Outbox, about: Callable[[int, str], None]) -> None:
    """Hand every event of a tape to an outbox; ``about`` is told of each first."""
    for seq, (number, dt_ns, lane, body) in enumerate(reader.events()):
        row = reader.kinds[number]
        about(seq, row.name)
        if number == _LANE_START:
            outbox.lane(dt_ns, lane, *body)
        elif row.fields == ("values",):
            outbox.run(row.name, dt_ns, lane, list(reader.run_values(body)))
        else:
            request, took_ns, outcome = reader.call_body(body, row)
            outbox.call(row.name, dt_ns, lane, request, took_ns, outcome)


class _Search:
    """Goes through a tape once, to find its secrets and to learn what they are."""

    def __init__(self, reader: Reader, redact: Redact, values: tuple[str | bytes, ...]) -> None:
        self._reader = reader
        self._options = redact, values
        self._found: list[Secret] = []
        self._at = (_HEADER, "header")
        self._redactor = redactor(redact, values, environ=os.environ, found=self._note)

    def run(self) -> list[Secret]:
        """Return what was found."""
        if self._redactor is not None:
            self._redactor.value(self._reader.meta)
            outbox = Outbox(_Nowhere(), self._redactor, known_pieces())
            _copy(self._reader, outbox, self._about)
            outbox.close()
        return self._found

    def fresh(self) -> Redactor | None:
        """Return a redactor that knows all secrets of the tape, and gives them numbers that it has not used yet."""
        redact, values = self._options
        known = () if self._redactor is None else self._redactor.secrets.literals
        made = redactor(redact, values, environ=os.environ, first=highest_on(self._reader))
        if made is not None:
            for literal in known:
                made.secrets.remember(literal, lasting=True)
        return made

    def _about(self, seq: int, name: str) -> None:
        self._at = seq, name

    def _note(self, place: tuple[str, ...], span: Span) -> None:
        self._found.append(Secret(*self._at, ".".join(place) or "stream", span.rule, span.end - span.start))


class _Nowhere:
    """Stands in for a tape, and writes nothing."""

    def kind(self, name: str, fields: Any) -> int:
        """Take no note of a kind."""
        return 1

    def event(self, event: list[Any]) -> None:
        """Take no note of an event."""

    def call_body(self, values: Any, outcome: Any) -> Any:
        """Take no note of a crossing."""

    def run_body(self, values: list[Any]) -> Any:
        """Take no note of a run."""

    def flush(self, open_run: list[Any] | None = None) -> None:
        """Write nothing."""

    def close(self) -> None:
        """Write nothing."""
