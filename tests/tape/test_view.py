"""Tests of a tape to look at."""

import pytest

from testbench.errors import BlobMissingError, TapeDamagedError, UsageError
from testbench.tape._codec import Tag
from testbench.tape._event import Event, Raised, Returned
from testbench.tape._items import TAG_PAYLOAD
from testbench.tape._view import Tape


@pytest.fixture
def tape(write_tape):
    """Open a tape of every shape."""
    with Tape.open(write_tape("run.tape", meta={"host": {"cpu": [1]}})) as opened:
        yield opened


def test_events_come_as_values_in_order(tape):
    """Every shape of event is shown with its names, its times and what it holds."""
    assert list(tape) == [
        Event(
            seq=0,
            lane="main",
            kind="process",
            op="spawn",
            at_ns=5,
            took_ns=4,
            request={"argv": ["git"], "cwd": None},
            outcome=Returned({"pid": 7, "out": b"x" * 5000}),
        ),
        Event(seq=1, lane="main", kind="clock", op="time", at_ns=15, values=[1.5, 2.5]),
        Event(
            seq=2,
            lane="main/worker#1",
            kind="lane",
            op="start",
            at_ns=16,
            request={"name": "main/worker#1", "parent": "main"},
        ),
        Event(
            seq=3,
            lane="main/worker#1",
            kind="call",
            op="shop.fetch",
            at_ns=18,
            took_ns=1,
            request=7,
            outcome=Raised("E"),
        ),
        Event(
            seq=4,
            lane="main/worker#1",
            kind="process",
            op="spawn",
            at_ns=18,
            request={"argv": ["ls"], "cwd": "/"},
            outcome=Returned(None),
        ),
    ]


@pytest.mark.parametrize(
    ("asked", "seqs"),
    [
        ({}, [0, 1, 2, 3, 4]),
        ({"kind": "process"}, [0, 4]),
        ({"op": "spawn", "lane": "main"}, [0]),
        ({"kind": "call", "op": "shop.fetch"}, [3]),
        ({"lane": "main/worker#1"}, [2, 3, 4]),
        ({"start": 1, "stop": 3}, [1, 2]),
        ({"start": 3}, [3, 4]),
        ({"stop": 0}, []),
        ({"kind": "socket"}, []),
        ({"start": 99}, []),
    ],
)
def test_events_can_be_asked_for(tape, asked, seqs):
    """Kind, op, lane and a stretch of positions narrow what is given, and leave seq and time as they are."""
    whole = list(tape)

    assert list(tape.events(**asked)) == [whole[seq] for seq in seqs]


def test_a_negative_position_is_no_position(tape):
    """Positions count from the start only; the error comes at once, not at the first event."""
    with pytest.raises(UsageError, match="start=-1"):
        tape.events(start=-1)


def test_a_tape_knows_its_length_and_lanes(tape):
    """What needs no event is known without reading one."""
    assert len(tape) == 5
    assert tape.lanes == ("main", "main/worker#1")
    assert tape.complete
    assert tape.meta == {"host": {"cpu": [1]}}


def test_payloads_are_found_by_digest(tape):
    """A digest is taken as bytes and as hexadecimal digits."""
    ((digest, size),) = tape.blobs()

    assert size == 5000
    assert tape.blob(digest) == tape.blob(digest.hex()) == b"x" * 5000


@pytest.mark.parametrize("digest", ["", "xyz", "00" * 31, b"short", None, 32])
def test_what_is_no_digest_is_refused(tape, digest):
    """A typing error is not a missing payload."""
    with pytest.raises(UsageError, match="64 hexadecimal digits"):
        tape.blob(digest)


def test_a_payload_that_is_not_there_is_missing(tape):
    """A digest that the tape does not hold is an error of its own."""
    with pytest.raises(BlobMissingError, match="00000000"):
        tape.blob(bytes(32))


def test_the_summary_counts_everything(tape):
    """Sizes, kinds, lanes and digests in one value."""
    info = tape.info()

    assert info.kinds == {"lane.start": 1, "process.spawn": 2, "clock.time": 1, "call.shop.fetch": 1}
    assert (info.events, info.blobs, info.blob_size) == (5, 1, 5000)
    assert info.size == info.path.stat().st_size
    assert info.digest == "sha-256"
    assert len(info.events_digest) == len(info.tape_digest) == 32


def test_an_empty_tape_has_no_events(write_tape):
    """A recording in which nothing happened is a tape like any other."""
    with Tape.open(write_tape("empty.tape", lambda writer: None)) as tape:
        assert (list(tape), len(tape), tape.lanes) == ([], 0, ("main",))


def test_reading_two_ways_at_once_works(tape):
    """Iterators over one tape do not disturb each other."""
    assert [one.seq for one, other in zip(tape, tape, strict=True) if one == other] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("event", "says"),
    [
        ([9, 0, 0, []], "kind 9"),
        ([1, 0, 3, [None, 0, None]], "lane 3"),
        ([1, 0, 0, [None, 0]], "array of 3"),
        ([1, 0, 0, [None, "soon", None]], "nanoseconds"),
        ([1, 0, 0, [None, 0, Tag(99, 1)]], "tag 99"),
        ([1, 0, 0, [Tag(TAG_PAYLOAD, bytes(32)), 0, None]], "no payload"),
    ],
)
def test_an_event_that_no_recorder_writes_is_named_with_its_place(write_tape, event, says):
    """Well-formed nonsense is refused with path and position, and the events before it are given."""

    def build(writer):
        call = writer.kind("call.f", ["", "took_ns", "outcome"])
        writer.event([call, 0, 0, writer.call_body([1, 0], Returned(2))])
        writer.event(event)

    seen = []
    with (
        Tape.open(write_tape("odd.tape", build)) as tape,
        pytest.raises((TapeDamagedError, BlobMissingError), match=f"odd.tape.*{says}"),
    ):
        seen += tape
    assert [event.seq for event in seen] == [0]


def test_events_whose_kind_has_no_name_left_are_not_left_out_in_silence(write_tape):
    """An event of an unknown kind may be one that is asked for, so it raises, also when kinds are chosen."""
    path = write_tape("cut.tape", close=False)
    data = path.read_bytes()
    assert data.count(b"process.spawn") == 1
    path.write_bytes(data.replace(b"process.spawn", b"process.spaun"))

    with Tape.open(path) as tape:
        for asked in ({}, {"kind": "process"}, {"kind": "clock"}, {"op": "spawn"}):
            with pytest.raises(TapeDamagedError, match=r"event 0: .*no row that names it"):
                list(tape.events(**asked))
        assert [event.kind for event in tape.events(start=1, stop=4)] == ["clock", "lane", "call"]


@pytest.mark.parametrize("body", [[1, None], ["a"], ["a", -1], ["a", "b"], "a", [b"a", None]])
def test_a_lane_start_of_another_shape_is_damage(write_tape, body):
    """Lanes have names and come from lanes; anything else stops the reading of its segment."""
    with (
        Tape.open(write_tape("odd.tape", lambda writer: writer.event([0, 0, 1, body]))) as tape,
        pytest.raises(TapeDamagedError, match=r"odd\.tape is damaged at byte \d+"),
    ):
        list(tape)
