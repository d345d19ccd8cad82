"""Tests of CBOR as a tape uses it: one form for each value, and nothing taken on trust."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbench.tape._codec import (
    MalformedError,
    Tag,
    decode,
    decode_first,
    decode_sequence,
    encode,
    encode_sequence,
    head,
    iterate,
    read_head,
)
from testbench.tape._items import DEPTH_LIMIT, TAG_DICT

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.binary() | st.text(max_size=30)
WIRES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=5).map(tuple) | inner.map(lambda v: Tag(7777, v)))


@given(WIRES)
def test_decoding_gives_back_what_was_encoded(wire):
    """What is encoded decodes to the same, with the same types."""
    decoded = decode(encode(wire))

    assert decoded == wire
    assert repr(decoded) == repr(wire)


@given(st.lists(WIRES, max_size=300))
def test_a_sequence_is_its_items_one_after_the_other(wires):
    """Encoding many items at once gives the bytes of encoding them one by one, and decoding takes them apart again."""
    data = encode_sequence(wires)

    assert data == b"".join(map(encode, wires))
    assert decode_sequence(data, len(wires)) == tuple(wires)
    assert [value for value, _ in iterate(data)] == wires


@given(WIRES, WIRES)
def test_the_first_item_is_found_and_bytes_behind_it_are_not_overlooked(first, second):
    """`decode_first` ignores what follows, `decode` and a wrong count do not."""
    data = encode(first) + encode(second)

    assert decode_first(data) == first
    with pytest.raises(MalformedError):
        decode(data)
    with pytest.raises(MalformedError):
        decode_sequence(data, 1)
    with pytest.raises(MalformedError):
        decode_sequence(data, 3)


@given(WIRES.map(encode), st.data())
def test_a_cut_item_is_malformed(data, draw):
    """No proper beginning of an item is an item."""
    cut = data[: draw.draw(st.integers(0, len(data) - 1))]

    with pytest.raises(MalformedError):
        decode(cut)
    assert list(iterate(cut)) == []


@given(st.binary(max_size=200))
def test_random_bytes_decode_or_are_malformed(data):
    """Whatever the bytes say, the only error is ours."""
    for read in (decode, decode_first, lambda data: decode_sequence(data, 2), lambda data: list(iterate(data))):
        try:
            read(data)
        except MalformedError:
            continue


@pytest.mark.parametrize(
    "data",
    [
        pytest.param("9f00ff", id="indefinite array"),
        pytest.param("5f4100ff", id="indefinite bytes"),
        pytest.param("a2616100616101", id="duplicate keys"),
        pytest.param("a10000", id="a key that is no text"),
        pytest.param("c11a00000000", id="a date"),
        pytest.param("c482191fff01", id="a decimal fraction"),
        pytest.param("d81c80", id="a shared object"),
        pytest.param("d81d00", id="a reference to one"),
        pytest.param("d8235828" + "28612b2a2a".ljust(80, "0"), id="a regular expression"),
        pytest.param("d9010280", id="a set"),
        pytest.param("62c328", id="text that is not UTF-8"),
        pytest.param("1c", id="a reserved head"),
        pytest.param("ff", id="a break without a beginning"),
        pytest.param("9b7fffffffffffffff", id="an array of 2**63 items"),
        pytest.param("5bffffffffffffffff", id="bytes of 2**64 length"),
        pytest.param("", id="nothing"),
    ],
)
def test_what_no_tape_holds_is_refused(data):
    """Forms that mean more than data, or that lie about their size, are refused."""
    with pytest.raises(MalformedError):
        decode(bytes.fromhex(data))


def test_the_deepest_value_fits_and_a_deeper_one_does_not_hurt():
    """Sixty-four dicts inside each other decode; a million arrays are refused, not followed."""
    wire = 0
    for _ in range(DEPTH_LIMIT):
        wire = Tag(TAG_DICT, ("k", wire))

    assert decode(encode((1, 0, 0, (wire, 0, Tag(7777, ("E", (), wire)))))) is not None
    with pytest.raises(MalformedError):
        decode(b"\x81" * 1_000_000 + b"\x00")


@pytest.mark.parametrize(
    "number", [1.5, -0.0, 0.1, 1e300, float("inf"), struct.unpack(">d", b"\x7f\xf8" + bytes(6))[0]]
)
def test_floats_keep_their_bits(number):
    """A float takes the shortest form that gives back all 64 bits."""
    assert struct.pack(">d", decode(encode(number))) == struct.pack(">d", number)


@given(st.integers(0, 7), st.integers(0, 2**64 - 1))
def test_heads_are_as_short_as_they_can_be(major, argument):
    """A head that was written is read back, and no longer spelling of it is accepted."""
    data = head(major, argument)

    assert read_head(data, 0) == (major, argument, len(data))
    for info, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if len(data) < 1 + size and major != 7:
            with pytest.raises(MalformedError):
                read_head(bytes((major << 5 | info,)) + argument.to_bytes(size, "big"), 0)


@pytest.mark.parametrize("data", [b"", b"\x18", b"\x5f", b"\x1b1234567"])
def test_a_head_that_is_cut_off_or_open_is_malformed(data):
    """There is no head in less than its bytes, and none without a length."""
    with pytest.raises(MalformedError):
        read_head(data, 0)
