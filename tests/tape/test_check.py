"""Tests of looking a tape over: sound ones are sound, and every way of being wrong has its finding."""

import struct
import tracemalloc

import pytest

from testbench.errors import NotATapeError, TapeNotFoundError, TapeVersionError
from testbench.tape._check import check
from testbench.tape._codec import Tag, encode, head
from testbench.tape._event import KindRow, Returned
from testbench.tape._index import Index
from testbench.tape._items import TAG_BLOB, TAG_DICT, TAG_KIND, TAG_PAYLOAD, TAG_RAISED, TAG_TEXT, TAG_VALUE
from testbench.tape._reader import Reader
from testbench.tape._source import Source
from testbench.tape._structure import (
    make_blob_head,
    make_end,
    make_header,
    make_kind,
    make_seal,
    read_header,
    sha256,
)
from testbench.tape._walk import walk

LANE = KindRow(number=0, name="lane.start", fields=("name", "parent"))
CALL = KindRow(number=1, name="call.f", fields=("", "took_ns", "outcome"))
RUN = KindRow(number=2, name="clock.time", fields=("values",))
HEADER = make_header([LANE], Tag(TAG_DICT, []))


def codes(path):
    """Give the codes of all findings."""
    return [finding.code for finding in check(path)]


def sealed(*events, counts=None):
    """Encode events and a seal that fits their bytes, whatever they are."""
    data = b"".join(event if isinstance(event, bytes) else encode(event) for event in events)
    flat = encode([1, len(events)] if counts is None else counts)
    return data + make_seal(len(events), len(data), sha256(data, flat), flat)


def blob(data):
    """Encode a blob."""
    return make_blob_head(sha256(data), len(data)) + data


@pytest.fixture
def forge(tmp_path):
    """Give a function that writes a tape of these items with digests, index and end that fit them."""

    def write(*items, header=HEADER):
        path = tmp_path / "forged.tape"
        path.write_bytes(header + b"".join(items))
        source = Source.open(path)
        parsed = read_header(header)
        index = walk(source, parsed, parsed.rows, verifies=parsed.verifies).index.finish(header)
        source.close()
        body = path.read_bytes()
        path.write_bytes(body + index + make_end(len(body), index))
        return path

    return write


def test_a_tape_of_every_shape_is_sound(write_tape):
    """What the writer writes is found sound, whatever is in it."""

    def build(writer):
        call = writer.kind("call.f", ["a", "took_ns", "outcome"])
        for value in (
            "x" * 3000,
            b"x" * 3000,
            "\udcff" * 800,
            ["y" * 1000] * 9,
            {"k" * 2000: None},
            float("nan"),
            2**99,
        ):
            writer.event([call, 1, 0, writer.call_body([value, 1], Returned(value))])

    assert check(write_tape("mixed.tape")) == []
    assert check(write_tape("values.tape", build, {"note": "n" * 3000})) == []
    assert check(write_tape("empty.tape", lambda writer: None)) == []


def test_an_unfinished_tape_is_incomplete_and_nothing_worse(write_tape):
    """What a killed recording leaves is not damaged."""
    (finding,) = check(write_tape("cut.tape", close=False))

    assert (finding.code, finding.severity) == ("incomplete", "warning")
    assert "testbench recover" in finding.message


def test_a_flipped_byte_is_found_where_it_is(write_tape, numbers):
    """Each part of a tape has its own finding, and its place."""
    path = write_tape("a.tape", lambda writer: (numbers(1, 2)(writer), writer.blob(b"b" * 2000), numbers(3)(writer)))
    whole = path.read_bytes()
    with Reader.open(path) as reader:
        segment = reader._index.offsets[0]
        content = reader._index.blob_offsets[0]
    for at, code in (
        (30, "header"),
        (whole.index(b"call.ask"), "kind-digest"),
        (segment + 8, "segment-digest"),
        (content + 9, "blob-digest"),
        (len(whole) - 9, "end"),
    ):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        findings = check(path)
        assert code in [finding.code for finding in findings]
        assert all(finding.severity == "error" for finding in findings)
        assert all(str(path) in finding.message for finding in findings)


