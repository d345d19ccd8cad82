"""Tests of the grammar: real tapes follow it, malformed items do not, and two validators agree."""

import io
import re
from functools import cache
from pathlib import Path

import cbor2
import cddl_verifier
import pycddl
import pytest

from testbench.tape import _items
from testbench.tape._event import Raised, Returned

Tag = cbor2.CBORTag
GRAMMAR = (Path(__file__).parents[2] / "docs" / "tape.cddl").read_text(encoding="utf-8")
RULES = {
    _items.TAG_TAPE: "header",
    _items.TAG_KIND: "kind-def",
    _items.TAG_BLOB: "blob",
    _items.TAG_SEAL: "seal",
    _items.TAG_INDEX: "index",
    _items.TAG_END: "end",
}
VERIFIER = cddl_verifier.Validator(GRAMMAR)


@cache
def schema(rule):
    """Compile the grammar for pycddl with one rule on top: its choices between items accept too much."""
    return pycddl.Schema(f"start = {rule}\n{GRAMMAR}")


def pycddl_takes(item, rule):
    """Ask pycddl about one encoded item."""
    try:
        schema(rule).validate_cbor(item)
    except pycddl.ValidationError:
        return False
    return True


def verifier_takes(item):
    """Ask cddl-verifier about one encoded item, its deterministic form included (RFC 8949 section 4.2)."""
    return VERIFIER.validate(item, require_deterministic=True).valid


def items(data):
    """Cut a tape into items: what decodes each, and its bytes."""
    stream = io.BytesIO(data)
    decoder = cbor2.CBORDecoder(stream, read_size=1)
    while stream.tell() < len(data):
        start = stream.tell()
        value = decoder.decode()
        yield value, data[start : stream.tell()]


def rule_of(value):
    """Choose the rule of an item as a reader does: by its tag, if it has one."""
    return RULES.get(value.tag) if isinstance(value, Tag) else "event-frame"


def every_shape(writer):
    """Fill a tape with every construct of the grammar."""
    call = writer.kind("call.f", ["a", "took_ns", "outcome"])
    values = [
        None,
        True,
        -1,
        2**63,
        2**64,
        -(2**200),
        1.5,
        1.1,
        float("inf"),
        float("nan"),
        -float("nan"),
        "",
        "é" * 400,
        "a\udcff",
        "long" * 999,
        b"\x00",
        b"long" * 999,
        [],
        [[1, ["x"]], {}],
        {"z": 1, "a": {"\ud800": [b"x" * 2000]}},
        [b"y" * 1000] * 9,
    ]
    for value in values:
        writer.event([call, 7, 0, writer.call_body([value, 1], Returned(value))])
    writer.event(
        [call, 7, 0, writer.call_body([1, 1], Raised("OSError", [2, "gone"], {"errno": 2, "note": "n" * 2000}))]
    )
    clock = writer.kind("clock.time", ["values"])
    for run in ([1.5, 2.5], [1, -2], [2**80, 1], ["a", b"b", None], [3] * 600):
        writer.event([clock, 1, 0, writer.run_body(run)])
    writer.event([0, 1, 1, ["main/t#1", 0]])
    writer.event([0, 1, 2, ["stranger", None]])


def test_every_item_of_real_tapes_follows_the_grammar(write_tape, numbers):
    """Both validators take every item that the writer writes."""
    meta = {"recorders": {"call": 1}, "host": {"pi": 3.25, "name": "n" * 2000}, "none": None}
    tapes = (
        write_tape("a", every_shape, meta),
        write_tape("b"),
        write_tape("c", lambda w: None),
        write_tape("d", numbers(*range(300))),
    )
    seen = set()
    for number, path in enumerate(tapes):
        for position, (value, item) in enumerate(items(path.read_bytes())):
            rule = rule_of(value)
            assert pycddl_takes(item, rule), value
            if number < 3 or position % 37 == 0 or rule != "event-frame":  # the exact one takes a millisecond
                assert verifier_takes(item), value
            seen.add(rule)
    assert seen == {*RULES.values(), "event-frame"}


def test_a_body_in_a_blob_follows_the_grammar(write_tape):
    """What stands in the blob of a heavy body would be a body in its event, too."""
    found = [value for value, _ in items(write_tape("a", every_shape).read_bytes())]
    blobs = {item.value[0]: item.value[1] for item in found if rule_of(item) == "blob"}
    bodies = [event[3].value for event in found if rule_of(event) == "event-frame" and is_heavy(event[3])]

    assert bodies
    for digest in bodies:
        assert verifier_takes(b"\x84\x01\x00\x00" + blobs[digest])


def is_heavy(body):
    """Tell whether a body stands in a blob."""
    return isinstance(body, Tag) and body.tag == _items.TAG_VALUE


DIGEST = b"d" * 32
EMPTY = Tag(_items.TAG_DICT, [])
U32, U64 = Tag(_items.TAG_U32, b""), Tag(_items.TAG_U64, b"")
ROW = [1, "a.b", ["c"]]


def header(*fields):
    """Tag the fields of a header."""
    return Tag(_items.TAG_SELF_DESCRIBED, Tag(_items.TAG_TAPE, list(fields)))


