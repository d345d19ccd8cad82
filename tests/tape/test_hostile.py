"""Tests of tapes made to do harm: they cost bounded memory and time, and raise the errors of tapes and no others."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbench.errors import NotATapeError, TapeDamagedError, TapeError, TapeVersionError
from testbench.tape import KindRow, Raised, Reader, Returned, Writer, check
from testbench.tape import _items as items
from testbench.tape._codec import MalformedError, Tag, encode, head
from testbench.tape._index import Index
from testbench.tape._structure import (
    is_sealed,
    make_blob_head,
    make_end,
    make_header,
    make_kind,
    make_seal,
    read_blob_head,
    read_header,
    read_kind,
    read_seal,
    sha256,
)
from testbench.tape._window import Window

LANE = KindRow(number=0, name="lane.start", fields=("name", "parent"))
CALL = KindRow(number=1, name="call.f", fields=("", "took_ns", "outcome"))
HEADER = make_header([LANE], Tag(items.TAG_DICT, []))

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.binary(max_size=40) | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        | st.builds(
            Tag, st.sampled_from([2, 70, 71, 79, 86, 273, items.TAG_DICT, items.TAG_RAISED, items.TAG_VALUE]), inner
        )
    ),
    max_leaves=15,
)


def sealed(data, count, counts=None):
    """Put a seal with the right digest behind bytes."""
    flat = encode([1, count] if counts is None else counts)
    return data + make_seal(count, len(data), sha256(data, flat), flat)


def read_all(path):
    """Use everything a reader offers; what it raises is for the test."""
    with Reader.open(path, salvage=True) as reader:
        reader.meta, reader.lanes(), reader.total, reader.counts
        for digest, _ in reader.blobs():
            reader.blob(digest)
        for kind, _, _, body in reader.events():
            row = reader.kinds[kind]
            if kind == 0:
                reader.lane_start(body)
            elif row.fields == ("values",):
                list(reader.run_values(body))
            else:
                reader.call_body(body, row)
        return reader.complete, [finding.code for finding in reader.damage]


@pytest.fixture
def forge(tmp_path):
    """Give a function that writes a tape of these items, its index as given, or none."""

    def write(*parts, index=None):
        path = tmp_path / "forged.tape"
        body = HEADER + b"".join(parts)
        path.write_bytes(body if index is None else body + index + make_end(len(body), index))
        return path

    return write


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Give the bytes of a small tape with everything in it."""
    path = tmp_path_factory.mktemp("small") / "small.tape"
    with path.open("wb") as file:
        writer = Writer(file.fileno(), {"host": "a"})
        call, run = writer.kind("call.f", ["", "took_ns", "outcome"]), writer.kind("clock.time", ["values"])
        writer.event([call, 5, 0, writer.call_body(["x", 3], Returned({"a": b"x" * 1100}))])
        writer.event([run, 5, 0, writer.run_body([1.5, 2.5])])
        writer.event([0, 1, 1, ["main.1", 0]])
        writer.event([call, 5, 1, writer.call_body([None, 3], Raised("E", [1], {"z": 2}))])
        writer.close()
    return path.read_bytes()


def test_every_truncation_of_a_tape_is_reported(tmp_path, small):
    """Cut after any byte, a tape is refused or known to be incomplete, and `check` says so."""
    path = tmp_path / "cut.tape"
    for size in range(len(small)):
        path.write_bytes(small[:size])
        try:
            complete, damage = read_all(path)
        except (NotATapeError, TapeDamagedError):
            continue
        assert not complete
        assert damage == ["incomplete"]
        assert check(path)


def test_every_flipped_byte_of_a_tape_is_reported(tmp_path, small):
    """Whatever byte is changed, opening or reading or checking says so; check always does."""
    path = tmp_path / "flipped.tape"
    for at in range(len(small)):
        data = bytearray(small)
        data[at] ^= 0xFF
        path.write_bytes(data)
        try:
            assert check(path), f"byte {at}"
        except (NotATapeError, TapeVersionError):
            continue


