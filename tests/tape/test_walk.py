"""Tests of walking over tapes that were never finished, and over damaged ones."""

from __future__ import annotations

import functools
import os
import random
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbench.errors import BlobDamagedError, BlobMissingError, NotATapeError, TapeDamagedError
from testbench.tape import KindRow, Reader, Returned, Writer
from testbench.tape._codec import CutOffError, Tag, encode, iterate
from testbench.tape._items import MAX_SEGMENT_SIZE
from testbench.tape._source import Source
from testbench.tape._structure import make_kind, read_header
from testbench.tape._walk import walk
from testbench.tape._window import Window


def some(writer):
    """Fill a tape with 600 events in segments of all lengths, payloads between them, and a kind in the middle."""
    kind = writer.kind("a.b", ["", "took_ns", "outcome"])
    for number in range(600):
        value = b"%d" % number * 500 if number % 97 == 0 else number
        writer.event([kind, 1, 0, writer.call_body([value, 1], Returned(None))])
        if number == 300:
            kind = writer.kind("a.c", ["", "took_ns", "outcome"])


def walked(path):
    """Walk over a tape, whatever its index says."""
    source = Source.open(path)
    try:
        header = read_header(source.read(0, 4096))
        return walk(source, header, header.rows)
    finally:
        source.close()


