"""CBOR, one item or a run of items at a time; the only file that imports cbor2.

Encoding is deterministic (RFC 8949 section 4.2.1). Decoding trusts nothing: depth is bounded, indefinite lengths,
duplicate keys and every tag that cbor2 gives a meaning to are refused, and whatever is wrong becomes `MalformedError`.
Two things cbor2 accepts silently are left to others: numbers longer than needed (`testbench.tape.check` encodes each
segment again and compares), and sizes (the caller bounds the bytes it hands in).
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any, Final, NoReturn

import cbor2

from testbench.tape._items import DECODE_DEPTH

Tag: Final = cbor2.CBORTag
"""A tagged value: ``Tag(number, value)``, with the attributes ``tag`` and ``value``."""

UINT, BYTES, TEXT, ARRAY, MAP, TAG, SIMPLE = 0, 2, 3, 4, 5, 6, 7
"""Major types (RFC 8949 section 3.1)."""

_SENTINEL: Final = b"\x93tape\xff\x00\x1d"
_SENTINEL_ITEM: Final = bytes((BYTES << 5 | len(_SENTINEL),)) + _SENTINEL

# What cbor2 would turn into dates, decimals, patterns, shared or cyclic objects, sets, addresses, complex numbers.
_REFUSED_TAGS: Final = (0, 1, 4, 5, 25, 28, 29, 30, 35, 36, 37, 43, 52, 54, 100, 256, 258, 260, 261, 1004, 43000)


class MalformedError(ValueError):
    """Bytes that are no item of a tape; the caller knows where they stand and says so."""


class CutOffError(MalformedError):
    """An item that goes on where the bytes end."""


def _refuse(*_: object) -> NoReturn:
    raise MalformedError("a tag that no tape holds")


_STRICT: Final[dict[str, Any]] = {
    "max_depth": DECODE_DEPTH,
    "allow_indefinite": False,
    "allow_duplicate_keys": False,
    "strict_hashable_types": True,
    "semantic_decoders": dict.fromkeys(_REFUSED_TAGS, _refuse),
}


def encode(value: Any) -> bytes:
    """Encode one lowered value as one item.

    Raises:
        UnicodeEncodeError: a str with lone surrogates was not lowered.
    """
    return cbor2.dumps(value, canonical=True)


def encode_sequence(values: Sequence[Any]) -> bytes:
    """Encode lowered values one after the other: an array without its head is exactly that, and one call."""
    return cbor2.dumps(values, canonical=True)[len(head(ARRAY, len(values))) :]


def decode(data: bytes) -> Any:
    """Decode exactly one item; arrays come back as tuples.

    Raises:
        MalformedError: it is not well formed, not allowed, or bytes follow it.
    """
    return decode_sequence(data, 1)[0]


def decode_sequence(data: bytes, count: int) -> tuple[Any, ...]:
    """Decode exactly ``count`` items that fill ``data``; arrays come back as tuples.

    An array head put in front makes it one call. cbor2 ignores what follows an item, so a last element of our own
    proves that the items before it end where the data ends.

    Raises:
        MalformedError: they are not well formed, not allowed, or not ``count``.
    """
    values = _loads(b"".join((head(ARRAY, count + 1), data, _SENTINEL_ITEM)))
    if len(values) != count + 1 or values[-1] != _SENTINEL:
        raise MalformedError(f"{count} items do not end where they should")
    return values[:-1]


def decode_first(data: bytes) -> Any:
    """Decode the item at the start of ``data``, whatever follows it.

    Raises:
        MalformedError: it is not well formed, not allowed, or cut off.
    """
    return _loads(head(ARRAY, 1) + data)[0]


def iterate(data: bytes) -> Iterator[tuple[Any, int]]:
    """Decode items one by one until one is cut off or wrong: the item, and where it ends."""
    stream = io.BytesIO(data)
    decoder = cbor2.CBORDecoder(stream, read_size=4096, **_STRICT)
    while stream.tell() < len(data):
        try:
            value = decoder.decode(immutable=True)
        except (cbor2.CBORDecodeError, MalformedError):
            return
        yield value, stream.tell()


def head(major: int, argument: int) -> bytes:
    """Write the head of an item in its shortest form (RFC 8949 section 3)."""
    if argument < 24:
        return bytes((major << 5 | argument,))
    for info, size in ((24, 1), (25, 2), (26, 4)):
        if argument < 1 << 8 * size:
            return bytes((major << 5 | info,)) + argument.to_bytes(size, "big")
    return bytes((major << 5 | 27,)) + argument.to_bytes(8, "big")


def read_head(data: bytes, at: int) -> tuple[int, int, int]:
    """Read the head that starts at ``at``.

    Returns:
        The major type, the argument, and where the content starts.

    Raises:
        CutOffError: the bytes end before it does.
        MalformedError: its length is left open, or written longer than needed.
    """
    first = data[at : at + 1]
    if not first:
        raise CutOffError("an item is cut off")
    major, info = first[0] >> 5, first[0] & 31
    if info < 24:
        return major, info, at + 1
    if info > 27:
        raise MalformedError("an item of a length that is left open")
    size = 1 << (info - 24)
    if len(data) < at + 1 + size:
        raise CutOffError("an item is cut off")
    argument = int.from_bytes(data[at + 1 : at + 1 + size], "big")
    if major != SIMPLE and head(major, argument)[0] & 31 != info:
        raise MalformedError("a length is written longer than needed")
    return major, argument, at + 1 + size


def _loads(data: bytes) -> tuple[Any, ...]:
    try:
        values: tuple[Any, ...] = cbor2.loads(data, immutable=True, **_STRICT)
    except (cbor2.CBORDecodeError, ValueError, OverflowError) as error:
        raise MalformedError(str(error)) from error
    return values