@given(ANYTHING, st.sampled_from([read_header, read_kind, read_seal, read_blob_head, Index.parse]))
def test_items_of_any_shape_are_read_or_malformed(anything, read):
    """A structural tag with anything behind it never leads to another error."""
    tag = {
        read_header: head(6, items.TAG_SELF_DESCRIBED) + head(6, items.TAG_TAPE),
        read_kind: head(6, items.TAG_KIND),
        read_seal: head(6, items.TAG_SEAL),
        read_blob_head: head(6, items.TAG_BLOB),
        Index.parse: head(6, items.TAG_INDEX),
    }[read]
    try:
        read(tag + encode(anything))
    except (MalformedError, TapeVersionError):
        return


@given(st.lists(ANYTHING, min_size=4, max_size=4))
def test_seals_of_any_shape_are_none(parts):
    """A seal is two numbers, a digest and counts; four other things are no seal."""
    data = head(6, items.TAG_SEAL) + encode(parts)
    try:
        assert not is_sealed(b"\x84\x01\x00\x00\x00", 1, data)
        read_seal(data)
    except MalformedError:
        return


@given(st.lists(ANYTHING, min_size=12, max_size=12))
def test_indexes_of_any_shape_are_malformed(parts):
    """An index is twelve fields of a certain form; twelve other things are no index."""
    with pytest.raises(MalformedError):
        Index.parse(head(6, items.TAG_INDEX) + encode(parts))


@given(st.lists(ANYTHING, min_size=4, max_size=4) | ANYTHING)
def test_sealed_bytes_that_are_no_events_are_damage(tmp_path_factory, anything):
    """A right digest does not make events of anything; only tape errors come of it."""
    path = tmp_path_factory.mktemp("forged") / "forged.tape"
    path.write_bytes(HEADER + make_kind(CALL) + sealed(encode(anything), 1))
    try:
        read_all(path)
    except TapeError:
        return


@given(ANYTHING)
def test_bodies_of_any_shape_are_lifted_or_damage(tmp_path_factory, anything):
    """An event whose body is anything raises the errors of tapes, and no others."""
    path = tmp_path_factory.mktemp("forged") / "forged.tape"
    run = KindRow(number=2, name="clock.time", fields=("values",))
    event = encode([1, 0, 0, anything]) + encode([2, 0, 0, anything])
    path.write_bytes(HEADER + make_kind(CALL) + make_kind(run) + sealed(event, 2, [1, 1, 2, 1]))
    try:
        read_all(path)
    except TapeError:
        return


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"\x81" * 5000 + b"\x00", id="nested beyond the limit"),
        pytest.param(b"\xd8\x1c\x81\xd8\x1d\x00", id="a list that contains itself"),
        pytest.param(b"\xc4\x82\x1a\x3b\x9a\xca\x00\x01", id="a decimal of a billion digits"),
        pytest.param(b"\xd8\x23\x64(a+)+", id="a pattern"),
        pytest.param(b"\x9b\x00\x00\x00\xff\xff\xff\xff\xff", id="an array of a trillion"),
        pytest.param(b"\x5b\x7f\xff\xff\xff\xff\xff\xff\xff", id="bytes beyond all memory"),
    ],
)
def test_events_that_would_explode_are_damage(forge, body):
    """What would take time or memory to decode is refused while it is still small."""
    path = forge(make_kind(CALL), sealed(b"\x84\x01\x00\x00" + body, 1))
    tracemalloc.start()
    try:
        with Reader.open(path) as reader, pytest.raises(TapeDamagedError, match="testbench check"):
            list(reader.events())
        assert tracemalloc.get_traced_memory()[1] < 30 << 20
    finally:
        tracemalloc.stop()