def values(reader, *, salvage=False):
    """Give the requests on a tape, as numbers; when salvaging, without those whose payload is lost."""
    found = []
    for kind, _, _, body in reader.events(salvage=salvage):
        try:
            value = reader.call_body(body, reader.kinds[kind])[0]
        except (BlobMissingError, BlobDamagedError, TapeDamagedError):
            assert salvage
            continue
        found.append(value if type(value) is int else int(value[: len(value) // 500]))
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Give the bytes of a tape."""
    path = tmp_path_factory.mktemp("whole") / "run.tape"
    with path.open("wb") as file:
        writer = Writer(file.fileno(), {"host": "here"})
        some(writer)
        writer.close()
    return path.read_bytes()


@functools.cache
def ends(data):
    """Give the places where the events of a tape end."""
    found, at = [], read_header(data).size
    while at < len(data):
        item, size = next(iterate(data[at:]))
        at += size
        if type(item) is tuple:
            found.append(at)
    return found


@pytest.fixture
def tape(tmp_path):
    """Give a function that puts bytes into a file and returns its path."""

    def put(data):
        path = tmp_path / "put.tape"
        path.write_bytes(data)
        return path

    return put


def test_a_walk_over_a_whole_tape_finds_its_index_and_nothing_wrong(tape, whole):
    """The index rebuilt from the bytes is the one that was written, byte for byte."""
    path = tape(whole)
    found = walked(path)

    assert (found.findings, found.unknown, found.tail, found.end) == ([], [], (), len(whole))
    header = read_header(whole)
    assert found.index.finish(whole[: header.size]) in whole


def test_a_tape_without_index_opens_as_if_it_had_one(tape, whole, write_tape):
    """Cut before the index, a tape has all its events, kinds, counts and payloads; it is incomplete, not damaged."""
    with Reader.open(tape(whole)) as reader:
        complete = (reader.kinds, reader.counts, reader.total, list(reader.blobs()), list(reader.events()), reader.meta)
    cut = whole[: whole.rindex(b"\xdaTapI")]
    with Reader.open(tape(cut)) as reader:
        assert (
            reader.kinds,
            reader.counts,
            reader.total,
            list(reader.blobs()),
            list(reader.events()),
            reader.meta,
        ) == (complete)
        assert not reader.complete
        assert reader.events_digest is None
        assert reader.tape_digest is None
        assert [(finding.code, finding.severity) for finding in reader.damage] == [("incomplete", "warning")]


@given(st.integers(0, 2**40))
def test_a_cut_tape_holds_every_whole_event_before_the_cut(tmp_path_factory, whole, place):
    """Wherever a file is cut off, it opens and its events are an exact prefix; nothing of it is called damage."""
    path = tmp_path_factory.mktemp("cut") / "cut.tape"
    header = read_header(whole).size
    size = header + place % (len(whole) - header)
    path.write_bytes(whole[:size])

    with Reader.open(path) as reader:
        found = values(reader)
        assert found == list(range(len(found)))
        assert len(found) == sum(1 for end in ends(whole) if end <= size)
        assert [finding.code for finding in reader.damage] == ["incomplete"]
        assert not reader.complete


def test_events_behind_the_last_seal_are_there(tmp_path):
    """Flushed events count although no seal proves them yet."""
    path = tmp_path / "run.tape"
    with path.open("wb") as file:
        writer = Writer(file.fileno(), {})
        kind = writer.kind("a.b", ["x"])
        for number in range(300):
            writer.event([kind, 0, 0, number])
        writer.event([0, 1, 1, ["main.1", 0]])
        writer.flush()
        with Reader.open(path) as reader:
            assert [event[3] for event in reader.tail] == [*range(256, 300), ("main.1", 0)]
            assert reader.total == 301
            assert reader.counts == {0: 1, kind: 300}
            assert reader.lanes() == {0: "main", 1: "main.1"}
            assert list(reader.events(start=299)) == [(kind, 0, 0, 299), (0, 1, 1, ("main.1", 0))]


def test_zeros_at_the_end_are_no_damage(tape, whole):
    """Zeros are what a write that was cut short leaves; they hide nothing."""
    cut = whole[: whole.rindex(b"\xdaTapI")]
    with Reader.open(tape(cut + bytes(5000))) as reader:
        assert values(reader) == list(range(600))
        assert [finding.code for finding in reader.damage] == ["incomplete"]


@given(st.integers(0, 2**40), st.integers(0, 7))
def test_a_flipped_bit_costs_one_segment_at_most(tmp_path_factory, whole, place, bit):
    """Any bit flipped in a tape without index: no event is wrong, and at most one segment and one payload are lost."""
    path = tmp_path_factory.mktemp("flip") / "flip.tape"
    header = read_header(whole).size
    data = bytearray(whole[: whole.rindex(b"\xdaTapI")])
    data[header + place % (len(data) - header)] ^= 1 << bit
    path.write_bytes(data)

    with Reader.open(path) as reader:
        found = values(reader, salvage=True)
    assert set(found) <= set(range(600))
    assert found == sorted(found)
    assert len(found) >= 600 - 301  # of the second kind, if it loses its row


def test_after_damage_reading_goes_on_at_the_next_proof(tape, whole):
    """A hole in the middle is named with its size, and what comes after is not lost."""
    at = whole.index(b"\xdaTapB", len(whole) // 2)
    path = tape(whole[: at - 900] + random.Random(5).randbytes(1500) + whole[at + 600 : whole.rindex(b"\xdaTapI")])

    with Reader.open(path) as reader:
        found = values(reader, salvage=True)
        assert found == sorted(set(found))
        assert found[0] == 0
        assert found[-1] == 599
        damage = [finding for finding in reader.damage if finding.severity == "error"]
        with pytest.raises(TapeDamagedError, match="bytes are no part of a tape"):
            list(reader.events())
        assert [finding.code for finding in damage] == ["damaged"]
        assert "bytes are no part of a tape" in damage[0].message
        assert "testbench recover" in damage[0].message


def test_a_tape_inside_a_payload_is_never_taken_for_this_one(tmp_path, whole):
    """When the head of a blob that holds a tape is damaged, the events in it stay where they are."""
    path = tmp_path / "outer.tape"
    with path.open("wb") as file:
        writer = Writer(file.fileno(), {})
        kind = writer.kind("z.z", ["x"])
        writer.event([kind, 0, 0, 1])
        writer.blob(whole)
        writer.event([kind, 0, 0, 2])
        writer.flush()
    data = bytearray(path.read_bytes())
    data[data.index(b"\xdaTapB") + 5] ^= 0xFF
    path.write_bytes(data)

    with Reader.open(path) as reader:
        assert {event[3] for event in reader.events(salvage=True)} <= {1, 2}
        assert [row.name for row in reader.kinds.values()] == ["lane.start", "z.z"]
        assert "damaged" in [finding.code for finding in reader.damage]


def test_items_of_a_later_format_are_stepped_over(tape, whole):
    """A tagged item that nobody knows is counted and left alone, in complete and in unfinished tapes."""
    at = whole.rindex(b"\xdaTapI")
    later = encode(Tag(0x5461705A, ["zstd", b"x" * 70_000, [1, {"a": [None, 1.5]}]]))
    first = read_header(whole).size
    path = tape(whole[:first] + later + whole[first:at] + later)

    found = walked(path)
    assert found.unknown == [(first, len(later)), (at + len(later), len(later))]
    assert [finding.code for finding in found.findings] == ["incomplete"]
    with Reader.open(path) as reader:
        assert values(reader) == list(range(600))


def test_an_index_that_lies_is_found_by_walking(tape, whole):
    """An index with its right digest that lists something else than the tape holds is reported."""
    at = whole.index(b"\xdaTapB")
    other = encode(Tag(0x5461705A, 1))
    assert walked(tape(whole)).findings == []
    found = walked(tape(whole[:at] + other + whole[at:]))
    assert [finding.code for finding in found.findings] == ["index", "end"]


def test_bytes_behind_the_end_are_reported(tape, whole):
    """A tape ends where it ends, also when another is appended to it."""
    for behind in (b"\0", b"x" * 100, whole):
        path = tape(whole + behind)
        assert [finding.code for finding in walked(path).findings] == ["trailing"]
        with Reader.open(path) as reader:
            assert not reader.complete
            assert values(reader) == list(range(600))


def test_lost_names_of_kinds_come_from_the_index(tape, whole):
    """The index repeats every row, so that events keep their names when a kind-def is damaged."""
    with Reader.open(tape(renamed(whole) + b"more")) as reader:
        assert [finding.code for finding in reader.damage] == ["kind-digest", "trailing"]
        assert sorted(row.name for row in reader.kinds.values()) == ["a.b", "a.c", "lane.start"]
        assert values(reader, salvage=True) == list(range(600))


def renamed(data):
    """Change a letter in the name of the first kind, and nothing else."""
    assert data.count(b"TapK\x84\x01ca.b") == 1
    return data.replace(b"TapK\x84\x01ca.b", b"TapK\x84\x01ca.B")


def test_an_index_without_its_digest_names_nothing(tape, whole):
    """Names are taken from what proves itself; an index that the end does not vouch for is no such thing."""
    data = bytearray(renamed(whole))
    data[-1] ^= 1
    with Reader.open(tape(data)) as reader:
        assert [row.name for row in reader.kinds.values()] == ["lane.start", "a.c"]
        assert [finding.code for finding in reader.damage] == ["kind-digest", "end"]


def test_a_changed_letter_in_a_name_costs_the_name_alone(tape, whole):
    """On a tape without index, a kind-def that does not prove itself is reported; its events are there, nameless."""
    with Reader.open(tape(renamed(whole[: whole.rindex(b"\xdaTapI")]))) as reader:
        assert [finding.code for finding in reader.damage] == ["kind-digest", "incomplete"]
        assert "names in it are not believed" in reader.damage[0].message
        assert "testbench recover" in reader.damage[0].message
        assert [row.name for row in reader.kinds.values()] == ["lane.start", "a.c"]
        assert [event[0] for event in reader.events()] == [1] * 301 + [2] * 299
        with pytest.raises(TapeDamagedError, match="no row that names it"):
            reader.kinds[1]


def test_events_behind_an_unproved_kind_def_are_kept_without_a_seal(tape, whole):
    """Nothing has to prove itself behind it: a damaged name does not hide the open tail of a killed recording."""
    first = read_header(whole).size
    start = whole[first : whole.index(b"\x84", whole.index(b"TapK") + 60)]
    events = b"".join(encode([1, 1, 0, [number, 1, None]]) for number in range(5))
    kind = make_kind(KindRow(number=1, name="a.b", fields=("", "took_ns", "outcome")))
    other = make_kind(KindRow(number=2, name="a.c", fields=("", "took_ns", "outcome")))
    assert start.startswith(kind)

    with Reader.open(tape(whole[:first] + renamed(kind) + other + events)) as reader:
        assert [finding.code for finding in reader.damage] == ["kind-digest", "incomplete"]
        assert len(reader.tail) == 5
        assert list(reader.kinds) == [0, 2]


@pytest.mark.parametrize("cut", [True, False], ids=["unfinished", "complete"])
def test_a_changed_letter_in_meta_is_a_damaged_header(tape, whole, cut):
    """What a recording says about itself is proved as its events are, index or not."""
    data = whole[: whole.rindex(b"\xdaTapI")] if cut else whole
    path = tape(data.replace(b"dhere", b"dhare", 1))

    with pytest.raises(TapeDamagedError, match="the header does not have its digest"):
        Reader.open(path)
    with Reader.open(path, salvage=True) as reader:
        assert [finding.code for finding in reader.damage] == ["header", "incomplete"][: 1 + cut]
        assert reader.meta == {}
        assert values(reader) == list(range(600))


def test_a_kind_def_proves_that_a_file_without_header_is_a_tape(tape, whole):
    """Salvage needs one thing that proves itself, and a killed recording may have no seal yet."""
    first = read_header(whole).size
    kind = make_kind(KindRow(number=1, name="a.b", fields=("", "took_ns", "outcome")))
    data = whole[:20] + b"?" + whole[21:first] + kind + encode([1, 1, 0, [7, 1, None]])

    with Reader.open(tape(data), salvage=True) as reader:
        assert values(reader) == [7]
    with pytest.raises(TapeDamagedError):
        Reader.open(tape(data.replace(b"ca.b", b"ca.B")), salvage=True)


@pytest.mark.parametrize("at", [0, 3, 8, 12, 30])
def test_a_damaged_header_is_refused_and_salvage_does_without_it(tape, whole, at):
    """Without its header a tape is not opened, unless that is asked for; then everything behind it is there."""
    data = bytearray(whole)
    data[at] ^= 0xFF
    path = tape(data)

    with pytest.raises((NotATapeError, TapeDamagedError)):
        Reader.open(path)
    with Reader.open(path, salvage=True) as reader:
        assert reader.damage[0].code == "header"
        assert reader.meta == {}
        assert values(reader, salvage=True) == list(range(600))


def test_salvage_does_not_make_a_tape_of_anything(tape):
    """A file in which nothing proves itself stays what it was called."""
    with pytest.raises(NotATapeError):
        Reader.open(tape(random.Random(7).randbytes(50_000)), salvage=True)


def test_a_kind_defined_twice_is_damage(tape, whole):
    """Each number has one row."""
    header = read_header(whole).size
    row = next(row for row in walked(tape(whole)).index.rows if row.number == 1)
    twice = make_kind(row)
    found = walked(tape(whole[:header] + twice + whole[header:]))

    assert "kind 1 is defined twice" in found.findings[0].message


def test_a_walk_stays_in_bounded_memory(tmp_path):
    """A tape much larger than the window is walked through it: blobs and segments lie across its borders."""
    path = tmp_path / "run.tape"
    dice = random.Random(3)
    with path.open("wb") as file:
        writer = Writer(file.fileno(), {})
        kind = writer.kind("a.b", ["", "took_ns", "outcome"])
        for number in range(40):
            payload = dice.randbytes(700_001 + number)
            writer.event([kind, 1, 0, writer.call_body([payload, number], Returned(None))])
        writer.flush()
    assert path.stat().st_size > 3 * (8 << 20)

    tracemalloc.start()
    found = walked(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found.index.blob_sizes) == 40
    assert [finding.code for finding in found.findings] == ["incomplete"]
    assert peak < 20 << 20


@pytest.fixture
def window(tmp_path):
    """Give a window on 20 MiB of zeros with a word in some places."""
    path = tmp_path / "bytes"
    with path.open("wb") as file:
        file.truncate(20 << 20)
        for at in (5, (8 << 20) - 2, (16 << 20) - 1, (20 << 20) - 4):
            os.pwrite(file.fileno(), b"word", at)
    source = Source.open(path)
    yield Window(source)
    source.close()


def test_a_window_finds_what_lies_across_its_border(window):
    """Words are found wherever they stand, before a limit, and not beyond it."""
    found, at = [], -1
    while (at := window.find(b"word", at + 1, window.size)) >= 0:
        found.append(at)

    assert found == [5, (8 << 20) - 2, (16 << 20) - 1, (20 << 20) - 4]
    assert window.find(b"word", 0, 5) == -1
    assert window.find(b"word", 0, 6) == 5
    assert window.take((8 << 20) - 2, 4) == b"word"
    assert window.take(5, 4) == b"word"
    assert window.take((20 << 20) - 4, 100) == b"word"


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (b"\x01rest", 1),
        (b"\x43abcrest", 4),
        (b"\x83\x01\x82\x02\x03\x61ax", 7),
        (b"\xa1\x61a\xda\x54\x61\x70\x5a\x80x", 9),
        (b"\xfb12345678x", 9),
        (b"\xf6x", 1),
    ],
)
def test_the_end_of_any_item_is_found_by_its_heads(tmp_path, data, size):
    """An item needs no decoding to be stepped over, and a shorter file cuts it off."""
    path = tmp_path / "bytes"
    path.write_bytes(data)
    assert Window(Source.open(path)).item_end(0) == size
    for cut in range(1, size):
        path.write_bytes(data[:cut])
        with pytest.raises(CutOffError):
            Window(Source.open(path)).item_end(0)


def test_the_largest_segment_is_found(tmp_path):
    """A segment up to the limit has its seal found; one byte more is not looked for."""
    path = tmp_path / "run.tape"
    with path.open("wb") as file:
        writer = Writer(file.fileno(), {})
        kind = writer.kind("a.b", ["x"])
        writer.event([kind, 0, 0, b"x" * (MAX_SEGMENT_SIZE - 9)])
        writer.flush()
        writer._seal()
        writer.flush()
    found = walked(path)
    assert list(found.index.sizes) == [MAX_SEGMENT_SIZE]
