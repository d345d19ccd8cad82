"""The structural items of a tape, made and read back: header, kind-def, blob head, seal, end.

Readers raise `MalformedError` for any byte that a writer would not have put there; the caller knows path and offset.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Mapping
from typing import Any, Final

from attrs import frozen

from testbench.errors import TapeVersionError
from testbench.tape._codec import (
    ARRAY,
    BYTES,
    TAG,
    MalformedError,
    Tag,
    decode_first,
    encode,
    head,
    iterate,
    read_head,
)
from testbench.tape._event import KindRow
from testbench.tape._items import (
    DIGEST_NAME,
    DIGEST_SIZE,
    MAX_SEGMENT_EVENTS,
    MAX_SEGMENT_SIZE,
    TAG_BLOB,
    TAG_END,
    TAG_INDEX,
    TAG_KIND,
    TAG_SEAL,
    TAG_SELF_DESCRIBED,
    TAG_TAPE,
    VERSION,
)

KIND_HEAD: Final = head(TAG, TAG_KIND)
BLOB_HEAD: Final = head(TAG, TAG_BLOB)
SEAL_HEAD: Final = head(TAG, TAG_SEAL)
INDEX_HEAD: Final = head(TAG, TAG_INDEX)
EVENT_HEAD: Final = head(ARRAY, 4)
TAPE_HEAD: Final = head(TAG, TAG_TAPE)
MAGIC: Final = head(TAG, TAG_SELF_DESCRIBED) + TAPE_HEAD
"""The first eight bytes of every tape."""

BLOB_HEAD_SIZE: Final = len(BLOB_HEAD) + 1 + 2 + DIGEST_SIZE
"""Bytes of a blob item before the head of its content."""

_END: Final = struct.Struct(f"<QQ{DIGEST_SIZE}s")
END_HEAD: Final = head(TAG, TAG_END) + head(BYTES, _END.size)
END_SIZE: Final = len(END_HEAD) + _END.size
_DIGEST_HEAD: Final = head(BYTES, DIGEST_SIZE)
_NO_DIGEST: Final = bytes(DIGEST_SIZE)  # in the place of one that can only be computed from what stands before it


@frozen(kw_only=True)
class Header:
    """The first item: which digest function, which kinds from the start, and what the recording says about itself.

    Attributes:
        digest_name: ``"sha-256"``, or one that this reader cannot verify.
        rows: the kinds known before any kind-def.
        meta: a lowered dict.
        size: bytes of the item.
    """

    digest_name: str
    rows: tuple[KindRow, ...]
    meta: Any
    size: int

    @property
    def verifies(self) -> bool:
        """Whether the digests of this tape can be checked."""
        return self.digest_name == DIGEST_NAME


@frozen(kw_only=True)
class Seal:
    """What stands behind a segment and proves it.

    Attributes:
        count: events in the segment.
        size: their bytes, which end where the seal starts.
        digest: SHA-256 of those bytes followed by the encoded list of counts.
        counts: events per kind number.
    """

    count: int
    size: int
    digest: bytes
    counts: Mapping[int, int]


@frozen(kw_only=True)
class End:
    """The last item: where the index stands, and its digest."""

    offset: int
    size: int
    digest: bytes


def sha256(*parts: bytes) -> bytes:
    """Digest the concatenation of ``parts``."""
    state = hashlib.sha256()
    for part in parts:
        state.update(part)
    return state.digest()


def is_proved(item: bytes) -> bool:
    """Tell whether an item ends with the SHA-256 of all its bytes before, as a header and a kind-def do."""
    return sha256(item[:-DIGEST_SIZE]) == item[-DIGEST_SIZE:]


def make_header(rows: Iterable[KindRow], meta: Any, digest_name: str = DIGEST_NAME) -> bytes:
    """Encode the header; ``meta`` is lowered already."""
    wire = [VERSION, digest_name, [row_wire(row) for row in rows], meta, _NO_DIGEST]
    return _prove(encode(Tag(TAG_SELF_DESCRIBED, Tag(TAG_TAPE, wire))))


def read_header(data: bytes) -> Header:
    """Read the header from the start of a file.

    Raises:
        MalformedError: it is cut off, is no header, or does not have its digest.
        TapeVersionError: a newer format wrote it.
    """
    item, size = next(iterate(data), (None, 0))
    if type(item) is not Tag or item.tag != TAG_TAPE or not data.startswith(MAGIC):
        raise MalformedError("the header is not whole")
    version, *fields = parse_array(item.value) or (None,)
    if type(version) is int and version > VERSION:
        raise TapeVersionError(
            f"expected a tape of format {VERSION} or older, and this one has format {version}: a newer testbench wrote "
            "it. Upgrade with `pip install --upgrade testbench`."
        )
    if type(version) is not int or version != VERSION or len(fields) != 4 or type(fields[0]) is not str:
        raise MalformedError("a header is [1, digest name, kind rows, meta, digest]")
    if not is_proved(data[:size]):  # by SHA-256 whatever it names, so that the name is proved as well
        raise MalformedError("the header does not have its digest")
    name, rows, meta, _ = fields
    return Header(digest_name=name, rows=tuple(map(parse_row, parse_array(rows))), meta=meta, size=size)


def make_kind(row: KindRow) -> bytes:
    """Encode a kind-def."""
    return _prove(KIND_HEAD + encode([*row_wire(row), _NO_DIGEST]))


def read_kind(data: bytes) -> tuple[KindRow, int]:
    """Read the kind-def at the start of ``data`` and say where it ends; `is_proved` says whether to believe it.

    Raises:
        MalformedError: there is none, or it is in another form than a writer gives it.
    """
    item, size = next(iterate(data), (None, 0)) if data.startswith(KIND_HEAD) else (None, 0)
    if type(item) is not Tag:
        raise MalformedError("a kind-def is not whole")
    row = parse_row(parse_array(item.value, 4)[:3])
    expected = make_kind(row)
    if size != len(expected) or not data.startswith(expected[:-DIGEST_SIZE]):
        raise MalformedError("a kind-def in another form than a writer gives it")
    return row, size


def make_blob_head(digest: bytes, size: int) -> bytes:
    """Encode what stands before the content of a blob, so that the content itself is never copied by a codec."""
    return BLOB_HEAD + head(ARRAY, 2) + _DIGEST_HEAD + digest + head(BYTES, size)


def read_blob_head(data: bytes) -> tuple[bytes, int, int]:
    """Read the start of a blob item: its digest, the size of its content, and where that starts."""
    expected = make_blob_head(data[BLOB_HEAD_SIZE - DIGEST_SIZE : BLOB_HEAD_SIZE], 0)[:-1]
    major, size, at = read_head(data, BLOB_HEAD_SIZE)
    if not data.startswith(expected) or major != BYTES:
        raise MalformedError("a blob is [digest, bytes]")
    return data[BLOB_HEAD_SIZE - DIGEST_SIZE : BLOB_HEAD_SIZE], size, at


def make_seal(count: int, size: int, digest: bytes, counts: bytes) -> bytes:
    """Encode a seal; ``counts`` is encoded already, because the digest covers it."""
    return SEAL_HEAD + head(ARRAY, 4) + head(0, count) + head(0, size) + _DIGEST_HEAD + digest + counts


def read_seal(data: bytes) -> tuple[Seal, int]:
    """Read the seal at the start of ``data`` and say where it ends.

    Raises:
        MalformedError: it is none, or seals more than a segment may hold.
    """
    item = decode_first(data) if data.startswith(SEAL_HEAD) else None
    count, size, digest, flat = parse_array(item.value if item else None, 4)
    if type(count) is not int or type(size) is not int:
        raise MalformedError("a seal starts with two numbers")
    if not 0 < count <= MAX_SEGMENT_EVENTS or not 4 * count < size <= MAX_SEGMENT_SIZE:
        raise MalformedError("a segment of impossible size")
    counts = unflatten(flat)
    seal = make_seal(count, size, parse_digest(digest), encode(flatten(counts)))
    if count != sum(counts.values()) or not data.startswith(seal):
        raise MalformedError("the counts of a seal do not add up")
    return Seal(count=count, size=size, digest=digest, counts=counts), len(seal)


def is_sealed(events: bytes, count: int, data: bytes) -> bool:
    """Tell whether ``data`` starts with the seal of ``events``, without the time it takes to read one."""
    start = make_seal(count, len(events), b"", b"")
    digest, counts = data[len(start) : len(start) + DIGEST_SIZE], data[len(start) + DIGEST_SIZE :]
    return data.startswith(start) and sha256(events, encode(decode_first(counts))) == digest


def make_end(offset: int, index: bytes) -> bytes:
    """Encode the last item, always `END_SIZE` bytes."""
    return END_HEAD + _END.pack(offset, len(index), sha256(index))


def read_end(data: bytes) -> End:
    """Read the last `END_SIZE` bytes of a file."""
    if len(data) != END_SIZE or not data.startswith(END_HEAD):
        raise MalformedError("there is no end item")
    offset, size, digest = _END.unpack_from(data, len(END_HEAD))
    return End(offset=offset, size=size, digest=digest)


def row_wire(row: KindRow) -> list[Any]:
    """Lower a kind row."""
    return [row.number, row.name, list(row.fields)]


def parse_row(wire: Any) -> KindRow:
    """Read a kind row, trusting nothing."""
    number, name, fields = parse_array(wire, 3)
    if type(number) is not int or number < 0 or type(name) is not str:
        raise MalformedError("a kind row is [number, name, field names]")
    if any(type(field) is not str for field in parse_array(fields)):
        raise MalformedError("the field names of a kind are text")
    return KindRow(number=number, name=name, fields=fields)


def parse_array(wire: Any, size: int | None = None) -> tuple[Any, ...]:
    """Take a decoded array for what it is."""
    if type(wire) is not tuple or (size is not None and len(wire) != size):
        raise MalformedError("an array was expected" if size is None else f"an array of {size} was expected")
    return wire


def parse_digest(wire: Any) -> bytes:
    """Take a decoded digest for what it is."""
    if type(wire) is not bytes or len(wire) != DIGEST_SIZE:
        raise MalformedError(f"a digest of {DIGEST_SIZE} bytes was expected")
    return wire


def _prove(item: bytes) -> bytes:
    """Put in the digest for which an item keeps its last bytes."""
    start = item[:-DIGEST_SIZE]
    return start + sha256(start)


def flatten(counts: Mapping[int, int]) -> list[int]:
    """Lower counts per kind to ``[kind, count, ...]``, kinds rising."""
    return [number for pair in sorted(counts.items()) for number in pair]


def unflatten(wire: Any) -> dict[int, int]:
    """Read counts per kind: kinds rising, counts positive."""
    flat = parse_array(wire)
    if any(type(number) is not int or number < 0 for number in flat) or not all(flat[1::2]):
        raise MalformedError("counts are whole numbers above zero")
    counts = dict(zip(flat[::2], flat[1::2], strict=False))
    if flatten(counts) != list(flat):
        raise MalformedError("counts are pairs of kind and count, kinds rising")
    return counts


def bitmap(counts: Mapping[int, int]) -> int:
    """Fold the kinds of a segment into 64 bits; the last bit stands for every kind from 63 up."""
    bits = 0
    for kind in counts:
        bits |= 1 << min(kind, 63)
    return bits
