"""The law of damage where no index proves anything: what a killed recording left, with one byte of it changed.

Header, kind-defs, blobs and sealed events prove themselves. Only the open tail cannot, the events behind the last seal:
a changed byte in it may change or hide events of the tail, and nothing else. A changed length before it may make an
item look cut off, which hides the whole tail; what is left then is what an earlier kill would have left.
"""

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from testbench.errors import TapeError
from testbench.tape._check import check
from testbench.tape._codec import encode
from testbench.tape._event import Raised, Returned
from testbench.tape._reader import Reader
from testbench.tape._recover import recover
from testbench.tape._view import Tape
from testbench.tape._writer import Writer

pytestmark = pytest.mark.slow

QUIET = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
META = {"who": "me", "host": {"cores": 2}, "note": "n" * 1500}
CALL = ["n", "took_ns", "outcome"]


class Killed:
    """What a killed recording left: its bytes, its events, and where the open tail begins."""

    def __init__(self, path, build):
        fd = os.open(path, os.O_RDWR | os.O_CREAT)
        writer = Writer(fd, META)
        build(writer)
        writer.flush()
        os.close(fd)
        self.data = path.read_bytes()
        with Reader.open(path) as reader:
            self.names = {(row.number, row.name, row.fields) for row in reader.kinds.values()}
            self.sealed = reader.total - len(reader.tail)
            self.tail = len(self.data) - sum(len(encode(event)) for event in reader.tail)
        with Tape.open(path) as tape:
            self.events = list(tape)
        assert 0 < self.sealed < len(self.events)

    def flipped(self, path, at, change):
        """Write it with one byte changed."""
        path.write_bytes(self.data[:at] + bytes([self.data[at] ^ change]) + self.data[at + 1 :])


def short(writer):
    """Fill a tape with every kind of item, a tail of several kinds, and a kind that only the tail uses."""
    call, clock = writer.kind("call.f", CALL), writer.kind("clock.time", ["values"])
    writer.event([call, 5, 0, writer.call_body(["x", 3], Returned({"a": b"x" * 1100}))])
    writer.event([0, 1, 1, ["main.1", 0]])
    writer.event([clock, 5, 1, writer.run_body([1.5, 2.5])])
    late = writer.kind("call.late", CALL)
    for number in range(3):
        writer.event([late, 5, 1, writer.call_body([number, 3], Raised("E", [1], {"z": 2}))])
        writer.event([call, 5, 0, writer.call_body([number, 3], Returned("y"))])


def long(writer):
    """Fill a tape with many segments, payloads between them, and a long tail."""
    call = writer.kind("call.f", CALL)
    for number in range(900):
        if number % 100 == 50:
            clock = writer.kind("clock.time", ["values"])
            writer.event([clock, 1, 0, writer.run_body([number + 0.5] * 5)])
        if number == 280:
            writer.event([0, 1, 1, ["main/t#1", 0]])
        value = ["y" * 900] * 9 if number % 200 == 77 else bytes([number % 251]) * (1500 * (number % 150 == 20))
        writer.event([call, 1000, int(number > 280), writer.call_body([number, 3], Returned(value))])


@pytest.fixture(scope="module")
def brief(tmp_path_factory):
    """Give a tape of which every byte can be changed in turn."""
    return Killed(tmp_path_factory.mktemp("killed") / "brief.tape", short)


@pytest.fixture(scope="module")
def ample(tmp_path_factory):
    """Give a tape of many segments."""
    return Killed(tmp_path_factory.mktemp("killed") / "ample.tape", long)


@pytest.fixture
def path(tmp_path):
    """Give a place for one damaged tape after the other."""
    return tmp_path / "damaged.tape"


def read(path):
    """Read as far as it goes: the events, the names of kinds and what the recording says about itself."""
    events, names, meta = [], set(), None
    try:
        with Reader.open(path) as reader:
            names = {(row.number, row.name, row.fields) for row in reader.kinds.values()}
        with Tape.open(path) as tape:
            meta = tape.meta
            events.extend(tape)
    except TapeError:
        return events, names, meta, True
    return events, names, meta, False


def is_damaged(path):
    """Tell whether a check reports damage; that the recording never finished is none."""
    try:
        return any(finding.severity == "error" for finding in check(path))
    except TapeError:
        return True


def look(killed, path, at):
    """Fail unless the law holds with the byte at ``at`` changed."""
    events, names, meta, refused = read(path)
    damaged = is_damaged(path)
    assert names <= killed.names
    assert meta in (None, META)
    if at >= killed.tail:  # what is in front of the tail does not depend on it
        assert (names, meta) == (killed.names, META)
        assert events[: killed.sealed] == killed.events[: killed.sealed]
        return
    assert events == killed.events[: len(events)]
    assert damaged or not refused
    assert damaged or len(events) in (len(killed.events), killed.sealed)
    assert damaged or names == killed.names or len(events) == killed.sealed


@pytest.mark.parametrize("change", [0x01, 0x20, 0x80])
def test_every_changed_byte_is_reported_or_harmless(brief, path, change):
    """Before the tail, each byte in turn is found by a check, or changes no event, no name and nothing in meta."""
    for at in range(len(brief.data)):
        brief.flipped(path, at, change)
        look(brief, path, at)


@QUIET
@given(data=st.data())
def test_any_changed_byte_is_reported_or_harmless(ample, path, data):
    """The same on a tape of many segments, any byte changed into any other."""
    at = data.draw(st.integers(0, len(ample.data) - 1) | st.integers(0, 250))
    ample.flipped(path, at, data.draw(st.integers(1, 255)))
    look(ample, path, at)


def unplaced(events):
    """Give what events say, without position, time and lane, which lost ones shift."""
    return [(event.kind, event.op, repr(event.request), repr(event.outcome), event.values) for event in events]


def is_subsequence(part, whole):
    """Tell whether all of one list is in another, in order."""
    rest = iter(whole)
    return all(item in rest for item in part)


def look_at_recovered(killed, path, at):
    """Fail unless what is recovered with the byte at ``at`` changed is sound and true."""
    try:
        report = recover(path, overwrite=True)
    except TapeError:
        assert is_damaged(path)
        return
    assert check(report.path) == []
    with Tape.open(report.path) as tape:
        seen = [event for event in tape if not str(event.request).startswith("{'name': 'lost#")]
        assert tape.meta in ({}, META)
        assert bool(tape.meta) or (report.lost and "meta" in [finding.code for finding in report.findings])
    if at >= killed.tail:
        assert seen[: killed.sealed] == killed.events[: killed.sealed]
        return
    assert is_subsequence(unplaced(seen), unplaced(killed.events))
    assert report.lost or len(seen) in (len(killed.events), killed.sealed)


def test_what_is_recovered_with_any_byte_changed_is_true(brief, path):
    """No event, no name and no meta on the new tape is one that the recording did not write."""
    for at in range(len(brief.data)):
        if brief.data[at : at + 4] != b"x" * 4:  # the inside of a payload is as good as any other byte of it
            brief.flipped(path, at, 0x01)
            look_at_recovered(brief, path, at)


@QUIET
@given(data=st.data())
def test_what_is_recovered_from_a_long_tape_is_true(ample, path, data):
    """The same on a tape of many segments."""
    at = data.draw(st.integers(0, len(ample.data) - 1) | st.integers(0, 250))
    ample.flipped(path, at, data.draw(st.integers(1, 255)))
    look_at_recovered(ample, path, at)
