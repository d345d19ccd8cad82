"""What the process has used and how busy the machine is, on record and replay."""

from __future__ import annotations

import os
import resource

import pytest

import testbench


def used():
    """Ask for all of it."""
    return resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN), os.getloadavg()


def test_usage_comes_back_in_its_own_types(tmp_path):
    """Whatever the process has used by the time of the replay."""
    with testbench.record(tmp_path / "used.tape"):
        recorded = used()
    sum(range(100_000))
    with testbench.replay(tmp_path / "used.tape"):
        assert used() == recorded
    assert [type(each) for each in recorded] == [resource.struct_rusage] * 2 + [tuple]
    assert used()[0].ru_utime >= recorded[0].ru_utime


def test_nothing_is_used_where_time_stands_still(tmp_path):
    """So that two recordings are the same."""
    with testbench.record(tmp_path / "used.tape", clock="paused"):
        mine, _, load = used()
    assert (sum(mine), sum(load)) == (0, 0)


def test_wrong_arguments_are_refused_as_ever(tmp_path):
    """On record and replay."""
    with testbench.record(tmp_path / "used.tape"), pytest.raises(ValueError, match="invalid who"):
        resource.getrusage(77)
    with testbench.replay(tmp_path / "used.tape"), pytest.raises(ValueError, match="invalid who"):
        resource.getrusage(77)
    with testbench.record(tmp_path / "none.tape"), pytest.raises(TypeError):
        resource.getrusage("self")
