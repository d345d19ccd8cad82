"""Tests of making a sound tape of an unfinished or damaged one."""

import os
from fcntl import LOCK_EX, flock

import pytest

from testbench.errors import (
    NotATapeError,
    TapeBusyError,
    TapeDamagedError,
    TapeNotFoundError,
    TapeVersionError,
    UsageError,
)
from testbench.tape import _recover
from testbench.tape._check import check
from testbench.tape._event import Finding, Returned
from testbench.tape._reader import Reader
from testbench.tape._recover import recover
from testbench.tape._structure import read_header, sha256
from testbench.tape._view import Tape


def flip(path, at):
    """Change one byte of a file."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def seqs(path):
    """Give what each event of a tape of numbers was asked."""
    with Tape.open(path) as tape:
        return [event.request for event in tape]


def long(writer):
    """Fill a tape with everything that decides where segments end: payloads, heavy bodies, runs, kinds, lanes."""
    call = writer.kind("call.f", ["n", "took_ns", "outcome"])
    for number in range(700):
        if number % 90 == 7:
            clock = writer.kind("clock.time", ["values"])
            writer.event([clock, 3, 0, writer.run_body([float(n) for n in range(number)])])
        if number == 300:
            writer.event([0, 1, 1, ["main/t#1", 0]])
        answer = {"out": "x" * number * 5, "many": ["y" * 900] * (number % 11)}
        writer.event([call, number, int(number > 300), writer.call_body([number, 2], Returned(answer))])


def test_a_sound_tape_is_recovered_to_itself(write_tape):
    """Nothing is lost, and not a byte differs."""
    path = write_tape("run.tape", long, {"note": "n" * 5000})

    report = recover(path)

    assert (report.events, report.lost, report.findings) == (709, 0, [])
    assert report.path == path.with_name("run.recovered.tape")
    assert report.path.read_bytes() == path.read_bytes()


def test_a_killed_recording_becomes_what_it_would_have_been(write_tape):
    """Where every event reached the disk, the recovered tape is the uninterrupted one, byte for byte."""
    cut = write_tape("cut.tape.partial", long, close=False)

    report = recover(cut, cut.with_name("whole.tape"))

    assert (report.events, report.lost) == (709, 0)
    assert [finding.code for finding in report.findings] == ["incomplete"]
    assert report.path.read_bytes() == write_tape("other.tape", long).read_bytes()


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8, 0.99])
def test_a_cut_tape_keeps_every_event_before_the_cut(write_tape, numbers, share):
    """What comes out is the longest prefix that is there, on a sound and finished tape."""
    path = write_tape("run.tape", numbers(*range(1000)))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with Reader.open(path) as reader:
        there = reader.total

    report = recover(path)

    assert report.events == there > 900 * share
    assert check(report.path) == []
    assert seqs(report.path) == list(range(there))


def test_a_damaged_segment_is_lost_and_its_time_is_not(write_tape, numbers):
    """Events behind the damage keep their order and their times; the loss is counted."""
    path = write_tape("run.tape", numbers(*range(768)))
    with Reader.open(path) as reader:
        flip(path, reader._index.offsets[1] + 50)

    report = recover(path)

    assert (report.events, report.lost) == (512, 256)
    assert seqs(report.path) == [*range(256), *range(512, 768)]
    assert check(report.path) == []
    (finding,) = report.findings
    assert f"{path} is damaged at byte" in finding.message


def test_an_event_whose_payload_is_damaged_is_lost_alone(write_tape, numbers):
    """A payload that is not what was written is never passed on; its event is named, and later times stay right."""
    path = write_tape("run.tape", numbers(0, 1, 2, say=lambda n: bytes([n]) * 5000))
    with Reader.open(path) as reader:
        flip(path, reader._index.blob_offsets[1] + 9)

    report = recover(path)

    assert (report.events, report.lost) == (2, 1)
    assert any("event 1 is lost" in finding.message for finding in report.findings)
    with Tape.open(report.path) as tape:
        assert [(event.request, event.at_ns) for event in tape] == [(0, 1000), (2, 3000)]


def test_a_lane_whose_start_is_lost_gets_one(write_tape):
    """Events of a lane survive the loss of its start, and the report says what was added."""

    def build(writer):
        call = writer.kind("call.f", ["", "took_ns", "outcome"])
        writer.event([0, 1, 1, ["main/t#1", 0]])
        writer.blob(b"cut here" * 200)
        writer.event([call, 1, 1, writer.call_body([5, 1], Returned(6))])

    path = write_tape("run.tape", build)
    with Reader.open(path) as reader:
        flip(path, reader._index.offsets[0] + 8)

    report = recover(path)

    assert report.lost == 1
    assert any("lost#1" in finding.message for finding in report.findings)
    with Tape.open(report.path) as tape:
        assert [(event.lane, event.kind) for event in tape] == [("lost#1", "lane"), ("lost#1", "call")]
    assert check(report.path) == []


def test_a_damaged_header_costs_what_it_said(write_tape, numbers):
    """The events prove themselves without the header; what the recording said about itself is gone."""
    path = write_tape("run.tape", numbers(1, 2, 3), {"who": "me"})
    flip(path, 9)

    report = recover(path)

    assert seqs(report.path) == [1, 2, 3]
    assert report.lost == 1
    with Tape.open(report.path) as tape:
        assert tape.meta == {}


def test_a_changed_letter_in_meta_is_not_passed_on(write_tape, numbers):
    """What the recording said is kept as it was or not at all, and the report counts it as a loss."""
    path = write_tape("run.tape", numbers(1, 2, 3), {"who": "somebody"}, close=False)
    flip(path, path.read_bytes().index(b"somebody"))

    report = recover(path)

    assert (report.events, report.lost) == (3, 1)
    assert [finding.code for finding in report.findings] == ["header", "incomplete", "meta"]
    assert "is lost with its header" in report.findings[-1].message
    with Tape.open(report.path) as tape:
        assert tape.meta == {}


def test_meta_whose_payload_is_damaged_counts_as_a_loss(write_tape, numbers):
    """The report counts at least one where all events are there and what the recording said is not."""
    path = write_tape("run.tape", numbers(1, 2, 3), {"note": "n" * 5000})
    with Reader.open(path) as reader:
        flip(path, reader._index.blob_offsets[0] + 9)

    report = recover(path)

    assert (report.events, report.lost) == (3, 1)
    assert [finding.code for finding in report.findings] == ["meta"]


def test_a_changed_letter_in_a_name_is_not_passed_on(write_tape, numbers):
    """Events whose kind-def does not prove itself are lost, counted, and said to be once; the others stay."""

    def build(writer):
        numbers(*range(300))(writer)
        other = writer.kind("call.other", ["", "took_ns", "outcome"])
        writer.event([other, 1000, 0, writer.call_body([7, 1], Returned(8))])

    path = write_tape("run.tape", build, {"who": "me"}, close=False)
    flip(path, path.read_bytes().index(b"call.ask") + 5)

    report = recover(path)

    assert (report.events, report.lost) == (1, 300)
    assert [finding.code for finding in report.findings] == ["kind-digest", "incomplete", "kind"]
    assert "every event of kind 1 is lost" in report.findings[-1].message
    with Tape.open(report.path) as tape:
        assert [(event.op, event.request, event.at_ns) for event in tape] == [("other", 7, 301_000)]
        assert tape.meta == {"who": "me"}
    assert check(report.path) == []


def test_a_name_that_no_event_needs_costs_nothing(write_tape, numbers):
    """A damaged kind-def is reported; where a proved index repeats it, or no event is of its kind, none is lost."""
    path = write_tape("run.tape", numbers(1, 2, 3))
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"call.ask", b"call.ax\x6b", 1) + b"more")
    report = recover(path)
    assert (report.events, report.lost) == (3, 0)
    assert [finding.code for finding in report.findings] == ["kind-digest", "trailing"]
    assert report.path.read_bytes() == whole

    path = write_tape("run.tape", lambda writer: (numbers(1)(writer), writer.kind("call.unused", ["x"])), close=False)
    flip(path, path.read_bytes().index(b"unused"))
    report = recover(path, overwrite=True)
    assert (report.events, report.lost) == (1, 0)
    assert [finding.code for finding in report.findings] == ["kind-digest", "incomplete"]


def test_what_cannot_be_proved_is_not_recovered(write_tape, numbers):
    """Under a digest function that is not known here nothing proves itself; the error says what to do."""
    path = write_tape("run.tape", numbers(1, 2, 3))
    data = path.read_bytes()
    size = read_header(data).size
    start = data[: size - 32].replace(b"sha-256", b"sha-999")
    path.write_bytes(start + sha256(start) + data[size:])

    with pytest.raises(TapeVersionError, match=r"'sha-999', which is not known here.*pip install --upgrade"):
        recover(path)
    assert os.listdir(path.parent) == ["run.tape"]


def test_damage_to_index_or_end_costs_nothing(write_tape, numbers):
    """Both are derived from the events, and are written anew."""
    path = write_tape("run.tape", numbers(1, 2, 3))
    whole = path.read_bytes()
    for at in (len(whole) - 20, len(whole) - 100):
        path.write_bytes(whole)
        flip(path, at)
        report = recover(path, overwrite=True)
        assert report.lost == 0
        assert report.findings
        assert report.path.read_bytes() == whole


def test_a_file_that_is_there_is_not_replaced(write_tape, numbers):
    """An existing tape is touched only when the caller says so."""
    path, other = write_tape("run.tape", numbers(1)), write_tape("other.tape", numbers(2))

    with pytest.raises(UsageError, match=r"other\.tape already.*-o OTHER\.tape"):
        recover(path, other)
    assert seqs(other) == [2]

    recover(path, other, overwrite=True)
    assert seqs(other) == [1]


def test_the_leftover_beside_the_new_tape_can_be_recovered(write_tape, numbers):
    """The ``.partial`` of a killed recording becomes the tape it should have been, and is kept as ``.failed``."""
    cut = write_tape("run.tape.partial", numbers(1, 2), close=False)

    report = recover(cut, cut.with_name("run.tape"))

    assert seqs(report.path) == [1, 2]
    assert not cut.exists()
    assert cut.with_name("run.tape.failed").exists()


def test_a_tape_that_is_being_recorded_is_left_alone(write_tape, numbers):
    """What another process writes right now is not moved away under it."""
    live = write_tape("run.tape.partial", numbers(1, 2), close=False)
    fd = os.open(live, os.O_RDWR)
    flock(fd, LOCK_EX)
    try:
        with pytest.raises(TapeBusyError):
            recover(live, live.with_name("run.tape"))
    finally:
        os.close(fd)
    assert live.exists()


@pytest.mark.parametrize("fields", [["x"], ["x", "y"], ["x", "x", "took_ns", "outcome"]])
def test_events_under_names_that_no_recorder_gives_are_lost(write_tape, fields):
    """Whoever wrote them; nothing is passed on under names that fit no body."""

    def build(writer):
        odd = writer.kind("odd.kind", fields)
        writer.event([odd, 5, 0, [1] * len(fields)])
        good = writer.kind("call.f", ["", "took_ns", "outcome"])
        writer.event([good, 5, 0, writer.call_body([1, 1], Returned(2))])

    report = recover(write_tape("run.tape", build))

    assert (report.events, report.lost) == (1, 1)
    with Tape.open(report.path) as tape:
        assert [(event.kind, event.at_ns) for event in tape] == [("call", 10)]


def test_a_result_that_is_not_sound_is_not_kept(write_tape, numbers, monkeypatch):
    """The new tape is checked before it gets its name; a failure leaves what is at that name alone."""
    path, old = write_tape("run.tape", numbers(1)), write_tape("run.recovered.tape", numbers(2))
    monkeypatch.setattr(_recover, "check", lambda path: [Finding("event", "made up")])

    with pytest.raises(TapeDamagedError, match="not sound, so it was not kept: made up"):
        recover(path, overwrite=True)
    assert seqs(old) == [2]
    assert old.with_name("run.recovered.tape.failed").exists()


@pytest.mark.parametrize(
    ("name", "out"),
    [
        ("a.tape", "a.recovered.tape"),
        ("a.tape.partial", "a.recovered.tape"),
        ("a.tape.failed", "a.recovered.tape"),
        ("a", "a.recovered.tape"),
    ],
)
def test_the_new_tape_is_named_after_the_old_one(write_tape, numbers, name, out):
    """Whatever state a tape was left in, what is made of it has one name."""
    assert recover(write_tape(name, numbers(1))).path.name == out


def test_what_cannot_be_recovered_is_said_and_leaves_nothing(tmp_path, write_tape, numbers):
    """No tape, another file, and a tape of which nothing is whole are told apart."""
    with pytest.raises(TapeNotFoundError):
        recover(tmp_path / "none.tape")
    (tmp_path / "text").write_text("something else entirely")
    with pytest.raises(NotATapeError):
        recover(tmp_path / "text")
    path = write_tape("run.tape", numbers(1))
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(TapeDamagedError):
        recover(path)
    assert sorted(os.listdir(tmp_path)) == ["run.tape", "text"]
