"""Tests of reading a complete tape: what was written comes back, proved, in little time and memory."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbench.errors import (
    BlobDamagedError,
    BlobMissingError,
    NotATapeError,
    TapeDamagedError,
    TapeError,
    TapeNotFoundError,
    TapeVersionError,
)
from testbench.tape import KindRow, Raised, Reader, Returned, Writer
from testbench.tape._codec import Tag, encode
from testbench.tape._items import SEGMENT_EVENTS, TAG_SELF_DESCRIBED, TAG_TAPE, TAG_VALUE
from testbench.tape._structure import read_header, sha256

CALL = ["argv", "cwd", "took_ns", "outcome"]

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.binary(max_size=50)
    | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)
LARGE = st.integers(1000, 6000).map(lambda size: "é" * size) | st.integers(1000, 6000).map(bytes)


def count(number):
    """Give a filler of a tape of that many numbered events."""

    def build(writer):
        kind = writer.kind("a.b", ["x"])
        for value in range(number):
            writer.event([kind, 1, 0, value])

    return build


@given(st.lists(st.tuples(PLAIN | LARGE, st.lists(PLAIN), PLAIN), max_size=5))
def test_crossings_come_back_as_they_were(tmp_path_factory, crossings):
    """Requests and outcomes come back with equal values and equal types, large ones too."""
    path = tmp_path_factory.mktemp("crossings") / "run.tape"
    with path.open("wb") as file:
        writer = Writer(file.fileno(), {})
        kind = writer.kind("process.spawn", CALL)
        for request, args, value in crossings:
            outcome = Raised("E", args, {"value": value}) if args else Returned(value)
            writer.event([kind, 3, 0, writer.call_body([request, None, 9], outcome)])
        writer.close()

    with Reader.open(path) as reader:
        lifted = [reader.call_body(body, reader.kinds[kind]) for _, _, _, body in reader.events()]
    expected = [
        ({"argv": request, "cwd": None}, 9, Raised("E", args, {"value": value}) if args else Returned(value))
        for request, args, value in crossings
    ]
    assert lifted == expected
    assert repr(lifted) == repr(expected)


def test_requests_that_are_no_dict_come_back_as_they_are(write_tape):
    """A request with the one field name "" is the value itself; one without fields is an empty dict."""

    def build(writer):
        writer.event([writer.kind("a.one", ["", "took_ns", "outcome"]), 0, 0, writer.call_body([7, 1], Returned(1))])
        writer.event([writer.kind("a.none", ["took_ns", "outcome"]), 0, 0, writer.call_body([1], Returned(1))])

    with Reader.open(write_tape("run.tape", build)) as reader:
        assert [reader.call_body(event[3], reader.kinds[event[0]])[0] for event in reader.events()] == [7, {}]


def test_everything_about_a_tape_is_known_when_it_is_open(write_tape):
    """Kinds, counts, lanes, meta, payloads and digests are there before an event is read."""
    path = write_tape("run.tape", meta={"host": {"z": 1, "a": [2]}, "long": "é" * 3000})

    with Reader.open(path) as reader:
        assert reader.complete
        assert (reader.path, reader.size) == (path, path.stat().st_size)
        assert reader.kinds[0] == KindRow(number=0, name="lane.start", fields=("name", "parent"))
        assert [row.name for row in reader.kinds.values()] == [
            "lane.start",
            "process.spawn",
            "clock.time",
            "call.shop.fetch",
        ]
        assert reader.counts == {0: 1, 1: 2, 2: 1, 3: 1}
        assert reader.total == 5
        assert reader.lanes() == {0: "main", 1: "main/worker#1"}
        assert list(reader.meta["host"].items()) == [("z", 1), ("a", [2])]
        assert reader.meta["long"] == "é" * 3000
        assert sorted(size for _, size in reader.blobs()) == [5000, 6000]
        assert len(reader.events_digest) == len(reader.tape_digest) == 32
        assert reader.damage == []


def test_an_empty_tape_is_a_tape(write_tape):
    """A recording in which nothing happened is complete, with one lane and no events."""
    with Reader.open(write_tape("run.tape", lambda writer: None)) as reader:
        assert reader.complete
        assert (reader.total, reader.counts, reader.segment_count, list(reader.events())) == (0, {}, 0, [])
        assert reader.lanes() == {0: "main"}


def test_meta_changes_the_tape_and_not_its_events(write_tape):
    """Two runs that do the same have the same events digest, wherever they ran."""
    paths = write_tape("one.tape", meta={"host": "a"}), write_tape("two.tape", meta={"host": "b"})
    one, two = map(Reader.open, paths)

    assert one.events_digest == two.events_digest
    assert one.tape_digest != two.tape_digest
    one.close(), two.close()


@given(st.data())
def test_reading_starts_anywhere(write_tape_once, draw):
    """`start` skips exactly that many events, also beyond the end."""
    start = draw.draw(st.integers(0, 1200))

    with Reader.open(write_tape_once) as reader:
        assert [event[3] for event in reader.events(start=start)] == list(range(start, 1000))


@pytest.fixture(scope="module")
def write_tape_once(tmp_path_factory):
    """Give the path of one tape of a thousand events."""
    path = tmp_path_factory.mktemp("once") / "run.tape"
    with path.open("wb") as file:
        writer = Writer(file.fileno(), {})
        count(1000)(writer)
        writer.close()
    return path


def test_segments_can_be_read_alone(write_tape_once):
    """Each segment gives its events, its position and its seal; equal seals mean equal events."""
    with Reader.open(write_tape_once) as reader:
        assert reader.segment_count == 4
        assert [reader.first_seq(n) for n in range(4)] == [0, 256, 512, 768]
        assert [event[3] for event in reader.segment(1)] == list(range(256, 512))
        assert reader.seal(1).counts == {1: SEGMENT_EVENTS}


def test_a_payload_that_is_not_there_is_missing(write_tape):
    """Absent is not damaged: the error names the digest and the command that looks for more."""
    with Reader.open(write_tape("run.tape")) as reader, pytest.raises(BlobMissingError, match=r"00ff.*testbench check"):
        reader.blob(bytes.fromhex("00ff" * 16))


@pytest.mark.parametrize("digest", [b"", b"x", bytes(31), bytes(33)])
def test_what_is_no_digest_names_no_payload(write_tape, digest):
    """Only a whole digest finds a payload."""
    with Reader.open(write_tape("run.tape")) as reader, pytest.raises(BlobMissingError):
        reader.blob(digest)


def test_a_digest_is_found_where_digests_begin_only(write_tape):
    """Thirty-two bytes that lie across two digests are no digest."""

    def build(writer):
        for number in range(100):
            writer.blob(b"%d" % number)

    with Reader.open(write_tape("run.tape", build)) as reader:
        digests = [digest for digest, _ in reader.blobs()]
        assert [reader.blob(digest) for digest in digests] == [b"%d" % number for number in range(100)]
        assert [reader.blob(digest) for digest in reversed(digests)] == [b"%d" % n for n in reversed(range(100))]
        with pytest.raises(BlobMissingError):
            reader.blob(digests[0][16:] + digests[1][:16])


def damage(path, offset):
    """Flip a bit of a file."""
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)


def test_damaged_events_are_never_given_out(write_tape):
    """A segment with a changed byte raises, with the path, the place and what to do; salvage leaves it out."""
    path = write_tape("run.tape", count(600))
    with Reader.open(path) as reader:
        offset = reader._index.offsets[1] + 100
    damage(path, offset)

    with Reader.open(path) as reader:
        events = reader.events()
        assert [next(events)[3] for _ in range(256)] == list(range(256))
        with pytest.raises(
            TapeDamagedError, match=rf"{path} is damaged at byte \d+: .*testbench check .*testbench recover"
        ):
            next(events)
        assert [event[3] for event in reader.events(salvage=True)] == [*range(256), *range(512, 600)]
        assert [finding.code for finding in reader.damage] == ["segment"]


def test_a_damaged_payload_is_never_given_out(write_tape):
    """A payload with a changed byte raises; the others are still there."""
    path = write_tape("run.tape", lambda writer: [writer.blob(b"a" * 5000), writer.blob(b"b" * 5000)])
    with Reader.open(path) as reader:
        offset, (bad, good) = reader._index.blob_offsets[0], [digest for digest, _ in reader.blobs()]
    damage(path, offset + 77)

    with Reader.open(path) as reader:
        assert reader.blob(good) == b"b" * 5000
        with pytest.raises(BlobDamagedError, match=rf"damaged at byte {offset}.*testbench check"):
            reader.blob(bad)


@pytest.mark.parametrize(
    ("make", "error", "told"),
    [
        (lambda path: None, TapeNotFoundError, r"there is no tape at .*testbench record -o"),
        (lambda path: path.write_bytes(b""), NotATapeError, r"is an empty file; expected a tape"),
        (lambda path: path.mkdir(), NotATapeError, r"is no regular file"),
        (lambda path: os.mkfifo(path), NotATapeError, r"is no regular file"),
        (
            lambda path: path.write_bytes(b"#!/bin/sh\n"),
            NotATapeError,
            r"is no tape: expected it to begin with d9d9f7da",
        ),
        (lambda path: path.write_bytes(bytes.fromhex("d9d9f7da5461")), TapeDamagedError, r"the header is not whole"),
        (lambda path: path.symlink_to(path), TapeError, r"cannot be read"),
    ],
)
def test_what_is_no_tape_says_what_it_is(tmp_path, make, error, told):
    """Each way in which there is no tape has its error, which says what to do."""
    path = tmp_path / "run.tape"
    make(path)

    with pytest.raises(error, match=told) as raised:
        Reader.open(path)
    assert type(raised.value) is error


def test_an_unfinished_recording_beside_a_missing_tape_is_mentioned(tmp_path):
    """Where a recording was killed, the error for the missing tape shows the way to what is left of it."""
    (tmp_path / "run.tape.failed").write_bytes(b"x")

    with pytest.raises(TapeNotFoundError, match=r"run\.tape\.failed beside it.*testbench recover") as raised:
        Reader.open(tmp_path / "run.tape")
    assert isinstance(raised.value, FileNotFoundError)


def test_a_newer_format_is_refused_and_a_newer_digest_is_not(tmp_path, write_tape):
    """Version 2 is refused with what to do; an unknown digest function is read, and said not to be verified."""
    new = tmp_path / "new.tape"
    new.write_bytes(encode(Tag(TAG_SELF_DESCRIBED, Tag(TAG_TAPE, [2, "sha-256", [], {}]))))
    with pytest.raises(TapeVersionError, match="pip install --upgrade"):
        Reader.open(new)

    path = write_tape("run.tape", count(600))
    data = path.read_bytes()
    size = read_header(data).size
    start = data[: size - 32].replace(b"sha-256", b"sha-999")
    path.write_bytes(start + sha256(start) + data[size:])
    with Reader.open(path) as reader:
        assert reader.complete
        assert [event[3] for event in reader.events()] == list(range(600))
        assert [(finding.code, finding.severity) for finding in reader.damage] == [("not-verified", "warning")]
        assert "'sha-999' is not known here" in reader.damage[0].message


def test_bodies_that_no_writer_makes_are_damage(write_tape):
    """What does not fit its kind raises when it is lifted, and never anything but a tape error."""
    bodies = [
        5,
        [1],
        [1, 2, 3, 4, 5],
        [1, None, -1, None],
        [1, None, "x", None],
        Tag(TAG_VALUE, b"short"),
        Tag(TAG_VALUE, 5),
        Tag(TAG_VALUE, sha256(b"\xff" * 50)),
        Tag(999, [1, None, 1, None]),
    ]

    def build(writer):
        writer.blob(b"\xff" * 50)
        kind = writer.kind("process.spawn", CALL)
        for body in bodies:
            writer.event([kind, 0, 0, body])

    with Reader.open(write_tape("run.tape", build)) as reader:
        for _, _, _, body in reader.events():
            with pytest.raises(TapeDamagedError, match="testbench check"):
                reader.call_body(body, reader.kinds[1])


def test_a_kind_without_a_row_is_damage(write_tape):
    """Asking for a kind that the tape does not name says so."""
    with Reader.open(write_tape("run.tape")) as reader, pytest.raises(TapeDamagedError, match=r"kind 99.*no row"):
        reader.kinds[99]


def test_closing_twice_does_no_harm(write_tape):
    """A reader can be closed again."""
    reader = Reader.open(write_tape("run.tape"))
    reader.close()
    reader.close()


SCAN = r"""
import os, re, sys, time
from testbench.tape import Reader, Writer
path = sys.argv[1]
fd = os.open(path, os.O_RDWR | os.O_CREAT)
writer = Writer(fd, {})
kind = writer.kind("a.b", ["x"])
for number in range(1_000_000):
    writer.event([kind, 1, 0, number])
writer.close()
with Reader.open(path) as reader:
    next(reader.events())
peak = lambda: int(re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read())[1])  # ru_maxrss knows the parent
before = peak()
with Reader.open(path) as reader:
    print(sum(1 for _ in reader.events()))
print(peak() - before)
"""


@pytest.mark.slow
def test_memory_of_a_reader_does_not_grow_with_the_tape(tmp_path):
    """A million events are read with less than 32 MiB more than one event."""
    command = [sys.executable, "-c", SCAN, tmp_path / "run.tape"]
    events, kilobytes = map(int, subprocess.run(command, capture_output=True, check=True).stdout.split())

    assert events == 1_000_000
    assert kilobytes < 32 << 10
