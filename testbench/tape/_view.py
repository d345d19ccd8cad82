"""A tape to look at: its events as values, its payloads by digest, its summary."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self

from testbench.errors import BlobDamagedError, BlobMissingError, TapeDamagedError, UsageError
from testbench.protocol import Plain
from testbench.tape._event import Event, Info, KindRow
from testbench.tape._items import DIGEST_SIZE, LANE_START
from testbench.tape._reader import Reader


class Tape:
    """A tape that is read, never changed.

    Iterating gives every `Event` in recorded order; memory stays that of one segment and one event, however long the
    tape is, and payloads are loaded when their event is reached. A tape whose recording never finished can be read as
    well: `complete` is False, and the events are those that reached the disk.

    Iterating raises TapeDamagedError, BlobMissingError or BlobDamagedError where the tape does not hold what was
    written, with the position of the event.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Open a tape.

        Raises:
            TapeNotFoundError, NotATapeError, TapeVersionError, TapeDamagedError: there is nothing to look at.
        """
        return cls(Reader.open(path))

    def __iter__(self) -> Iterator[Event]:
        return self.events()

    def __len__(self) -> int:
        return self._reader.total

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def complete(self) -> bool:
        """Whether the recording of this tape finished."""
        return self._reader.complete

    @property
    def meta(self) -> Mapping[str, Plain]:
        """What the recording wrote about itself."""
        return self._reader.meta

    @property
    def lanes(self) -> tuple[str, ...]:
        """The names of all lanes, in order of first appearance."""
        names = self._reader.lanes()
        return tuple(names[number] for number in sorted(names))

    def events(
        self,
        *,
        kind: str | None = None,
        op: str | None = None,
        lane: str | None = None,
        start: int = 0,
        stop: int | None = None,
    ) -> Iterator[Event]:
        """Give the events that are asked for, in recorded order.

        Args:
            kind: only this kind, ``"process"``.
            op: only this operation, ``"spawn"``.
            lane: only this lane.
            start: the first seq, from 0.
            stop: the seq before which to stop; None reads to the end.

        Raises:
            UsageError: ``start`` or ``stop`` is negative.
        """
        if start < 0 or (stop is not None and stop < 0):
            raise UsageError(f"expected start and stop from 0 up, got start={start}, stop={stop}; seq counts from 0.")
        rows = self._reader.kinds.values()
        unwanted = {row.number for row in rows if kind not in (None, row.kind) or op not in (None, row.op)}
        return self._select(unwanted, lane, start, self._reader.total if stop is None else stop)

    def blob(self, digest: bytes | str) -> bytes:
        """Return the payload with this digest, 32 bytes or their 64 hexadecimal digits.

        Raises:
            UsageError: that is no digest.
            BlobMissingError: the tape holds no such payload.
            BlobDamagedError: it does, and the bytes are not what was written.
        """
        return self._reader.blob(parse_digest(digest))

    def blobs(self) -> Iterator[tuple[bytes, int]]:
        """Give the digest and the size of every payload, in order of first use."""
        return iter(self._reader.blobs())

    def info(self) -> Info:
        """Summarise the tape; a complete tape is not read for it."""
        reader = self._reader
        sizes = [size for _, size in reader.blobs()]
        return Info(
            path=reader.path,
            size=reader.size,
            complete=reader.complete,
            events=reader.total,
            kinds={row.name: reader.counts[number] for number, row in reader.kinds.items() if number in reader.counts},
            lanes=self.lanes,
            blobs=len(sizes),
            blob_size=sum(sizes),
            digest=reader.digest_name,
            events_digest=reader.events_digest or None,
            tape_digest=reader.tape_digest or None,
            meta=reader.meta,
        )

    def close(self) -> None:
        """Close the file; reading afterwards is an error."""
        self._reader.close()

    def _select(self, unwanted: set[int], lane: str | None, start: int, stop: int) -> Iterator[Event]:
        names = {0: "main"}
        at_ns = 0
        for seq, raw in enumerate(self._reader.events()):
            if seq >= stop:
                return
            at_ns += raw[1]
            if raw[0] == LANE_START[0]:
                names[raw[2]] = raw[3][0]
            # A kind whose row is lost may be the one that is asked for, so making its event raises.
            if seq >= start and raw[0] not in unwanted and (lane is None or names.get(raw[2]) == lane):
                yield make_event(self._reader, seq, at_ns, raw, names)


def make_event(reader: Reader, seq: int, at_ns: int, raw: tuple[Any, ...], names: Mapping[int, str]) -> Event:
    """Make the view of one raw event, with its payloads.

    Args:
        reader: the tape it was read from.
        seq: its position.
        at_ns: when it was appended, nanoseconds from the start of the recording.
        raw: ``(kind number, dt, lane number, body)`` as the reader gives it.
        names: the names of the lanes up to here.

    Raises:
        TapeDamagedError, BlobMissingError, BlobDamagedError: with path and seq in front.
    """
    number, _, lane, body = raw
    try:
        row = reader.kinds[number]
        if lane not in names:
            raise TapeDamagedError(f"expected a lane that was started before, and the event names lane {lane}.")
        return Event(
            seq=seq, lane=names[lane], kind=row.kind, op=row.op, at_ns=at_ns, **_parts(reader, row, body, names)
        )
    except (TapeDamagedError, BlobMissingError, BlobDamagedError) as error:
        raise type(error)(f"{reader.path}, event {seq}: {error}") from error


def parse_digest(digest: bytes | str) -> bytes:
    """Take a digest in either notation."""
    try:
        raw = bytes.fromhex(digest) if isinstance(digest, str) else digest
    except ValueError:
        raw = b""
    if not isinstance(raw, bytes) or len(raw) != DIGEST_SIZE:
        raise UsageError(
            f"expected a digest, {DIGEST_SIZE} bytes or {2 * DIGEST_SIZE} hexadecimal digits, not {digest!r}."
        )
    return raw


def _parts(reader: Reader, row: KindRow, body: Any, names: Mapping[int, str]) -> dict[str, Any]:
    """Lift the body of an event, by the shape that its kind row announces."""
    if row.number == LANE_START[0]:
        name, parent = body
        return {"request": {"name": name, "parent": None if parent is None else names.get(parent)}}
    if row.fields == ("values",):
        return {"values": list(reader.run_values(body))}
    request, took_ns, outcome = reader.call_body(body, row)
    return {"request": request, "took_ns": took_ns, "outcome": outcome}
