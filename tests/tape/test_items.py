"""Tests of the structural items of a tape: their tags, their bytes, and that nothing else passes for them."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbench.errors import TapeVersionError
from testbench.tape import _items as items
from testbench.tape._codec import MalformedError, Tag, encode
from testbench.tape._event import KindRow
from testbench.tape._index import Index
from testbench.tape._structure import (
    END_SIZE,
    MAGIC,
    End,
    Seal,
    bitmap,
    flatten,
    is_proved,
    is_sealed,
    make_blob_head,
    make_end,
    make_header,
    make_kind,
    make_seal,
    read_blob_head,
    read_end,
    read_header,
    read_kind,
    read_seal,
    sha256,
    unflatten,
)

DIGESTS = st.binary(min_size=32, max_size=32)
COUNTS = st.dictionaries(st.integers(0, 300), st.integers(1, 200), min_size=1, max_size=20)
ROWS = st.builds(KindRow, number=st.integers(1, 2**32), name=st.text(max_size=20), fields=st.lists(st.text(max_size=9)))
LANE = KindRow(number=0, name="lane.start", fields=("name", "parent"))


def test_tags_are_words():
    """Each tag number of ours is four letters, so that a hex dump of a tape can be read."""
    tags = {name: value for name, value in vars(items).items() if name.startswith("TAG_")}
    own = {value.to_bytes(4, "big") for value in tags.values() if value >= 1 << 24}

    assert own == {
        b"Tape",
        b"TapK",
        b"TapB",
        b"TapS",
        b"TapI",
        b"TapE",
        b"TapM",
        b"TapF",
        b"TapR",
        b"TapT",
        b"TapX",
        b"TapV",
    }
    assert len(set(tags.values())) == len(tags)


@given(st.lists(ROWS, max_size=3), st.binary(max_size=50))
def test_headers_are_read_back(rows, behind):
    """A header gives back its kinds and its meta, and knows where it ends."""
    data = make_header([LANE, *rows], Tag(items.TAG_DICT, ["host", "a"]))
    header = read_header(data + behind)

    assert data.startswith(MAGIC)
    assert (header.digest_name, header.rows, header.size) == ("sha-256", (LANE, *rows), len(data))
    assert header.meta == Tag(items.TAG_DICT, ("host", "a"))
    assert header.verifies


@pytest.mark.parametrize(
    "wire",
    [
        [],
        [0, "sha-256", [], {}, bytes(32)],
        [True, "sha-256", [], {}, bytes(32)],
        [1, 2, [], {}, bytes(32)],
        [1, "sha-256", [[1, 2, 3]], {}, bytes(32)],
        [1, "sha-256", [], {}],
        [1, "sha-256", [], {}, bytes(32), 1],
        "x",
        1,
    ],
)
def test_a_header_of_another_shape_is_malformed(wire):
    """What has the tag of a header and not its shape is refused."""
    with pytest.raises(MalformedError):
        read_header(proved(encode(Tag(items.TAG_SELF_DESCRIBED, Tag(items.TAG_TAPE, wire)))))


def proved(item):
    """Give an item the digest that makes its last bytes right, whatever they were."""
    return item[:-32] + sha256(item[:-32])


def test_the_digest_of_a_header_is_sha_256_of_its_bytes_before():
    """Any tool can prove a header: the last 32 bytes are the SHA-256 of the others, whatever function it names."""
    for name in ("sha-256", "blake-9"):
        data = make_header([LANE], Tag(items.TAG_DICT, ["host", "a"]), name)
        assert hashlib.sha256(data[:-32]).digest() == data[-32:]
        assert read_header(data).digest_name == name


@given(st.integers(0, 2**20), st.integers(1, 255))
def test_no_changed_byte_of_a_header_goes_unnoticed(at, change):
    """A header with one byte changed is no header, or one of a newer version."""
    data = bytearray(make_header([LANE], Tag(items.TAG_DICT, ["host", "a", "note", "n" * 200])))
    data[at % len(data)] ^= change
    with pytest.raises((MalformedError, TapeVersionError)):
        read_header(bytes(data))


def test_a_newer_header_is_refused_by_its_number_alone():
    """A newer format may have any shape behind its number; the error says to upgrade."""
    with pytest.raises(TapeVersionError, match=r"format 1 or older.*format 2.*pip install --upgrade testbench"):
        read_header(encode(Tag(items.TAG_SELF_DESCRIBED, Tag(items.TAG_TAPE, [2, {"all": "new"}]))))


@given(ROWS, st.binary(max_size=20))
def test_kind_defs_are_read_back(row, behind):
    """A kind-def gives back its row, knows where it ends, and ends with the SHA-256 of its bytes before."""
    data = make_kind(row)

    assert read_kind(data + behind) == (row, len(data))
    assert hashlib.sha256(data[:-32]).digest() == data[-32:]
    assert is_proved(data)


@given(ROWS, st.integers(0, 2**20), st.integers(1, 255))
def test_no_changed_byte_of_a_kind_def_goes_unnoticed(row, at, change):
    """A kind-def with one byte changed is none, or does not prove itself."""
    data = bytearray(make_kind(row))
    data[at % len(data)] ^= change
    try:
        _, size = read_kind(bytes(data))
    except MalformedError:
        return
    assert not is_proved(bytes(data[:size]))


@pytest.mark.parametrize(
    "wire",
    [
        [1, "a.b", []],
        [1, "a.b", [], bytes(31)],
        [1, "a.b", [], bytes(33)],
        [1, "a.b", [], "x" * 32],
        [1, "a.b", [2], bytes(32)],
        1,
    ],
)
def test_a_kind_def_of_another_shape_is_malformed(wire):
    """What has the tag of a kind-def and not its shape is refused, its digest being right or not."""
    with pytest.raises(MalformedError):
        read_kind(proved(encode(Tag(items.TAG_KIND, wire))))


@given(DIGESTS, st.integers(0, 2**40), st.binary(max_size=20))
def test_blob_heads_are_read_back(digest, size, behind):
    """The head of a blob says whose bytes follow and how many."""
    data = make_blob_head(digest, size)

    assert read_blob_head(data + behind) == (digest, size, len(data))


@given(st.binary(min_size=1, max_size=200))
def test_random_bytes_are_no_blob_head(data):
    """A blob needs its tag."""
    with pytest.raises(MalformedError):
        read_blob_head(data)


@given(COUNTS, DIGESTS, st.binary(max_size=20))
def test_seals_are_read_back(counts, digest, behind):
    """A seal gives back what it seals, and knows where it ends."""
    count = sum(counts.values())
    data = make_seal(count, 5 * count, digest, encode(flatten(counts)))

    assert read_seal(data + behind) == (Seal(count=count, size=5 * count, digest=digest, counts=counts), len(data))


@given(COUNTS, st.data())
def test_no_flipped_bit_of_a_seal_goes_unnoticed(counts, draw):
    """A seal with one bit changed is no seal, or not the seal of these events."""
    events, flat = bytes(5 * sum(counts.values())), encode(flatten(counts))
    seal = bytearray(make_seal(sum(counts.values()), len(events), sha256(events, flat), flat))
    assert is_sealed(events, sum(counts.values()), bytes(seal))

    seal[draw.draw(st.integers(0, len(seal) - 1))] ^= 1 << draw.draw(st.integers(0, 7))
    try:
        assert not is_sealed(events, sum(counts.values()), bytes(seal))
    except MalformedError:
        return


@pytest.mark.parametrize(
    ("count", "size", "counts"),
    [(0, 0, []), (1, 4, [1, 1]), (1, 1 << 30, [1, 1]), (2, 50, [1, 1]), (2, 50, [2, 1, 1, 1]), (1, 50, [1, 1, 2, 0])],
)
def test_impossible_seals_are_malformed(count, size, counts):
    """A seal whose numbers cannot be true is refused before anything is read because of it."""
    with pytest.raises(MalformedError):
        read_seal(make_seal(count, size, bytes(32), encode(counts)))


@given(st.integers(0, 2**63), st.binary())
def test_ends_are_read_back(offset, index):
    """The end item has one size, and says where the index is and what it must be."""
    data = make_end(offset, index)

    assert len(data) == END_SIZE == 55
    assert read_end(data) == End(offset=offset, size=len(index), digest=sha256(index))


@given(COUNTS)
def test_counts_are_read_back(counts):
    """Counts are kind, count, kind, count, kinds rising."""
    assert unflatten(tuple(flatten(counts))) == counts


@pytest.mark.parametrize("flat", [(1,), (2, 1, 1, 1), (1, 0), (1, True), (1, -1), ("a", 1), (1, 1, 1, 1), [1, 1]])
def test_counts_in_another_form_are_malformed(flat):
    """Each table of counts has one form."""
    with pytest.raises(MalformedError):
        unflatten(flat)


def test_high_kinds_share_the_last_bit():
    """A bitmap has a bit for each of the first kinds and one for all others."""
    assert bitmap({0: 1, 5: 9}) == 0b100001
    assert bitmap({63: 1}) == bitmap({1000: 1}) == 1 << 63


def filled_index(segments, blobs):
    """Make an index of some segments and blobs."""
    index = Index([LANE])
    index.add_kind(KindRow(number=1, name="clock.time", fields=["values"]), bytes(32))
    for number in range(segments):
        index.add_segment(100 * number, 90, bytes([number % 256]) * 32, {0: 1, 1: 3})
    for number in range(blobs):
        index.add_blob(bytes([number % 256]) * 32, 7 * number, 5)
    return index


@given(st.integers(0, 300), st.integers(0, 300))
def test_an_index_is_read_back(segments, blobs):
    """An index item holds all of an index."""
    index = filled_index(segments, blobs)
    item = index.finish(b"header")
    back = Index.parse(item)

    assert back.total == index.total == 4 * segments
    assert {name: value for name, value in vars(back).items() if name != "_chain"} == {
        name: value for name, value in vars(index).items() if name != "_chain"
    }
    assert back.finish(b"header")[:-68] == item[:-68]  # without the digests, which cannot be made again from it


@given(st.data())
def test_a_damaged_index_is_malformed_or_another(draw):
    """Bytes changed, cut or added never make an index crash."""
    item = bytearray(filled_index(3, 2).finish(b"header"))
    at = draw.draw(st.integers(0, len(item) - 1))
    item[at : at + draw.draw(st.integers(0, 3))] = draw.draw(st.binary(max_size=3))
    try:
        Index.parse(bytes(item))
    except MalformedError:
        return


def test_the_tables_of_an_index_are_bounded_before_they_are_decoded():
    """Ten megabytes of empty arrays would take seven hundred as objects; they are refused by their size."""
    item = filled_index(0, 0).finish(b"")
    bomb = item[:8] + b"\x9a\x00\xa0\x00\x00" + b"\x80" * (10 << 20) + item[8:]

    with pytest.raises(MalformedError, match="tables"):
        Index.parse(bomb)


def test_the_digests_of_an_index_depend_on_order():
    """Two tapes with the same segments in another order are not the same events."""
    one, other = filled_index(2, 0), filled_index(0, 0)
    for number in (1, 0):
        other.add_segment(100 * number, 90, bytes([number]) * 32, {0: 1, 1: 3})
    one.finish(b"")
    other.finish(b"")

    assert one.events_digest != other.events_digest