def index(**changes):
    """Make an index with some fields changed; None leaves a field out."""
    names = "total counts rows offsets events sizes bitmaps blobs blob_offsets blob_sizes events_digest tape_digest"
    fields = dict(
        zip(names.split(), [1, [1, 1], [ROW], U64, U32, U32, U64, b"", U64, U64, DIGEST, DIGEST], strict=True)
    )
    return Tag(_items.TAG_INDEX, [value for value in (fields | changes).values() if value is not None])


MALFORMED = [
    ("header", header(2, "sha-256", [], EMPTY, DIGEST)),
    ("header", header(1, "sha-256", [], EMPTY)),
    ("header", header(1, "sha-256", [], EMPTY, DIGEST[1:])),
    ("header", header(1, "sha-256", [], DIGEST)),
    ("header", header(1, "sha-256", [], {}, DIGEST)),
    ("header", header(1, "sha-256", ["row"], EMPTY, DIGEST)),
    ("header", Tag(_items.TAG_TAPE, [1, "sha-256", [], EMPTY, DIGEST])),
    ("kind-def", Tag(_items.TAG_KIND, [1, "a.b", []])),
    ("kind-def", Tag(_items.TAG_KIND, [1, "a.b", [], DIGEST[1:]])),
    ("kind-def", Tag(_items.TAG_KIND, [1, "a.b", [], "text"])),
    ("kind-def", Tag(_items.TAG_KIND, [1, "a.b", DIGEST])),
    ("kind-def", Tag(_items.TAG_KIND, [-1, "a.b", [], DIGEST])),
    ("kind-def", Tag(_items.TAG_KIND, [1, b"a.b", [], DIGEST])),
    ("kind-def", Tag(_items.TAG_KIND, [1, "a.b", [2], DIGEST])),
    ("blob", Tag(_items.TAG_BLOB, [DIGEST[1:], b""])),
    ("blob", Tag(_items.TAG_BLOB, [DIGEST, "text"])),
    ("blob", Tag(_items.TAG_BLOB, [DIGEST])),
    ("seal", Tag(_items.TAG_SEAL, [1, 2, DIGEST[1:], [1, 1]])),
    ("seal", Tag(_items.TAG_SEAL, [1, 2, DIGEST, ["a", 1]])),
    ("seal", Tag(_items.TAG_SEAL, [1, DIGEST, [1, 1]])),
    ("index", index(tape_digest=None)),
    ("index", index(offsets=U32)),
    ("index", index(events_digest=b"short")),
    ("index", index(total="many")),
    ("end", Tag(_items.TAG_END, bytes(47))),
    ("end", Tag(_items.TAG_END, bytes(49))),
    ("event-frame", [1, 2, 3]),
    ("event-frame", [1, -2, 3, []]),
    ("event-frame", [1, 2, 3, [], 5]),
    ("event-frame", ["kind", 2, 3, []]),
]

BODIES = [
    "text",
    {},
    [{}],
    [[{}]],
    [Tag(99, 1)],
    [Tag(_items.TAG_DICT, ["key"])],
    [Tag(_items.TAG_DICT, [1, 2])],
    [Tag(_items.TAG_DICT, {"a": 1})],
    [Tag(_items.TAG_FLOAT, b"short")],
    [Tag(_items.TAG_WTF8, "text")],
    [Tag(_items.TAG_PAYLOAD, [DIGEST])],
    [Tag(_items.TAG_TEXT, "text")],
    [Tag(_items.TAG_RAISED, ["E", []])],
    [Tag(_items.TAG_RAISED, ["E", [], []])],
    [Tag(_items.TAG_RAISED, [1, [], EMPTY])],
    [[Tag(_items.TAG_RAISED, ["E", [], EMPTY])]],
    Tag(_items.TAG_VALUE, b"short"),
    Tag(_items.TAG_F64, [1.5]),
    Tag(_items.TAG_U64, bytes(8)),
]


@pytest.mark.parametrize(("rule", "value"), MALFORMED, ids=repr)
def test_both_validators_refuse_malformed_items(rule, value):
    """An item of another shape is no item of a tape."""
    item = cbor2.dumps(value, canonical=True)

    assert not pycddl_takes(item, rule)
    assert not verifier_takes(item)


@pytest.mark.parametrize("body", BODIES, ids=repr)
def test_the_exact_validator_refuses_malformed_bodies(body):
    """Inside bodies pycddl sees too little, so the other one judges."""
    assert not verifier_takes(cbor2.dumps([1, 0, 0, body], canonical=True))


@pytest.mark.parametrize(
    "item",
    [b"\x84\x01\x18\x05\x00\x80", b"\x84\x01\x00\x00\x9f\xff", b"\x84\x01\x00\x00\x81\xfb\x3f\xf8" + bytes(6)],
    ids=["a long number", "an open array", "a long float"],
)
def test_the_exact_validator_refuses_other_forms(item):
    """Everything has one form (RFC 8949 section 4.2.1)."""
    assert not verifier_takes(item)


def test_the_grammar_names_every_tag():
    """No tag of the code is missing from the grammar, and none stands there with another number."""
    tags = {value for name, value in vars(_items).items() if name.startswith("TAG_")}

    assert {int(number) for number in re.findall(r"#6\.(\d+)", GRAMMAR)} == tags
