"""The index of a tape: where segments and blobs stand, what is counted, and the two digests over all of it.

Built while writing, rebuilt by a walk over a damaged tape, read back when a tape is opened: the same object each time.
"""

from __future__ import annotations

import hashlib
import sys
from array import array
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, Final

from testbench.tape._codec import ARRAY, BYTES, TAG, MalformedError, encode, head, iterate, read_head
from testbench.tape._event import KindRow
from testbench.tape._items import DIGEST_SIZE, MAX_TABLE_SIZE, TAG_U32, TAG_U64
from testbench.tape._structure import (
    INDEX_HEAD,
    bitmap,
    flatten,
    parse_array,
    parse_row,
    row_wire,
    sha256,
    unflatten,
)

_CODES: Final = {TAG_U64: "Q", TAG_U32: "I"}


class Index:
    """All that is known about a tape without its events; 24 bytes per segment and 48 per blob.

    Args:
        rows: the kinds that the header names.

    Attributes:
        counts: events per kind number.
        rows: every kind, the header's first, in order of first use.
        offsets, events, sizes: per segment, where its first event stands, how many it has, and their bytes.
        bitmaps: per segment, bit ``min(kind, 63)`` is set for each kind in it.
        blob_digests: 32 bytes per blob, concatenated; `blob_offsets` and `blob_sizes` say where its content stands.
        events_digest, tape_digest: as `finish` computed them; empty before.
    """

    def __init__(self, rows: Iterable[KindRow] = ()) -> None:
        self.counts: dict[int, int] = {}
        self.rows = list(rows)
        self.offsets, self.events, self.sizes, self.bitmaps = array("Q"), array("I"), array("I"), array("Q")
        self.blob_digests, self.blob_offsets, self.blob_sizes = bytearray(), array("Q"), array("Q")
        self.events_digest, self.tape_digest = b"", b""
        self._chain = hashlib.sha256()

    @property
    def total(self) -> int:
        """How many events the sealed segments hold."""
        return sum(self.counts.values())

    def add_kind(self, row: KindRow, digest: bytes) -> None:
        """Take in a kind-def; the order of kinds and segments is part of the events digest."""
        self.rows.append(row)
        self._chain.update(digest)

    def add_segment(self, offset: int, size: int, digest: bytes, counts: Mapping[int, int]) -> None:
        """Take in a sealed segment; ``counts`` are its events per kind."""
        self.offsets.append(offset)
        self.events.append(sum(counts.values()))
        self.sizes.append(size)
        self.bitmaps.append(bitmap(counts))
        for kind, count in counts.items():
            self.counts[kind] = self.counts.get(kind, 0) + count
        self._chain.update(digest)

    def add_blob(self, digest: bytes, offset: int, size: int) -> None:
        """Take in a blob; ``offset`` is where its content starts."""
        self.blob_digests += digest
        self.blob_offsets.append(offset)
        self.blob_sizes.append(size)

    def finish(self, header: bytes) -> bytes:
        """Compute both digests and encode the index item; ``header`` is the header item as it stands in the file."""
        self.events_digest = self._chain.digest()
        self.tape_digest = sha256(header, self.events_digest)
        fields = (
            encode(self.total),
            encode(flatten(self.counts)),
            encode([row_wire(row) for row in self.rows]),
            *(_typed(TAG_U64, self.offsets), _typed(TAG_U32, self.events), _typed(TAG_U32, self.sizes)),
            _typed(TAG_U64, self.bitmaps),
            head(BYTES, len(self.blob_digests)) + self.blob_digests,
            *(_typed(TAG_U64, self.blob_offsets), _typed(TAG_U64, self.blob_sizes)),
            encode(self.events_digest),
            encode(self.tape_digest),
        )
        return INDEX_HEAD + head(ARRAY, len(fields)) + b"".join(fields)

    @classmethod
    def parse(cls, item: bytes) -> Index:
        """Read an index item back. Only its small tables are decoded; the columns are taken as the bytes they are.

        Raises:
            MalformedError: it does not have the shape of one, or its parts disagree about their length.
        """
        self, start = cls(), INDEX_HEAD + head(ARRAY, 12)
        if not item.startswith(start):
            raise MalformedError("an index is a tagged array of twelve")
        tables = list(islice(iterate(item[len(start) : len(start) + MAX_TABLE_SIZE]), 3))
        if len(tables) != 3:
            raise MalformedError(f"the tables of an index take at most {MAX_TABLE_SIZE} bytes")
        (total, _), (counts, _), (rows, size) = tables
        self.counts, self.rows = unflatten(counts), [parse_row(row) for row in parse_array(rows)]
        columns = _Columns(item, len(start) + size)
        self.offsets, self.events = columns.take(TAG_U64), columns.take(TAG_U32)
        self.sizes, self.bitmaps = columns.take(TAG_U32), columns.take(TAG_U64)
        self.blob_digests = bytearray(columns.take_bytes())
        self.blob_offsets, self.blob_sizes = columns.take(TAG_U64), columns.take(TAG_U64)
        self.events_digest, self.tape_digest = columns.take_bytes(), columns.take_bytes()
        if columns.at != len(item) or not len(self.events_digest) == len(self.tape_digest) == DIGEST_SIZE:
            raise MalformedError("an index ends with two digests")
        self._check(total)
        return self

    def _check(self, total: Any) -> None:
        segments = {len(self.offsets), len(self.events), len(self.sizes), len(self.bitmaps)}
        blobs = {len(self.blob_offsets), len(self.blob_sizes), len(self.blob_digests) / DIGEST_SIZE}
        if len(segments) != 1 or len(blobs) != 1:
            raise MalformedError("the columns of the index differ in length")
        if type(total) is not int or total != self.total or total != sum(self.events):
            raise MalformedError("the counts of the index do not add up")


def _typed(tag: int, numbers: array[int]) -> bytes:
    """Encode numbers as a typed array (RFC 8746 section 2.1), little endian."""
    if sys.byteorder == "big":
        numbers = numbers[:]
        numbers.byteswap()
    data = numbers.tobytes()
    return head(TAG, tag) + head(BYTES, len(data)) + data


class _Columns:
    """Takes one column after the other off an index item."""

    def __init__(self, item: bytes, at: int) -> None:
        self.at, self._item = at, item

    def take(self, tag: int) -> array[int]:
        if not self._item.startswith(head(TAG, tag), self.at):
            raise MalformedError("a column of the index is no typed array")
        self.at += len(head(TAG, tag))
        numbers, data = array(_CODES[tag]), self.take_bytes()
        if len(data) % numbers.itemsize:
            raise MalformedError("a column of the index is no typed array")
        numbers.frombytes(data)
        if sys.byteorder == "big":
            numbers.byteswap()
        return numbers

    def take_bytes(self) -> bytes:
        major, size, start = read_head(self._item, self.at)
        self.at = start + size
        if major != BYTES or self.at > len(self._item):
            raise MalformedError("bytes were expected in the index")
        return self._item[start : self.at]
