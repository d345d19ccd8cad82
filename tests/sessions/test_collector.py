"""A session and the garbage collector: what it is made of is no reason to collect."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

import testbench


@pytest.fixture
def threshold() -> Iterator[tuple[int, int, int]]:
    """Give the threshold of now, and bring it back."""
    before = gc.get_threshold()
    yield before
    gc.set_threshold(*before)


def test_the_threshold_grows_by_what_a_session_is_made_of(tmp_path: Path, threshold: tuple[int, int, int]) -> None:
    """It is higher while a session is open, more so in a session within it, and what it was afterwards."""
    with testbench.record(tmp_path / "a.tape"):
        outer = gc.get_threshold()
        with testbench.record(tmp_path / "b.tape"):
            assert gc.get_threshold()[0] > outer[0] > threshold[0]
        assert gc.get_threshold() == outer
        assert gc.isenabled()
    assert gc.get_threshold() == threshold


def test_a_threshold_of_the_programs_own_stays(tmp_path: Path, threshold: tuple[int, int, int]) -> None:
    """What the program sets while the session is open is not taken back at its end."""
    with testbench.record(tmp_path / "a.tape"):
        gc.set_threshold(12_345, 6, 7)
    assert gc.get_threshold() == (12_345, 6, 7)


def test_a_collector_that_is_off_stays_off(tmp_path: Path) -> None:
    """Opening a session does not switch it on."""
    gc.disable()
    try:
        with testbench.record(tmp_path / "a.tape"):
            assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_session_that_cannot_open_leaves_the_collector_as_it_was(
    tmp_path: Path, threshold: tuple[int, int, int]
) -> None:
    """A tape that is not there."""
    with pytest.raises(testbench.TapeNotFoundError):
        testbench.replay(tmp_path / "none.tape").open()
    assert gc.isenabled()
    assert gc.get_threshold() == threshold
