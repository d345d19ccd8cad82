"""The law of values: what a tape gives back is exactly what went in."""

import hashlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbench.tape._codec import decode, encode
from testbench.tape._event import Raised, Returned
from testbench.tape._items import DEPTH_LIMIT
from testbench.tape._plain import plain
from testbench.tape._wire import lift, lift_outcome, lower, lower_outcome, weight

BITS = st.binary(min_size=8, max_size=8).map(lambda bits: struct.unpack(">d", bits)[0])
TEXT = st.text(st.characters(exclude_categories=[])) | st.text("\ud800\udfffa").map(lambda text: text * 300)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(0, 5000).map(lambda bits: -(2**bits))
    | st.floats()
    | BITS
    | TEXT
    | st.binary(max_size=40)
    | st.integers(1020, 1030).map(bytes)
)
PLAIN = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=20)


def exact(value):
    """Give a form that is equal only where type, order and every bit are."""
    if type(value) is list:
        return list, [exact(item) for item in value]
    if type(value) is dict:
        return dict, [(key, exact(item)) for key, item in value.items()]
    return type(value), struct.pack(">d", value) if type(value) is float else value


class Store:
    """Blobs in a dict."""

    def __init__(self):
        self.blobs = {}

    def put(self, data):
        """Keep bytes under their digest."""
        digest = hashlib.sha256(data).digest()
        self.blobs[digest] = data
        return digest

    def get(self, digest):
        """Give bytes back."""
        return self.blobs[digest]


def through_bytes(value):
    """Send a value all the way to bytes and back."""
    store = Store()
    return lift(decode(encode(lower(value, store.put))), store.get)


@given(PLAIN)
def test_a_value_survives_the_way_to_bytes_and_back(value):
    """Lift undoes lower for every plain value, through the real codec."""
    assert exact(through_bytes(value)) == exact(value)


@given(PLAIN)
def test_a_copy_is_exactly_the_value(value):
    """The check at the waist changes nothing."""
    assert exact(plain(value)) == exact(value)


@given(PLAIN)
def test_the_lowered_form_is_unique(value):
    """Lowering what was lifted gives the same bytes, so equal tapes are equal files."""
    store = Store()
    once = encode(lower(value, store.put))

    assert encode(lower(lift(decode(once), store.get), store.put)) == once


@given(PLAIN)
def test_weight_is_never_below_the_encoded_size(value):
    """A bound on weight is a bound on bytes."""
    wire = lower(value, Store().put)

    assert len(encode(wire)) <= weight(wire)


@given(
    st.builds(Returned, PLAIN)
    | st.builds(Raised, TEXT, st.lists(PLAIN, max_size=3), st.dictionaries(TEXT, PLAIN, max_size=3))
)
def test_an_outcome_survives_the_way_to_bytes_and_back(outcome):
    """Returned and raised outcomes come back as what they were."""
    store = Store()
    back = lift_outcome(decode(encode(lower_outcome(outcome, store.put))), store.get)

    assert type(back) is type(outcome)
    assert exact(list(vars_of(back))) == exact(list(vars_of(outcome)))


def vars_of(outcome):
    """Give the parts of an outcome."""
    return [outcome.value] if isinstance(outcome, Returned) else [outcome.type, outcome.args, outcome.state]


def deepest(kind):
    """Build a value exactly at the depth bound."""
    value = None
    for _ in range(DEPTH_LIMIT):
        value = [value] if kind is list else {"k": value}
    return value


@pytest.mark.parametrize(
    "value",
    [
        b"",
        bytes(10 << 20),
        "",
        "é\udcff" * (2 << 20),
        -0.0,
        2**80_000,
        -(2**64) - 1,
        deepest(list),
        deepest(dict),
        {"": {"\ud800": "\udc00\ud800"}, "k" * 2000: []},
    ],
    ids=["empty", "10 MB", "no text", "14 MB of text", "-0.0", "huge", "below 64 bits", "lists", "dicts", "keys"],
)
def test_the_corners_survive(value):
    """The sizes and depths at which other ways of keeping values give in."""
    assert exact(through_bytes(value)) == exact(value)
