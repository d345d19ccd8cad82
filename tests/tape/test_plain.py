"""Tests of the check at the waist, and of what lowered values look like."""

import struct
from collections import OrderedDict
from enum import IntEnum
from fractions import Fraction
from pathlib import Path

import pytest

from testbench.errors import TapeDamagedError, UsageError
from testbench.tape import _wire
from testbench.tape._codec import Tag
from testbench.tape._event import Raised, Returned
from testbench.tape._items import (
    DEPTH_LIMIT,
    TAG_DICT,
    TAG_FLOAT,
    TAG_PAYLOAD,
    TAG_RAISED,
    TAG_TEXT,
    TAG_VALUE,
    TAG_WTF8,
)
from testbench.tape._plain import plain, refuse
from testbench.tape._wire import lift, lift_outcome, lower, lower_outcome, metered, weight


class Colour(IntEnum):
    """An int that is not exactly one."""

    RED = 1


class Text(str):
    """A str that is not exactly one, with a repr that must not be called."""

    def __repr__(self):
        raise AssertionError("a foreign repr was called")


def nested(depth, kind=list):
    """Build a value of so many levels."""
    value = 7
    for _ in range(depth):
        value = [value] if kind is list else {"in": value}
    return value


def no_blob(_):
    """Stand for a store that must not be asked."""
    raise AssertionError("no blob was expected")


def test_a_plain_value_is_copied_through_and_through():
    """The copy shares no list and no dict with what was given."""
    value = {"argv": ["git", "status"], "env": {"A": "1"}}

    copy = plain(value)
    value["argv"].append("--short")
    value["env"]["B"] = "2"

    assert copy == {"argv": ["git", "status"], "env": {"A": "1"}}


