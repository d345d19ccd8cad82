"""Plain values lowered to what CBOR keeps exactly, and lifted back.

CBOR through any library loses things that programs can see: the order of a dict under canonical encoding, the bits of a
NaN, lone surrogates. Each gets a tag here, so that ``lift(lower(value))`` is ``value`` to the last bit. Only where a
payload begins to be a blob is free; otherwise a value has one lowered form, and `lift` refuses the others.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NoReturn, TypeAlias

from testbench.errors import TapeDamagedError, UsageError
from testbench.protocol import Plain
from testbench.tape._codec import Tag
from testbench.tape._event import Outcome, Raised, Returned
from testbench.tape._items import (
    DEPTH_LIMIT,
    DIGEST_SIZE,
    INLINE_SIZE,
    PAYLOAD_LIMIT,
    PIECE_SIZE,
    SPLIT_SIZE,
    TAG_DICT,
    TAG_FLOAT,
    TAG_PAYLOAD,
    TAG_RAISED,
    TAG_TEXT,
    TAG_WTF8,
)
from testbench.tape._plain import ATOMS, NotPlainError, glimpse, plain, refuse, type_name

Wire: TypeAlias = Any
"""A lowered value: what `testbench.tape._codec` encodes. Arrays may come back from it as tuples."""

PutBlob: TypeAlias = Callable[[bytes], bytes]
GetBlob: TypeAlias = Callable[[bytes], bytes]

_AS_IT_IS: Final = frozenset({type(None), bool, int})
SCALARS: Final = frozenset({type(None), bool, int, str, bytes})
"""What is a plain value as it was decoded."""

_ARRAYS: Final = frozenset({tuple, list})

_NAN_BITS: Final = bytes.fromhex("7ff8000000000000")


def lower(value: Plain, put_blob: PutBlob) -> Wire:
    """Turn a plain value into what the codec keeps exactly.

    Args:
        value: a value that `plain` has passed.
        put_blob: stores bytes and returns their 32-byte digest; called for every str or bytes above 1024 bytes.

    Raises:
        UsageError: the value is not plain after all, or one payload is above 1 GiB.
    """
    return lower_all((value,), put_blob)[0]


def lower_all(values: Sequence[Plain], put_blob: PutBlob) -> list[Wire]:
    """Turn several plain values into what the codec keeps exactly; see `lower`."""
    try:
        return _lower(values, put_blob, DEPTH_LIMIT)
    except NotPlainError:
        for value in values:
            plain(value)
        refuse(list(values))


def lift(wire: Wire, get_blob: GetBlob) -> Plain:
    """Turn a lowered value back into the plain value it came from.

    Args:
        wire: a decoded item of a tape, trusted in nothing.
        get_blob: gives the bytes that have a digest; see `metered`.

    Raises:
        TapeDamagedError: no recorder writes such an item.
        BlobMissingError, BlobDamagedError: from ``get_blob``.
    """
    return _lift(wire, get_blob, DEPTH_LIMIT)


def lower_outcome(outcome: Outcome, put_blob: PutBlob) -> Wire:
    """Turn an outcome into one lowered value; a raised one gets a tag that no plain value has."""
    if isinstance(outcome, Returned):
        return lower(outcome.value, put_blob)
    return Tag(TAG_RAISED, lower_all((outcome.type, list(outcome.args), dict(outcome.state)), put_blob))


def lift_outcome(wire: Wire, get_blob: GetBlob) -> Outcome:
    """Turn a lowered outcome back; raises as `lift` does."""
    if type(wire) is not Tag or wire.tag != TAG_RAISED:
        return Returned(_lift(wire, get_blob, DEPTH_LIMIT))
    if type(wire.value) not in _ARRAYS or len(wire.value) != 3:
        _damaged("a raised outcome is [type name, arguments, state]", wire.value)
    name, args, state = (lift(part, get_blob) for part in wire.value)
    if type(name) is not str or type(args) is not list or type(state) is not dict:
        _damaged("a raised outcome is [text, array, ordered map]", wire.value)
    return Raised(name, args, state)


def weight(wire: Wire) -> int:
    """Bytes that a lowered value takes on the tape, payloads aside: never too few, and cheap to count."""
    return _weigh((wire,))


def metered(get_blob: GetBlob) -> GetBlob:
    """Give a ``get_blob`` for one event that stops at 1 GiB: a small event may name one payload a million times."""
    left = PAYLOAD_LIMIT

    def get(digest: bytes) -> bytes:
        nonlocal left
        data = get_blob(digest)
        left -= len(data)
        if left < 0:
            _damaged(f"the payloads of one event are at most {PAYLOAD_LIMIT} bytes together", digest)
        return data

    return get


def _lower(values: Iterable[Any], put_blob: PutBlob, room: int) -> list[Wire]:
    lowered: list[Wire] = []
    for value in values:
        kind = type(value)
        if kind is str:
            if len(value) > INLINE_SIZE or not value.isascii():
                value = _lower_text(value, put_blob)
        elif kind is bytes:
            if len(value) > INLINE_SIZE:
                value = Tag(TAG_PAYLOAD, _put_pieces(value, put_blob))
        elif kind is float:
            if value != value and _bits(value) != _NAN_BITS:
                value = Tag(TAG_FLOAT, _bits(value))
        elif kind is list and room:
            value = _lower(value, put_blob, room - 1)
        elif kind is dict and room:
            value = Tag(TAG_DICT, _lower(_flat(value), put_blob, room - 1))
        elif kind not in _AS_IT_IS:
            raise NotPlainError
        lowered.append(value)
    return lowered


def _flat(items: dict[Any, Any]) -> list[Any]:
    if any(type(key) is not str for key in items):
        raise NotPlainError
    return [part for item in items.items() for part in item]


def _lower_text(text: str, put_blob: PutBlob) -> Wire:
    data = text.encode("utf-8", "surrogatepass")
    if len(data) > INLINE_SIZE:
        return Tag(TAG_TEXT, _put_pieces(data, put_blob))
    try:
        text.encode()
    except UnicodeEncodeError:
        return Tag(TAG_WTF8, data)
    return text


def _put_pieces(data: bytes, put_blob: PutBlob) -> bytes:
    """Store a payload and return the digests of its pieces, one after the other."""
    if len(data) > PAYLOAD_LIMIT:
        raise UsageError(
            f"one value of {len(data)} bytes was to be recorded; the payloads of an event are at most {PAYLOAD_LIMIT} "
            "bytes together. Let it cross the boundary in parts: read the pipe or the file piece by piece."
        )
    if len(data) <= SPLIT_SIZE:
        return put_blob(data)
    return b"".join(put_blob(data[at : at + PIECE_SIZE]) for at in range(0, len(data), PIECE_SIZE))


def _bits(value: float) -> bytes:
    return struct.pack(">d", value)


def _lift(wire: Wire, get_blob: GetBlob, room: int) -> Plain:
    kind = type(wire)
    if kind in SCALARS:
        return wire  # type: ignore[no-any-return]  # the exact types were just checked
    if kind is Tag:
        tag, value = wire.tag, wire.value
        return _lift_map(value, get_blob, room - 1) if tag == TAG_DICT and room else _lift_tag(tag, value, get_blob)
    if kind in _ARRAYS and room:
        return [item if type(item) in SCALARS else _lift(item, get_blob, room - 1) for item in wire]
    if kind is float and (wire == wire or _bits(wire) == _NAN_BITS):
        return wire  # type: ignore[no-any-return]
    return _damaged(f"a value is a scalar, an array or a tag of the format, at most {DEPTH_LIMIT} deep", wire)


def _lift_tag(tag: int, value: Wire, get_blob: GetBlob) -> Plain:
    if tag == TAG_PAYLOAD:
        return _get_pieces(value, get_blob)
    if tag == TAG_TEXT:
        return _decode(_get_pieces(value, get_blob))
    if tag == TAG_WTF8:
        return _lift_wtf8(value)
    if tag == TAG_FLOAT:
        return _lift_float(value)
    return _damaged(f"a value has the tags of the format only, at most {DEPTH_LIMIT} deep", f"tag {tag}")


def _lift_map(flat: Wire, get_blob: GetBlob, room: int) -> Plain:
    if type(flat) not in _ARRAYS or len(flat) % 2:
        _damaged("an ordered map is an array of key, value, key, value", flat)
    lifted: dict[str, Plain] = {}
    pairs = iter(flat)
    for name in pairs:
        item = next(pairs)
        if type(name) is not str:
            name = _lift(name, get_blob, 0)
        if type(name) is not str or name in lifted:
            _damaged("the keys of an ordered map are text, and each stands there once", name)
        lifted[name] = item if type(item) in SCALARS else _lift(item, get_blob, room)
    return lifted


def _get_pieces(digests: Wire, get_blob: GetBlob) -> bytes:
    """Load a payload from the blobs that hold its pieces."""
    if type(digests) is not bytes or not digests or len(digests) % DIGEST_SIZE:
        _damaged(f"a payload is named by one or more digests of {DIGEST_SIZE} bytes", digests)
    if len(digests) == DIGEST_SIZE:
        return get_blob(digests)
    return b"".join([get_blob(digests[at : at + DIGEST_SIZE]) for at in range(0, len(digests), DIGEST_SIZE)])


def _lift_wtf8(data: Wire) -> str:
    text = _decode(data) if type(data) is bytes else _damaged("text with lone surrogates is given by its bytes", data)
    try:
        text.encode()
    except UnicodeEncodeError:
        return text
    return _damaged("text without lone surrogates has no tag", text)


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return _damaged("text is UTF-8, in which surrogates may stand alone", data)


def _lift_float(bits: Wire) -> float:
    if type(bits) is not bytes or len(bits) != 8:
        _damaged("a NaN with unusual bits is given by its 8 bytes", bits)
    value: float = struct.unpack(">d", bits)[0]
    if value == value or bits == _NAN_BITS:
        _damaged("only a NaN with unusual bits has the tag of one", bits)
    return value


def _weigh(wires: Iterable[Wire]) -> int:
    total = 0
    for wire in wires:
        kind = type(wire)
        if kind is Tag:
            total += 5
            wire = wire.value
            kind = type(wire)
        if kind is str:
            total += 3 + (len(wire) if wire.isascii() else len(wire.encode()))
        elif kind is int:
            total += 1 if -24 <= wire < 24 else _int_weight(wire)
        elif kind is bytes:
            total += 5 + len(wire)
        elif kind in _ARRAYS:
            total += 5 + _weigh(wire)
        else:
            total += 9 if kind is float else 1
    return total


def _int_weight(number: int) -> int:
    if -24 <= number < 24:
        return 1
    return 9 if -(1 << 64) <= number < 1 << 64 else 7 + number.bit_length() // 8


def _damaged(expected: str, came: object) -> NoReturn:
    shown = glimpse(came) if type(came) in ATOMS else f"an item of type {type_name(came)}"
    raise TapeDamagedError(f"damaged value: {expected}; the tape holds {shown}")