def test_a_segment_above_the_limit_is_not_even_read(forge):
    """Ten megabytes of empty arrays would be seven hundred of objects; the size alone is reason enough."""
    index = Index([LANE])
    index.add_kind(CALL, make_kind(CALL)[-32:])
    data = b"\x84\x01\x00\x00\x9a" + (10 << 20).to_bytes(4, "big") + b"\x80" * (10 << 20)
    flat = encode([1, 1])
    index.add_segment(len(HEADER) + len(make_kind(CALL)), len(data), sha256(data, flat), {1: 1})
    path = forge(make_kind(CALL), sealed(data, 1), index=index.finish(HEADER))

    tracemalloc.start()
    try:
        with Reader.open(path) as reader, pytest.raises(TapeDamagedError, match="at most 2097152 bytes"):
            list(reader.events())
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_an_index_that_points_anywhere_leads_nowhere(forge):
    """Offsets and sizes beyond the file, and beyond what a file can be, are damage when they are followed."""
    index = Index([LANE])
    index.add_kind(CALL, make_kind(CALL)[-32:])
    for offset in (0, 5, 2**40, 2**64 - 1):
        index.add_segment(offset, 100, bytes(32), {1: 1})
        index.add_blob(offset.to_bytes(32, "big"), offset, 2**64 - 1)
        index.add_blob(b"x" + offset.to_bytes(31, "big"), offset, 10)
    path = forge(make_kind(CALL), index=index.finish(HEADER))

    with Reader.open(path) as reader:
        assert reader.complete
        for number in range(reader.segment_count):
            for use in (reader.segment, reader.seal):
                with pytest.raises(TapeDamagedError):
                    use(number)
        for digest, _ in reader.blobs():
            with pytest.raises(TapeError):
                reader.blob(digest)
        assert list(reader.events(salvage=True)) == []


def test_a_file_full_of_false_proofs_is_given_up_in_time(tmp_path, monkeypatch):
    """A walk digests a few times the file at most, however many seals and blobs there seem to be."""
    digested = []
    monkeypatch.setattr(Window, "sha256", lambda _, at, size, *more: digested.append(size) or bytes(32))
    seals = make_seal(1, 1 << 20, b"x" * 32, encode([1, 1])) * 20_000
    blobs = make_blob_head(b"x" * 32, 1 << 20) * 20_000
    path = tmp_path / "false.tape"
    path.write_bytes(HEADER + b"\xff" + b"\x84" * (1 << 20) + seals + b"\xff" + blobs)

    with Reader.open(path) as reader:
        assert reader.total == 0
        assert [finding.code for finding in reader.damage] == ["damaged", "incomplete"]
    assert 0 < sum(digested) < 4 * path.stat().st_size + (128 << 20)


def test_an_item_of_endless_parts_is_no_item(tmp_path):
    """Stepping over an unknown item looks at a quarter of a million heads at most."""
    path = tmp_path / "parts.tape"
    path.write_bytes(HEADER + head(6, 0x5461705A) + b"\x9a\x00\x10\x00\x00" + b"\x80" * (1 << 20))

    with Reader.open(path) as reader:
        assert "more than 262144 parts" in reader.damage[0].message


def test_a_header_above_the_limit_is_refused(tmp_path):
    """A header is at most one megabyte, however much it says."""
    path = tmp_path / "large.tape"
    path.write_bytes(make_header([LANE], Tag(items.TAG_DICT, ["x", ["y" * 1000] * 1500])))

    with pytest.raises(TapeDamagedError, match="header"):
        Reader.open(path)


def test_one_payload_named_a_million_times_is_bounded(forge, monkeypatch):
    """An event may hold so many bytes of payloads and not more, however often it names the same one."""
    monkeypatch.setattr("testbench.tape._wire.PAYLOAD_LIMIT", 64 << 20)  # a gigabyte is much for a test
    payload = bytes(items.PIECE_SIZE)
    part = Tag(items.TAG_PAYLOAD, sha256(payload) * 3)
    body = encode([1, 0, 0, [[part] * 200, 0, None]])
    path = forge(make_kind(CALL), make_blob_head(sha256(payload), len(payload)) + payload, sealed(body, 1))

    with Reader.open(path) as reader, pytest.raises(TapeDamagedError, match="at most 67108864 bytes together"):
        for event in reader.events():
            reader.call_body(event[3], reader.kinds[1])
