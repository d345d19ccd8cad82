"""Write a tape: events as they come, sealed in segments, closed by an index.

The bytes of a finished tape depend on its events alone, never on when `Writer.flush` was called: every decision (where
a segment ends, where a blob stands) looks at content only, and what a flush wrote ahead of time is written over.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Concatenate, Final, NoReturn, ParamSpec, TypeAlias, TypeVar, cast

from testbench.errors import RecordingError, TestbenchError, UsageError
from testbench.protocol import Plain
from testbench.tape._codec import Tag, encode, encode_sequence
from testbench.tape._event import KindRow, Outcome
from testbench.tape._index import Index
from testbench.tape._items import (
    BODY_SIZE,
    DIGEST_SIZE,
    FULL_SEGMENT,
    KINDS_LIMIT,
    LANE_START,
    LONG_RUN,
    MAX_HEADER_SIZE,
    MAX_KIND_SIZE,
    RUN_SIZE,
    RUN_VALUES,
    SEGMENT_EVENTS,
    TAG_VALUE,
    VALUE_LIMIT,
)
from testbench.tape._plain import plain
from testbench.tape._runs import pack_run
from testbench.tape._segment import Segment
from testbench.tape._sink import Sink
from testbench.tape._structure import flatten, make_blob_head, make_end, make_header, make_kind, make_seal, sha256
from testbench.tape._wire import Wire, lower, lower_all, lower_outcome, weight

_P = ParamSpec("_P")
_R = TypeVar("_R")

_Method: TypeAlias = Callable[Concatenate["Writer", _P], _R]

_kind_of: Final = itemgetter(0)
_LANE_ROW: Final = KindRow(number=LANE_START[0], name=LANE_START[1], fields=LANE_START[2])


def _step(method: _Method[_P, _R]) -> _Method[_P, _R]:
    """Make a method all or nothing: cut short (by Ctrl-C, say), it leaves a writer that refuses to go on."""

    @functools.wraps(method)
    def run(self: Writer, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        self._sink.check()
        try:
            return method(self, *args, **kwargs)
        except UsageError:
            raise  # refused before anything changed
        except BaseException as error:
            self._stop(error)
            raise

    return cast("_Method[_P, _R]", run)


class Writer:
    """Appends events and blobs to an open, empty file. Not safe for threads; refuses to work in a forked child.

    Memory is one segment of events and 256 KiB of bytes, and besides 24 bytes per segment and about 200 per blob.

    Args:
        fd: open for writing; stays open after `close`.
        meta: what the recording says about itself.

    Raises:
        UsageError: ``meta`` is not plain, or above 1 MiB without its payloads.
    """

    def __init__(self, fd: int, meta: Mapping[str, Plain]) -> None:
        self._sink = Sink(fd, self._refuse)
        self._index = Index([_LANE_ROW])
        self._segment = Segment()
        self._pending: list[Any] = []  # events of the open segment that are not encoded yet
        self._room = SEGMENT_EVENTS  # how many of them fit
        self._kinds_size = 0
        self._numbers: dict[tuple[str, tuple[str, ...]], int] = {}
        self._blobs: set[bytes] = set()
        self._closed = False
        self._header = self._start(meta)

    @property
    def unflushed(self) -> bool:
        """Whether `flush` would write anything."""
        return bool(self._pending) or self._sink.waiting

    @_step
    def kind(self, name: str, fields: Sequence[str]) -> int:
        """Return the number of a kind on this tape; the first call for it writes its row.

        Args:
            name: kind and op, ``"process.spawn"``.
            fields: the names of what will stand in its bodies, in order.

        Raises:
            UsageError: a name holds lone surrogates, or they are above 64 KiB together.
        """
        key = (name, tuple(fields))
        number = self._numbers.get(key)
        if number is None:
            number = len(self._numbers) + 1
            self._define(KindRow(number=number, name=name, fields=key[1]))
            self._numbers[key] = number
        return number

    def event(self, event: list[Any]) -> None:
        """Append one event ``[kind, dt, lane, body]``, lowered; it belongs to the writer from now on.

        ``dt`` is nanoseconds since the event before. The hot path: one append.
        """
        pending = self._pending
        pending.append(event)
        if len(pending) >= self._room:
            self._end_segment()

    @_step
    def blob(self, data: bytes) -> bytes:
        """Store bytes under their SHA-256 digest, once, and return it."""
        digest = sha256(data)
        if digest not in self._blobs:
            self._seal()
            self._sink.append(make_blob_head(digest, len(data)))
            self._index.add_blob(digest, self._sink.position, len(data))
            self._sink.append(data)
            self._blobs.add(digest)
        return digest

    def call_body(self, values: Sequence[Plain], outcome: Outcome) -> Wire:
        """Lower one crossing to the body of an event.

        Args:
            values: what the request holds, field by field, and the nanoseconds that the effect took.
            outcome: what came back.

        Raises:
            UsageError: a value is not plain, or above 4 MiB without its payloads.
        """
        body = lower_all(values, self.blob)
        body.append(lower_outcome(outcome, self.blob))
        return body if weight(body) <= BODY_SIZE else self._spill(body)

    def run_body(self, values: list[Any]) -> Wire:
        """Lower the values of a run to the body of the event that is appended next.

        A run of text heavier than 256 KiB becomes a blob; if it was flushed while it was open, the tape also keeps the
        blob of what it held then. Runs of numbers never do.

        Raises:
            UsageError: there are more than 4096, or one is not plain.
        """
        if len(values) > RUN_VALUES:
            raise UsageError(
                f"a run holds at most {RUN_VALUES} values, not {len(values)}; begin a new event after them."
            )
        body = pack_run(values, self.blob)
        size = weight(body)
        if len(values) > LONG_RUN or size > 9 * LONG_RUN + 10:  # numbers alone stay below it
            self._make_room()
        return self._spill(body) if size > RUN_SIZE else body

    @_step
    def flush(self, open_run: list[Any] | None = None) -> None:
        """Put everything appended so far into the file.

        Args:
            open_run: an event that is not final yet. It stands at the end of the file until something else is written,
                and leaves no trace in the finished tape.

        Raises:
            TapeWriteError: the file does not take it; every later call raises it again.
        """
        self._encode()
        if open_run is not None or self._sink.waiting:
            self._sink.drain(b"" if open_run is None else encode(open_run))

    def close(self) -> None:
        """Seal the last segment, write index and end, and wait until the disk has them. Once closed, does nothing.

        Raises:
            TapeWriteError: the file does not take it.
            RecordingError: this is a forked child.
        """
        if not self._closed:
            self._finish()
            self._closed = True
            self._sink.refuse(RecordingError("the tape is finished already; nothing can be appended to it."))

    def _start(self, meta: Mapping[str, Plain]) -> bytes:
        payloads: list[bytes] = []

        def put_blob(data: bytes) -> bytes:
            payloads.append(data)
            return sha256(data)

        header = make_header([_LANE_ROW], lower(plain(dict(meta)), put_blob))
        if len(header) > MAX_HEADER_SIZE:
            raise UsageError(f"meta takes {len(header)} bytes, above the {MAX_HEADER_SIZE} of a header. Shorten it.")
        self._sink.append(header)
        for data in payloads:  # what the header refers to stands right behind it
            self.blob(data)
        return header

    def _define(self, row: KindRow) -> None:
        if any(type(name) is not str for name in (row.name, *row.fields)):
            raise UsageError(f"a kind and its fields are named by text, not by {row.name!r} and {list(row.fields)!r}.")
        try:
            item = make_kind(row)
        except UnicodeEncodeError as error:
            raise UsageError(f"kind {row.name!r} or a field of it has lone surrogates; name it in Unicode.") from error
        if len(item) > MAX_KIND_SIZE:
            raise UsageError(f"the names of kind {row.name[:60]!r} are above {MAX_KIND_SIZE} bytes. Shorten them.")
        if self._kinds_size + len(item) > KINDS_LIMIT:
            raise UsageError(
                f"kind {row.name[:60]!r} comes after {len(self._numbers)} others, more than a tape can name. Give one "
                "op the same request keys in the same order each time; what varies belongs in a value."
            )
        self._kinds_size += len(item)
        self._seal()
        self._sink.append(item)
        self._index.add_kind(row, item[-DIGEST_SIZE:])

    def _spill(self, body: Wire) -> Wire:
        data = encode(body)
        if len(data) > VALUE_LIMIT:
            raise UsageError(
                f"one event takes {len(data)} bytes without its payloads, above the {VALUE_LIMIT} of a tape. "
                "Record it in parts, or turn the structure into one bytes value."
            )
        return Tag(TAG_VALUE, self.blob(data))

    def _encode(self) -> None:
        pending, segment = self._pending, self._segment
        if pending:
            data = encode_sequence(pending)
            segment.add(self._sink.position, data, Counter(map(_kind_of, pending)), len(pending))
            pending.clear()
            self._room = SEGMENT_EVENTS - segment.count
            self._sink.append(data)

    def _seal(self) -> None:
        self._encode()
        segment = self._segment
        if segment.count:
            counts = encode(flatten(segment.counts))
            digest = segment.digest(counts)
            self._index.add_segment(segment.offset, segment.size, digest, segment.counts)
            self._segment, self._room = Segment(), SEGMENT_EVENTS
            self._sink.append(make_seal(segment.count, segment.size, digest, counts))

    _end_segment = _step(_seal)

    @_step
    def _make_room(self) -> None:
        """End the segment if it has grown: many long runs in one are quicker to read than one in each."""
        self._encode()
        if self._segment.size > FULL_SEGMENT:
            self._seal()

    @_step
    def _finish(self) -> None:
        self._seal()
        offset, index = self._sink.position, self._index.finish(self._header)
        self._sink.append(index)
        self._sink.append(make_end(offset, index))
        self._sink.finish()

    def _stop(self, error: BaseException) -> None:
        if not isinstance(error, TestbenchError):
            error = RecordingError(
                f"writing the tape was cut short by {type(error).__name__}, half way through a step; nothing was "
                "written after it. Record again, or keep what came before with `testbench recover`."
            )
        self._sink.refuse(error)

    def _refuse(self, error: TestbenchError) -> None:
        self._pending = _Refusal(error)


class _Refusal(list[Any]):
    """Stands in for the pending events of a writer that cannot go on, so that `Writer.event` needs no test."""

    def __init__(self, error: TestbenchError) -> None:
        self._error = error

    def append(self, _: Any) -> NoReturn:
        raise type(self._error)(*self._error.args)
