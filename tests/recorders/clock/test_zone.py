"""Local times on replay: those of the zone in which the tape was recorded."""

from __future__ import annotations

import datetime
import os
import time

import pytest

import testbench

TOKYO, YORK = "JST-9", "EST5EDT,M3.2.0,M11.1.0"


@pytest.fixture
def live(monkeypatch):
    """Give a function that moves this process to a time zone; it comes home at the end."""

    def move(name):
        monkeypatch.setenv("TZ", name)
        time.tzset()

    yield move
    monkeypatch.undo()
    time.tzset()


def conversions():
    """Compute local times from given ones, in all ways."""
    moment = datetime.datetime(2026, 7, 1, tzinfo=datetime.UTC)
    return (
        tuple(time.localtime(0)),
        time.mktime((2026, 7, 1, 0, 0, 0, 0, 0, -1)),
        datetime.datetime.fromtimestamp(0).isoformat(),
        datetime.date.fromtimestamp(80_000),
        moment.astimezone().utcoffset(),
        time.strftime("%Z", time.localtime(0)),
        time.tzname,
        time.timezone,
    )


@pytest.mark.parametrize("clock", ["real", "ticking"])
def test_a_replay_lives_in_the_zone_of_the_recording(tmp_path, live, clock):
    """Conversions come out as they did; the zone of the process, and what it sees in its environment, is as before."""
    live(TOKYO)
    with testbench.record(tmp_path / "zone.tape", clock=clock):
        recorded = conversions()
    live(YORK)
    at_home = conversions()
    assert at_home != recorded
    with testbench.replay(tmp_path / "zone.tape", leaks="ignore"):
        assert conversions() == recorded
        assert os.environ["TZ"] == YORK  # the recording did not ask
    assert conversions() == at_home


def test_a_program_that_sets_its_zone_has_it(tmp_path, live):
    """``tzset`` after a change of the environment works on replay as ever."""
    live(TOKYO)

    def program():
        live(YORK)
        return conversions()

    with testbench.record(tmp_path / "zone.tape"):
        recorded = program()
    live(TOKYO)
    with testbench.replay(tmp_path / "zone.tape"):
        assert program() == recorded


def test_a_zone_that_is_not_known_here_is_refused(tmp_path, live):
    """The replay does not begin, and the error names the zone."""
    live(TOKYO)
    meta = {"host": {"zone": {"name": "Nowhere/Atlantis", "names": ["ATL", "ATL"], "offsets": [1]}}}
    with testbench.record(tmp_path / "zone.tape", meta=meta):
        pass
    before = conversions()
    with pytest.raises(testbench.UsageError, match="Nowhere/Atlantis"), testbench.replay(tmp_path / "zone.tape"):
        pytest.fail("began")
    assert conversions() == before