def test_a_damaged_header_is_the_only_finding(write_tape, numbers):
    """Everything behind it proves itself without it, the index up to the digest that covers the header."""
    path = write_tape("a.tape", numbers(*range(300)), {"who": "me", "note": "n" * 3000})
    whole = path.read_bytes()
    for at in range(8, whole.index(b"\xdaTapB")):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x40]) + whole[at + 1 :])
        try:
            assert codes(path) == ["header"], at
        except TapeVersionError:
            assert at == 9


def test_an_unfinished_tape_is_looked_over_as_well_as_another(write_tape):
    """Names and meta are proved without an index, each by its own item."""
    path = write_tape("cut.tape", meta={"who": "me"}, close=False)
    whole = path.read_bytes()
    for word, found in (
        (b"who", ["header", "incomplete"]),
        (b"clock.time", ["kind-digest", "event", "incomplete"]),
        (b"values", ["kind-digest", "event", "incomplete"]),
    ):
        at = whole.index(word)
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert codes(path) == found


def test_bytes_behind_the_end_are_found(write_tape):
    """A tape ends where it says."""
    path = write_tape("a.tape")
    path.write_bytes(path.read_bytes() + b"more")

    assert "trailing" in codes(path)


def test_what_is_no_tape_is_no_damaged_tape(write_tape, tmp_path):
    """Absent, foreign and newer files raise; only tapes have findings."""
    with pytest.raises(TapeNotFoundError):
        check(tmp_path / "none.tape")
    (tmp_path / "text").write_text("not a tape, and longer than one head")
    with pytest.raises(NotATapeError):
        check(tmp_path / "text")
    newer = HEADER.replace(b"Tape\x85\x01", b"Tape\x85\x02")
    (tmp_path / "newer.tape").write_bytes(newer)
    with pytest.raises(TapeVersionError):
        check(tmp_path / "newer.tape")


def test_items_of_a_later_format_are_only_mentioned(forge):
    """A tagged item that this version does not know is left alone."""
    path = forge(encode(Tag(TAG_BLOB + 60, ["later"])), make_kind(CALL), sealed([1, 0, 0, [1, 0, 2]]))

    (finding,) = check(path)
    assert (finding.code, finding.severity, finding.offset) == ("unknown-item", "info", len(HEADER))


def test_an_unknown_digest_function_is_said_to_be_unverified(forge):
    """A tape with other digests is read, and nobody claims to have checked them."""
    header = make_header([LANE], Tag(TAG_DICT, []), "blake-9")

    found = [(finding.code, finding.severity) for finding in check(forge(make_kind(CALL), header=header))]
    assert found == [("not-verified", "warning")]


TEXT = b"\xff" * 2000
HEAVY = encode([1, 0, [7] * 3])
WRONG = {
    "a number longer than needed": (sealed(b"\x84\x01\x18\x05\x00" + encode([1, 0, 2])), "form"),
    "a float longer than needed": (sealed(b"\x84\x01\x00\x00\x83\xfb" + struct.pack(">d", 1.5) + b"\x00\x02"), "form"),
    "counts that are not right": (sealed([1, 0, 0, [1, 0, 2]], [1, 0, 0, [1, 0, 2]], counts=[1, 1, 2, 1]), "counts"),
    "events that are none": (sealed([1, 0, 0, [1, 0, 2]], [1, 0, b"x", [1, 0, 2]], counts=[1, 2]), "counts"),
    "an event of five": (sealed(b"\x85\x01\x00\x00\x00\x00" + encode("xxxx")), "damaged"),
    "a kind without a row": (sealed([9, 0, 0, [1, 0, 2]], counts=[9, 1]), "event"),
    "a lane that never began": (sealed([1, 0, 5, [1, 0, 2]]), "event"),
    "a lane of no lane": (sealed([0, 0, 1, ["a", 7]], counts=[0, 1]), "event"),
    "a field too few": (sealed([1, 0, 0, [1, 2]]), "event"),
    "a time that is none": (sealed([1, 0, 0, [1, -1, 2]]), "event"),
    "a body that is none": (sealed([1, 0, 0, "abcd"]), "event"),
    "a run that is none": (sealed([2, 0, 0, Tag(70, bytes(8))], counts=[2, 1]), "event"),
    "a value that is none": (sealed([1, 0, 0, [{}, 0, 2]]), "event"),
    "a raised outcome in a request": (
        sealed([1, 0, 0, [Tag(TAG_RAISED, ["E", [], Tag(TAG_DICT, [])]), 0, 2]]),
        "event",
    ),
    "a payload that is not there": (sealed([1, 0, 0, [1, 0, Tag(TAG_PAYLOAD, bytes(32))]]), "blob-missing"),
    "a payload behind its event": (
        sealed([1, 0, 0, [1, 0, Tag(TAG_PAYLOAD, sha256(TEXT))]]) + blob(TEXT),
        "blob-missing",
    ),
    "a text that is none": (blob(TEXT) + sealed([1, 0, 0, [1, 0, Tag(TAG_TEXT, sha256(TEXT))]]), "event"),
    "a body of another form": (
        blob(b"\x83\x01\x18\x00\x02") + sealed([1, 0, 0, Tag(TAG_VALUE, sha256(b"\x83\x01\x18\x00\x02"))]),
        "event",
    ),
    "a body of another kind": (blob(HEAVY) + sealed([2, 0, 0, Tag(TAG_VALUE, sha256(HEAVY))], counts=[2, 1]), None),
    "half a digest": (sealed([1, 0, 0, Tag(TAG_VALUE, bytes(16))]), "event"),
    "a kind twice": (make_kind(CALL), "damaged"),
}