@pytest.mark.parametrize(
    ("value", "kind", "fix"),
    [
        ((1, 2), "tuple", "list(value)"),
        ({1, 2}, "set", "sorted(value)"),
        (bytearray(b"x"), "bytearray", "bytes(value)"),
        (memoryview(b"x"), "memoryview", "bytes(value)"),
        (Colour.RED, "Colour", "the built-in type it is derived from"),
        (Text("x"), "Text", "the built-in type it is derived from"),
        (OrderedDict(a=1), "collections.OrderedDict", "the built-in type it is derived from"),
        (Path("x"), "pathlib.", "str(value)"),
        (Fraction(1, 2), "fractions.Fraction", "str(value)"),
        (object(), "object", "str(value)"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_other_type_is_refused_with_its_name_and_the_fix(value, kind, fix):
    """The text names the type that came and how to convert it."""
    with pytest.raises(UsageError) as caught:
        plain(value)

    assert kind in str(caught.value)
    assert fix in str(caught.value)


def test_the_refusal_names_the_place_inside_the_value():
    """A deep value is not searched by hand."""
    with pytest.raises(UsageError, match=r"^value\['env'\]\[1\]\['PATH'\] is of type tuple"):
        plain({"argv": [], "env": [None, {"HOME": "", "PATH": ("/bin",)}]})


def test_the_refusal_can_call_the_value_by_its_name():
    """Whoever checks a value knows what it is to the caller."""
    with pytest.raises(UsageError, match=r"^request\['a'\] is of type set"):
        plain({"a": set()}, "request")


def test_a_value_that_changes_meanwhile_is_refused():
    """What was not plain when it was copied and is plain when it is explained was changed by another thread."""
    with pytest.raises(UsageError, match="changed while it was recorded"):
        refuse([[], {}])


def test_a_payload_above_the_limit_is_refused(monkeypatch):
    """What no reader would load is not recorded; the text says what to do instead."""
    monkeypatch.setattr(_wire, "PAYLOAD_LIMIT", 5000)

    with pytest.raises(UsageError, match=r"5001 bytes .* in parts"):
        lower(["x" * 5001], lambda _: bytes(32))


def test_a_key_that_is_no_str_is_refused():
    """Dicts with other keys would come back changed from most formats, so none is taken."""
    with pytest.raises(UsageError, match=r"value\['codes'\] has the key 404 of type int"):
        plain({"codes": {404: "gone"}})


@pytest.mark.parametrize("kind", [list, dict])
def test_the_depth_bound_is_exact(kind):
    """As many levels as the bound pass, one more is refused."""
    assert plain(nested(DEPTH_LIMIT, kind)) == nested(DEPTH_LIMIT, kind)

    with pytest.raises(UsageError, match=f"deeper than {DEPTH_LIMIT}"):
        plain(nested(DEPTH_LIMIT + 1, kind))


def test_a_value_that_contains_itself_is_refused():
    """A cycle ends at the depth bound, with a text of bounded length."""
    value = []
    value.append(value)

    with pytest.raises(UsageError, match="contains itself") as caught:
        plain(value)

    assert len(str(caught.value)) < 500


def test_a_refusal_never_prints_a_whole_value():
    """Keys of any length and ints of any size fit in one line."""
    with pytest.raises(UsageError) as caught:
        plain({"k" * 100_000: {10**5000: None}})

    assert len(str(caught.value)) < 500


def test_lower_refuses_what_plain_would_refuse():
    """A value that went round the check does not reach the tape changed."""
    for value in ((1,), {1: 2}, nested(DEPTH_LIMIT + 1), {"a": [Colour.RED]}):
        with pytest.raises(UsageError):
            lower(value, no_blob)


def test_a_dict_is_lowered_to_a_flat_array_in_its_own_order():
    """Canonical encoding sorts maps; programs see the order, so maps are not used."""
    assert lower({"b": 1, "a": [None]}, no_blob) == Tag(TAG_DICT, ["b", 1, "a", [None]])


def test_lone_surrogates_keep_their_bytes():
    """A file name that is not UTF-8 survives."""
    assert lower("a\udcff", no_blob) == Tag(TAG_WTF8, b"a\xed\xb3\xbf")


def test_only_unusual_nans_have_a_tag():
    """The bits of a NaN survive, and the usual NaN stays one short item."""
    unusual = struct.unpack(">d", bytes.fromhex("fff8000000000000"))[0]

    assert lower(unusual, no_blob) == Tag(TAG_FLOAT, bytes.fromhex("fff8000000000000"))
    assert type(lower(float("nan"), no_blob)) is float


def test_long_payloads_become_blobs_at_one_byte_above_the_limit():
    """1024 bytes stand inline, whatever characters they come from; 1025 are a blob."""
    store = []

    def put(data):
        store.append(data)
        return bytes(31) + bytes([len(store)])

    assert lower(["x" * 1024, "é" * 512, b"x" * 1024], put) == ["x" * 1024, "é" * 512, b"x" * 1024]
    assert not store
    assert lower("é" * 512 + "x", put) == Tag(TAG_TEXT, bytes(31) + b"\x01")
    assert lower(b"x" * 1025, put) == Tag(TAG_PAYLOAD, bytes(31) + b"\x02")
    assert store == ["é".encode() * 512 + b"x", b"x" * 1025]


def test_huge_payloads_are_split():
    """Above 8 MiB a payload is cut into blobs of 4 MiB, so that no reader needs more at once."""
    sizes = []

    def put(data):
        sizes.append(len(data))
        return bytes(32)

    lower(bytes(8 << 20), put)
    assert sizes == [8 << 20]

    wire = lower(bytes((8 << 20) + 1), put)
    assert sizes[1:] == [4 << 20, 4 << 20, 1]
    assert len(wire.value) == 3 * 32


def test_outcomes_come_back_as_they_were():
    """A raised outcome keeps its type, arguments and state; a returned one its value."""
    for outcome in (Returned({"a": [1]}), Raised("OSError", [2, "gone"], {"errno": 2, "filename": b"\xff"})):
        assert lift_outcome(lower_outcome(outcome, no_blob), no_blob) == outcome


WTF8 = b"a\xed\xb3\xbf"
HOSTILE = {
    "a map": {"a": 1},
    "an odd ordered map": Tag(TAG_DICT, ["a", 1, "b"]),
    "an ordered map of no array": Tag(TAG_DICT, "ab"),
    "a key that is a number": Tag(TAG_DICT, [1, 2]),
    "a key that is bytes": Tag(TAG_DICT, [b"a", 2]),
    "a key that is an ordered map": Tag(TAG_DICT, [Tag(TAG_DICT, []), 2]),
    "the same key twice": Tag(TAG_DICT, ["a", 1, "a", 1]),
    "no digest": Tag(TAG_PAYLOAD, b""),
    "half a digest": Tag(TAG_PAYLOAD, bytes(48)),
    "a digest that is text": Tag(TAG_TEXT, "x" * 32),
    "digests in an array": Tag(TAG_PAYLOAD, [bytes(32)]),
    "surrogates as text": Tag(TAG_WTF8, "a"),
    "no surrogates": Tag(TAG_WTF8, b"abc"),
    "bytes that are no text": Tag(TAG_WTF8, b"\xff" + WTF8),
    "a float as a NaN": Tag(TAG_FLOAT, struct.pack(">d", 1.5)),
    "the usual NaN as an unusual one": Tag(TAG_FLOAT, bytes.fromhex("7ff8000000000000")),
    "a NaN of four bytes": Tag(TAG_FLOAT, b"\x7f\xc0\x00\x00"),
    "an unusual NaN without its tag": struct.unpack(">d", bytes.fromhex("7ff8000000000001"))[0],
    "a raised outcome inside a value": Tag(TAG_RAISED, ["E", [], Tag(TAG_DICT, [])]),
    "a whole body inside a value": Tag(TAG_VALUE, bytes(32)),
    "a tag of another format": Tag(99, 1),
    "something that is no value": object(),
    "one level too many": nested(DEPTH_LIMIT + 1),
}


@pytest.mark.parametrize("wire", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_no_recorder_writes_is_damage(wire):
    """Every hostile shape is refused by name, alone, in an array and in a dict."""
    for item in (wire, [wire], Tag(TAG_DICT, ["k", wire])):
        with pytest.raises(TapeDamagedError, match=r"damaged value: .*; the tape holds"):
            lift(item, no_blob)


@pytest.mark.parametrize(
    "content",
    [
        "E",
        [],
        ["E", []],
        ["E", [], Tag(TAG_DICT, []), 1],
        [1, [], Tag(TAG_DICT, [])],
        ["E", 1, Tag(TAG_DICT, [])],
        ["E", [], []],
    ],
    ids=repr,
)
def test_a_raised_outcome_of_another_shape_is_damage(content):
    """Type name, arguments and state, nothing else."""
    with pytest.raises(TapeDamagedError, match="raised outcome"):
        lift_outcome(Tag(TAG_RAISED, content), no_blob)


def test_text_in_a_blob_must_be_text():
    """The bytes of a text payload are checked like any other."""
    with pytest.raises(TapeDamagedError, match="UTF-8"):
        lift(Tag(TAG_TEXT, bytes(32)), lambda _: b"\xff\xfe" * 1000)


def test_one_event_cannot_load_one_payload_without_end():
    """A small event that names a large blob many times stops at the limit instead of filling the memory."""
    blob = bytes(8 << 20)
    get = metered(lambda _: blob)

    with pytest.raises(TapeDamagedError, match="payloads of one event"):
        lift([Tag(TAG_PAYLOAD, bytes(32))] * 129, get)


def test_weight_counts_what_stands_inline():
    """A payload weighs as much as its digest, whatever it holds."""
    assert weight(lower({"a": 1}, no_blob)) < 20
    assert weight(lower(b"x" * 100_000, lambda _: bytes(32))) < 64
    assert weight(2**80_000) > 10_000
