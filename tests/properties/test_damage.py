"""The law of damage: whatever happens to the bytes of a tape is reported, and no event is ever silently wrong."""

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from testbench.errors import TapeError
from testbench.tape._check import check
from testbench.tape._event import Raised, Returned
from testbench.tape._recover import recover
from testbench.tape._view import Tape
from testbench.tape._writer import Writer

pytestmark = pytest.mark.slow

QUIET = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def build(writer):
    """Fill a small tape with every kind of item, several segments, and payloads between them."""
    call = writer.kind("call.f", ["n", "took_ns", "outcome"])
    for number in range(600):
        if number % 100 == 50:
            clock = writer.kind("clock.time", ["values"])
            writer.event([clock, 1, 0, writer.run_body([number + 0.5] * 5)])
        if number == 280:
            writer.event([0, 1, 1, ["main/t#1", 0]])
        answer = {"out": bytes([number % 251]) * 1500 if number % 150 == 20 else b"", "n": number}
        outcome = Raised("E", [number]) if number % 70 == 3 else Returned(answer)
        if number % 200 == 77:
            outcome = Returned(["y" * 900] * 9)
        writer.event([call, 1000, int(number > 280), writer.call_body([number, 3], outcome)])


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Give the bytes of a sound tape and its events."""
    path = tmp_path_factory.mktemp("damage") / "whole.tape"
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    writer = Writer(fd, {"who": "me"})
    build(writer)
    writer.close()
    os.close(fd)
    with Tape.open(path) as tape:
        return path.read_bytes(), list(tape)


@pytest.fixture
def path(tmp_path):
    """Give a place for one damaged tape after the other."""
    return tmp_path / "damaged.tape"


def read(path):
    """Read as far as it goes: the events, and whether anything was reported."""
    events = []
    try:
        with Tape.open(path) as tape:
            reported = not tape.complete
            for event in tape:
                events.append(event)
    except TapeError:
        reported = True
    return events, reported


def findings(path):
    """Look a file over; one that is not even a tape any more is reported by its error."""
    try:
        return [finding for finding in check(path) if finding.severity != "info"]
    except TapeError as error:
        return [error]


def offsets(data):
    """Draw a place in a file, the ends and the head more often than chance would."""
    size = len(data)
    return st.integers(0, size - 1) | st.integers(0, 120) | st.integers(size - 700, size - 1)


@QUIET
@given(data=st.data())
def test_a_cut_tape_gives_a_prefix_and_says_so(whole, path, data):
    """Cut anywhere, a tape gives the events before the cut as they were, is incomplete, and recovers to them."""
    content, events = whole
    cut = data.draw(offsets(content))
    path.write_bytes(content[:cut])

    seen, reported = read(path)

    assert reported
    assert seen == events[: len(seen)]
    assert findings(path)
    if seen:
        report = recover(path, overwrite=True)
        with Tape.open(report.path) as tape:
            assert list(tape) == seen


@QUIET
@given(data=st.data())
def test_a_flipped_bit_is_found_and_no_event_is_wrong(whole, path, data):
    """One bit anywhere: check finds it, and reading gives events as they were, or an error."""
    content, events = whole
    at, bit = data.draw(offsets(content)), data.draw(st.integers(0, 7))
    path.write_bytes(content[:at] + bytes([content[at] ^ 1 << bit]) + content[at + 1 :])

    seen, _ = read(path)

    assert findings(path)
    assert seen == events[: len(seen)]


EDITS = st.sampled_from(["replace", "insert", "delete", "zero", "swap", "repeat"])


@QUIET
@given(data=st.data())
def test_any_other_change_is_found_and_no_event_is_wrong(whole, path, data):
    """Bytes replaced, inserted, removed, zeroed, exchanged or repeated are found like a single bit."""
    content, events = whole
    changed = change(content, data)
    path.write_bytes(changed)

    seen, reported = read(path)

    if changed == content:
        return
    assert findings(path)
    assert seen == events[: len(seen)]
    assert reported or seen == events


def change(content, data):
    """Change a file in one of many ways."""
    kind, at, size = data.draw(EDITS), data.draw(offsets(content)), data.draw(st.integers(1, 64))
    end = min(at + size, len(content))
    if kind == "replace":
        return content[:at] + data.draw(st.binary(min_size=end - at, max_size=end - at)) + content[end:]
    if kind == "insert":
        return content[:at] + data.draw(st.binary(min_size=1, max_size=64)) + content[at:]
    if kind == "delete":
        return content[:at] + content[end:]
    if kind == "zero":
        return content[:at] + bytes(end - at) + content[end:]
    if kind == "swap":
        return content[:at] + content[end : end + size] + content[at:end] + content[end + size :]
    return content[:end] + content[at:end] + content[end:]


def unplaced(events):
    """Give what events say, without position and time, which lost ones shift, and lane, whose start may be lost."""
    return [(event.kind, event.op, repr(event.request), repr(event.outcome), event.values) for event in events]


def is_subsequence(part, whole):
    """Tell whether all of one list is in another, in order."""
    rest = iter(whole)
    return all(item in rest for item in part)


@QUIET
@given(data=st.data())
def test_what_is_recovered_from_damage_is_sound_and_true(whole, path, data):
    """However a tape was changed, the recovered one is sound and says nothing that was not recorded."""
    content, events = whole
    path.write_bytes(change(content, data))
    try:
        report = recover(path, overwrite=True)
    except TapeError:
        return
    assert check(report.path) == []
    with Tape.open(report.path) as tape:
        seen = [event for event in tape if not str(event.request).startswith("{'name': 'lost#")]
    assert is_subsequence(unplaced(seen), unplaced(events))
    assert report.lost or len(seen) == len(events) or [finding.code for finding in report.findings] == ["incomplete"]


@QUIET
@given(st.binary(max_size=200), st.data())
def test_anything_is_read_without_a_foreign_error(whole, path, junk, data):
    """Bytes that merely begin like a tape raise the errors of tapes, and no others."""
    content, _ = whole
    path.write_bytes(content[: data.draw(st.integers(0, 80))] + junk)

    read(path)
    findings(path)