@pytest.mark.parametrize(("items", "code"), WRONG.values(), ids=WRONG.keys())
def test_a_tape_that_only_its_digests_agree_with_is_found_out(forge, items, code):
    """Digests prove that nothing changed, not that a recorder wrote it; everything is read as a reader would."""
    path = forge(make_kind(CALL), make_kind(RUN), items)

    assert set(codes(path)) >= ({code} if code else set())
    assert bool(check(path)) == bool(code)


def test_a_kind_whose_fields_share_a_name_is_found_out(forge):
    """Two fields of one name would give one of them back."""
    row = KindRow(number=1, name="call.f", fields=("a", "a", "took_ns", "outcome"))

    assert codes(forge(make_kind(row), sealed([1, 0, 0, [1, 2, 0, 3]]))) == ["event"]


def test_a_kind_def_written_longer_than_needed_is_found_out(forge):
    """Structural items have one form, too."""
    row = head(6, TAG_KIND) + b"\x84\x18\x01" + encode("a.b") + encode([]) + head(2, 32)

    assert "damaged" in codes(forge(row + sha256(row)))


def test_an_index_that_lies_is_found_out(forge):
    """The index is derived again from the items and compared."""
    path = forge(make_kind(CALL), sealed([1, 0, 0, [1, 0, 2]]))
    whole = path.read_bytes()
    source = Source.open(path)
    seen = walk(source, read_header(HEADER), [LANE]).index
    source.close()
    lie = Index([LANE])
    lie.add_kind(CALL, make_kind(CALL)[-32:])
    lie.add_segment(seen.offsets[0] + 1, seen.sizes[0], bytes(32), {1: 1})
    item = lie.finish(HEADER)
    body = whole[: whole.index(head(6, 1415671881))]
    path.write_bytes(body + item + make_end(len(body), item))

    assert codes(path) == ["index"]


def test_complaints_are_bounded(forge):
    """A file that is wrong all over is not answered with a list as long as itself."""
    path = forge(make_kind(CALL), *[sealed([1, 0, 5, [n, 0, 2]]) for n in range(300)])

    assert 100 <= len(check(path)) <= 110
    assert codes(path)[-1] == "more"


def test_memory_does_not_grow_with_the_tape(write_tape, numbers):
    """A tape is checked in the memory of one segment, whatever its length."""
    peaks = []
    for count in (1000, 8000):
        path = write_tape(f"{count}.tape", numbers(*range(count), say=lambda n: "x" * 500))
        tracemalloc.start()
        try:
            assert check(path) == []
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] < peaks[0] + (9 << 20)  # the window over the file grows to its 8 MiB


def test_a_payload_named_by_many_events_is_read_once(write_tape, monkeypatch):
    """What a small tape can make a check do is bounded by its size."""

    def build(writer):
        call = writer.kind("call.f", ["", "took_ns", "outcome"])
        for number in range(500):
            writer.event([call, 1, 0, writer.call_body([number, 1], Returned("t" * 100_000))])

    path = write_tape("a.tape", build)
    loads = []
    real = Reader.blob
    monkeypatch.setattr(Reader, "blob", lambda reader, digest: (loads.append(digest), real(reader, digest))[1])

    assert check(path) == []
    assert len(loads) == 1
