"""The private copies that this package lives on."""

from __future__ import annotations

import os
import time

import pytest

from testbench.inplace import Redirect, real

CLOCKS = {"time_ns": time.time_ns, "monotonic_ns": time.monotonic_ns, "perf_counter_ns": time.perf_counter_ns}


@pytest.mark.parametrize("name", CLOCKS)
def test_clocks_are_out_of_reach(name):
    """Our own clocks keep telling the time while the program's say something else."""
    redirect = Redirect(CLOCKS[name])
    redirect.to(lambda: -1)
    try:
        assert getattr(real, name)() >= 0
    finally:
        redirect.restore()


def test_io_is_out_of_reach(tmp_path):
    """Our own files are written and read while the program's calls go nowhere."""
    redirects = [Redirect(function) for function in (os.open, os.write, os.pread, os.close)]
    for redirect in redirects:
        redirect.to(lambda *args: -1)
    try:
        fd = real.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
        real.write(fd, b"bytes")
        content = real.pread(fd, 10, 0)
        real.close(fd)
    finally:
        for redirect in reversed(redirects):
            redirect.restore()
    assert content == b"bytes"


def test_a_number_that_is_taken_stays_with_whom_it_belongs_to():
    """A duplicate gets the number that was asked for only where that is free."""
    ends = os.pipe()
    free = ends[1] + 50
    assert real.dup_to(ends[0], free)
    assert os.path.sameopenfile(ends[0], free)
    assert not real.dup_to(ends[1], free)
    assert os.path.sameopenfile(ends[0], free)
    assert not any(real.dup_to(ends[0], number) for number in (1 << 30, 1 << 60))
    for fd in (*ends, free):
        os.close(fd)


def test_everything_here_is_a_copy():
    """No function of this module is the object that a program could redirect."""
    import _thread
    import fcntl

    public = {name: value for name, value in vars(real).items() if type(value) is type(len)}
    assert len(public) > 20
    for name, copy in public.items():
        assert not any(copy is vars(module).get(name) for module in (os, time, _thread, fcntl))
