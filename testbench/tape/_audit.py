"""Go through what the segments of a tape hold: counts, the form of every item, kinds, lanes, values, payloads.

Payloads were proved by the walk already. Here they are looked up, and loaded once where their content matters: text
must be text, a body must be one. A tape whose million events name one large payload is checked as fast as another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from testbench.errors import BlobDamagedError, BlobMissingError, TapeDamagedError
from testbench.tape._codec import MalformedError, Tag, decode, decode_sequence, encode, encode_sequence
from testbench.tape._event import Finding, KindRow
from testbench.tape._items import DIGEST_SIZE, LANE_START, TAG_TEXT, TAG_VALUE, VALUE_LIMIT
from testbench.tape._raw import is_event
from testbench.tape._reader import Reader
from testbench.tape._runs import unpack_run
from testbench.tape._source import Source
from testbench.tape._walk import Walk
from testbench.tape._wire import Wire, lift, lift_outcome, metered

MOST: Final = 100
"""Findings that are listed; a file that is wrong all over must not fill the memory with complaints."""


def audit(source: Source, reader: Reader, seen: Walk) -> Iterator[Finding]:
    """Audit every event that a walk saw, sealed or not; at most `MOST` findings.

    Args:
        source: the file.
        reader: reads it by the index that the walk rebuilt.
        seen: the walk.
    """
    findings = _Audit(source, reader, seen).findings()
    yield from islice(findings, MOST)
    if next(findings, None) is not None:
        yield Finding("more", f"more than {MOST} findings about events; only the first are listed.", source.size)


class _Audit:
    def __init__(self, source: Source, reader: Reader, seen: Walk) -> None:
        self._source, self._reader, self._seen = source, reader, seen
        self._offsets = {digest: at for (digest, _), at in zip(reader.blobs(), seen.index.blob_offsets, strict=True)}
        self._lanes = {0}
        self._bodies: set[tuple[bytes, int]] = set()  # heavy bodies that were found good, with their kind
        self._texts: set[bytes] = set()  # digests of payloads that were found to be text
        self._at = 0

    def findings(self) -> Iterator[Finding]:
        seq, index = 0, self._seen.index
        damaged = {finding.offset for finding in self._seen.findings}
        for number, (self._at, size) in enumerate(zip(index.offsets, index.sizes, strict=True)):
            if self._at in damaged:  # reported already; what is in there means nothing
                seq += index.events[number]
                continue
            try:
                data = self._source.read(self._at, size)
                events = decode_sequence(data, index.events[number])
            except MalformedError as error:
                yield self._finding("events", f"sealed bytes are not the events they should be: {error}")
                continue
            yield from self._form(seq, data, events)
            yield from self._counts(number, events)
            yield from self._values(seq, events)
            seq += len(events)
        self._at = self._seen.end
        yield from self._values(seq, self._seen.tail)

    def _form(self, seq: int, data: bytes, events: tuple[Any, ...]) -> Iterator[Finding]:
        """Find the first event that is not written as a writer does: numbers longer than needed, say."""
        if encode_sequence(events) == data:
            return
        at = 0
        for number, event in enumerate(events, seq):
            item = encode(event)
            if not data.startswith(item, at):
                what = f"event {number} is not in the one form that its value has (RFC 8949 section 4.2.1)"
                yield self._finding("form", what, at)
                return
            at += len(item)

    def _counts(self, number: int, events: tuple[Any, ...]) -> Iterator[Finding]:
        counted = Counter(event[0] for event in events if is_event(event))
        sealed = self._reader.seal(number).counts
        if counted != sealed:
            what = f"the seal counts {dict(sealed)} events per kind, and there are {dict(counted)}"
            yield self._finding("counts", what)

    def _values(self, seq: int, events: tuple[Any, ...]) -> Iterator[Finding]:
        for number, event in enumerate(events, seq):
            try:
                self._event(event)
            except BlobMissingError as error:
                yield self._finding("blob-missing", f"event {number} {error}")
            except (TapeDamagedError, BlobDamagedError, MalformedError) as error:
                yield self._finding("event", f"event {number}: {error}")

    def _finding(self, code: str, what: str, within: int = 0) -> Finding:
        at = self._at + within
        advice = f"`testbench recover {self._source.path} -o OUT.tape` keeps what is whole."
        return Finding(code, f"{self._source.path}, byte {at}: {what.rstrip('.')}. {advice}", at)

    def _event(self, event: Any) -> None:
        if not is_event(event):
            raise TapeDamagedError("expected [kind, dt, lane, body].")
        kind, _, lane, body = event
        row = self._reader.kinds[kind]
        if kind == LANE_START[0]:
            self._lane_start(lane, body[1])
        elif lane not in self._lanes:
            raise TapeDamagedError(f"expected a lane that was started before, not lane {lane}.")
        elif type(body) is Tag and body.tag == TAG_VALUE:
            self._heavy(row, body.value)
        else:
            self._body(row, body)

    def _lane_start(self, lane: int, parent: int | None) -> None:
        if parent is not None and parent not in self._lanes:
            raise TapeDamagedError(f"expected a lane started by one that was started before, not by lane {parent}.")
        self._lanes.add(lane)

    def _heavy(self, row: KindRow, digest: Any) -> None:
        if type(digest) is not bytes or len(digest) != DIGEST_SIZE:
            raise TapeDamagedError(f"a body kept in a blob is named by one digest of {DIGEST_SIZE} bytes.")
        self._find(digest)
        if (digest, row.number) in self._bodies:
            return
        data = self._reader.blob(digest)
        if len(data) > VALUE_LIMIT:
            raise TapeDamagedError(f"a body takes at most {VALUE_LIMIT} bytes, not {len(data)}.")
        body = decode(data)
        if encode(body) != data:
            raise TapeDamagedError("a body kept in a blob is not in the one form that its value has.")
        self._body(row, body)
        self._bodies.add((digest, row.number))

    def _body(self, row: KindRow, body: Wire) -> None:
        """Lift a body for the sake of its errors."""
        if row.fields == ("values",):
            unpack_run(self._texts_proved(body), self._find)
            return
        if type(body) is not tuple or len(body) != len(row.fields) or row.fields[-2:] != ("took_ns", "outcome"):
            raise TapeDamagedError(f"expected the {len(row.fields)} fields of {row.name!r}.")
        *request, took_ns, outcome = self._texts_proved(body)
        if type(took_ns) is not int or took_ns < 0:
            raise TapeDamagedError("expected a whole number of nanoseconds that the effect took.")
        if len(set(row.fields[:-2])) < len(request):
            raise TapeDamagedError(f"expected fields of {row.name!r} that differ by name.")
        for value in request:
            lift(value, self._find)
        lift_outcome(outcome, self._find)

    def _find(self, digest: bytes) -> bytes:
        """Stand for a payload that is there; none is loaded."""
        at = self._offsets.get(digest)
        if at is None or at > self._at:
            where = "is not on the tape" if at is None else f"stands behind it, at byte {at}"
            raise BlobMissingError(
                f"names the payload {digest.hex()}, which {where}; it should stand before the event."
            )
        return b""

    def _texts_proved(self, wire: Wire) -> Wire:
        """Load every payload that has to be text, unless it was found to be text before."""
        todo = [wire]
        while todo:
            item = todo.pop()
            if type(item) is tuple:
                todo += item
            elif type(item) is Tag:
                if item.tag != TAG_TEXT:
                    todo.append(item.value)
                elif item.value not in self._texts:
                    lift(item, metered(self._reader.blob))
                    self._texts.add(item.value)
        return wire
