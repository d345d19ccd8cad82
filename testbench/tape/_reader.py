"""Read a tape: open it in three small reads, then take events in order or by position, blobs by digest.

Every segment and every blob is proved by its digest before anything of it is given out; memory stays at one of them.
"""

from __future__ import annotations

import os
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import accumulate, chain, islice
from typing import Self

from testbench.errors import TapeDamagedError
from testbench.protocol import Plain
from testbench.tape._blobs import Blobs
from testbench.tape._codec import MalformedError, Tag, decode
from testbench.tape._event import Finding, KindRow, Outcome, Returned
from testbench.tape._items import (
    DIGEST_SIZE,
    LANE_START,
    MAX_SEAL_SIZE,
    MAX_SEGMENT_SIZE,
    TAG_VALUE,
    VALUE_LIMIT,
)
from testbench.tape._locate import Located, locate
from testbench.tape._raw import RawEvent, decode_events
from testbench.tape._runs import unpack_run
from testbench.tape._source import Source
from testbench.tape._structure import Seal, is_sealed, read_seal
from testbench.tape._wire import SCALARS, GetBlob, Wire, lift, lift_outcome, metered


class Reader:
    """An open tape. Use it as a context manager, or call `close`.

    Attributes:
        path, size: the file.
        digest_name: the digest function of this tape; with any but ``"sha-256"`` it is read and not verified.
        complete: whether the recording finished: there is a whole index that belongs to this tape.
        kinds: the rows of this tape, by number; asking for one that is not there raises `TapeDamagedError`.
        counts: events per kind number.
        total: how many events there are.
        damage: what is wrong as far as was seen; grows while reading with ``salvage``.
        events_digest, tape_digest: identity of the events, and of the whole tape; None when incomplete.
        tail: events behind the last seal; none on a complete tape.
    """

    def __init__(self, source: Source, located: Located) -> None:
        self.path, self.size, self._source = source.path, source.size, source
        self._header, self._index = located.header, located.index
        self.digest_name, self.complete = located.header.digest_name, located.complete
        self.kinds: dict[int, KindRow] = _Rows({row.number: row for row in self._index.rows})
        self.tail, self.damage = located.tail, located.findings
        self.events_digest = self._index.events_digest if self.complete else None
        self.tape_digest = self._index.tape_digest if self.complete else None
        self._verifies = located.header.verifies
        self._seal_size = min(MAX_SEAL_SIZE, 64 + 12 * len(self._index.counts))  # at most; most of it is counts
        self._blobs = Blobs(source, self._index, verifies=self._verifies)

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, salvage: bool = False) -> Self:
        """Open a tape; one whose recording never finished, or whose index is damaged, is walked over first.

        Args:
            path: the file.
            salvage: read on although the header is damaged, and do without what it said.

        Raises:
            TapeNotFoundError: there is no such file.
            NotATapeError: the file is something else, or empty.
            TapeVersionError: a newer format wrote it.
            TapeDamagedError: its header is not whole.
        """
        source = Source.open(path)
        try:
            return cls(source, locate(source, salvage=salvage))
        except BaseException:
            source.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; more than once does no harm."""
        self._source.close()

    @cached_property
    def counts(self) -> dict[int, int]:
        """Events per kind number."""
        return dict(Counter(self._index.counts) + Counter(event[0] for event in self.tail))

    @property
    def total(self) -> int:
        """How many events there are."""
        return self._index.total + len(self.tail)

    @cached_property
    def meta(self) -> dict[str, Plain]:
        """What the recording says about itself.

        Raises:
            TapeDamagedError: it is no dict.
            BlobMissingError, BlobDamagedError: a long value of it is not there, or not whole.
        """
        meta = lift(self._header.meta, metered(self.blob))
        if type(meta) is not dict:
            raise self._source.damaged("expected meta to be a dict", 0)
        return meta

    def events(self, *, start: int = 0, salvage: bool = False) -> Iterator[RawEvent]:
        """Iterate over the events in order.

        Args:
            start: position of the first one wanted.
            salvage: leave out what is damaged and note it in `damage`, instead of raising.

        Raises:
            TapeDamagedError: a segment is not what its seal says, or bytes before the next one are no part of a tape:
                nobody knows how many events are lost there, so what follows has no position.
        """
        first = bisect_right(self._starts, start) - 1
        gap = None if salvage else self._gap
        sealed = range(first, self.segment_count if gap is None else gap[0])
        rest = (self.tail,) if gap is None else map(_lost, gap[1:])
        events = chain.from_iterable(chain(map(self._salvage if salvage else self.segment, sealed), rest))
        return islice(events, start - self._starts[first], None) if start else events

    @cached_property
    def _gap(self) -> tuple[int, Finding] | None:
        """The first place where bytes are no part of a tape: the number of the segment behind it, and the finding."""
        found = next((finding for finding in self.damage if finding.code == "damaged"), None)
        return None if found is None else (bisect_left(self._index.offsets, found.offset or 0), found)

    @property
    def segment_count(self) -> int:
        """How many sealed segments there are."""
        return len(self._index.offsets)

    def first_seq(self, number: int) -> int:
        """Return the position of the first event of a segment."""
        return self._starts[number]

    def segment(self, number: int) -> tuple[RawEvent, ...]:
        """Read the events of one segment, proved by its seal.

        Raises:
            TapeDamagedError: they are not what the seal says.
        """
        index = self._index
        offset, size, count = index.offsets[number], index.sizes[number], index.events[number]
        if size > MAX_SEGMENT_SIZE:
            raise self._source.damaged(f"expected a segment of at most {MAX_SEGMENT_SIZE} bytes, not {size}", offset)
        events, seal = self._source.read(offset, size), self._source.read(offset + size, self._seal_size)
        try:
            if self._verifies and not is_sealed(events, count, seal):
                raise MalformedError("they do not have the digest that their seal gives")
            return decode_events(events, count)
        except MalformedError as error:
            raise self._source.damaged(f"in a segment of {count} events, {error}", offset) from error

    def seal(self, number: int) -> Seal:
        """Read the seal of a segment; equal seals mean equal events.

        Raises:
            TapeDamagedError: there is none where the index says.
        """
        offset = self._index.offsets[number] + self._index.sizes[number]
        try:
            return read_seal(self._source.read(offset, MAX_SEAL_SIZE))[0]
        except MalformedError as error:
            raise self._source.damaged(str(error), offset) from error

    def lanes(self) -> dict[int, str]:
        """Return the names of the lanes by number, in order of first appearance; reads only segments that start one."""
        names = {0: "main"}
        for _, _, lane, body in self.of_kinds({LANE_START[0]}):
            names.setdefault(lane, body[0])
        return names

    def of_kinds(self, wanted: Collection[int]) -> Iterator[RawEvent]:
        """Iterate over the events of some kinds, given by number; reads only segments that have such.

        Raises:
            TapeDamagedError: as `events`.
        """
        bits = sum({1 << min(number, 63) for number in wanted})
        numbers = (number for number, held in enumerate(self._index.bitmaps) if held & bits)
        events = chain(chain.from_iterable(map(self.segment, numbers)), self.tail)
        return (event for event in events if event[0] in wanted)

    def lane_start(self, body: Wire) -> tuple[str, int | None]:
        """Return the name of a lane, and the number of the lane that started it, from the body of a lane start."""
        name, parent = body  # the shape was proved when the segment was decoded
        return name, parent

    def call_body(self, body: Wire, row: KindRow) -> tuple[Plain, int, Outcome]:
        """Lift the body of a crossing: the request, the nanoseconds it took, and the outcome.

        Raises:
            TapeDamagedError: it is not what the row says.
            BlobMissingError, BlobDamagedError: a payload of it is not there, or not whole.
        """
        get_blob: GetBlob | None = None
        if type(body) is Tag:
            body = self.unspill(body, get_blob := metered(self.blob))
        names = row.asked
        if type(body) is not tuple or len(body) != len(names) + 2:
            raise self._damaged_event(f"a body of this kind is an array of {len(names) + 2}")
        took_ns = body[-2]
        if type(took_ns) is not int or took_ns < 0:
            raise self._damaged_event("the time that an effect took is a whole number of nanoseconds")
        request: dict[str, Plain] = dict(zip(names, body))  # noqa: B905  # strict= would take half as long again
        if SCALARS.issuperset(map(type, body)):
            outcome: Outcome = Returned(body[-1])  # there is nothing to lift in most events
        else:
            get_blob = get_blob or metered(self.blob)
            for name, value in request.items():
                if type(value) not in SCALARS:
                    request[name] = lift(value, get_blob)
            outcome = lift_outcome(body[-1], get_blob)
        return request[""] if names == ("",) else request, took_ns, outcome

    def run_values(self, body: Wire) -> Sequence[Plain]:
        """Lift the values of a run; raises as `call_body` does."""
        get_blob = metered(self.blob)
        return unpack_run(self.unspill(body, get_blob), get_blob)

    def blob(self, digest: bytes) -> bytes:
        """Return the bytes that have a digest.

        Raises:
            BlobMissingError: the tape does not hold them.
            BlobDamagedError: the tape holds others in their place.
        """
        return self._blobs.get(digest)

    def blobs(self) -> Iterator[tuple[bytes, int]]:
        """Iterate over the digests and sizes of all payloads, in the order in which they stand on the tape."""
        return iter(self._blobs)

    @cached_property
    def _starts(self) -> list[int]:
        return list(accumulate(self._index.events, initial=0))

    def _salvage(self, number: int) -> Iterable[RawEvent]:
        try:
            return self.segment(number)
        except TapeDamagedError as error:
            offset = self._index.offsets[number]
            if all(finding.offset != offset for finding in self.damage):
                self.damage.append(Finding("segment", str(error), offset))
            return ()

    def unspill(self, body: Wire, get_blob: GetBlob) -> Wire:
        """Give a body, from its blob if it was too heavy for its segment; raises as `call_body` does."""
        if type(body) is not Tag or body.tag != TAG_VALUE:
            return body
        if type(body.value) is not bytes or len(body.value) != DIGEST_SIZE:
            raise self._damaged_event("a body kept in a blob is named by one digest")
        data = get_blob(body.value)
        if len(data) > VALUE_LIMIT:
            raise self._damaged_event(f"a body takes at most {VALUE_LIMIT} bytes")
        try:
            return decode(data)
        except MalformedError as error:
            raise self._damaged_event(f"a body kept in a blob is one item, and {error}") from error

    def _damaged_event(self, expected: str) -> TapeDamagedError:
        return TapeDamagedError(
            f"{self.path} holds a damaged event: {expected}, and this one is not. `testbench check {self.path}` says "
            "where."
        )


class _Rows(dict[int, KindRow]):
    def __missing__(self, number: int) -> KindRow:
        raise TapeDamagedError(
            f"the tape is damaged: an event has the kind {number}, and the tape has no row that names it. "
            "`testbench check` on the tape says where."
        )


def _lost(finding: Finding) -> tuple[RawEvent, ...]:
    """Stand where events are missing."""
    raise TapeDamagedError(finding.message)
