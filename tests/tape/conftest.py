"""Fixtures that write tapes with the real writer."""

import os

import pytest

from testbench.tape._event import Raised, Returned
from testbench.tape._writer import Writer

SPAWN = ["argv", "cwd", "took_ns", "outcome"]


def mixed(writer):
    """Fill a tape with one event of every shape."""
    spawn = writer.kind("process.spawn", SPAWN)
    writer.event([spawn, 5, 0, writer.call_body([["git"], None, 4], Returned({"pid": 7, "out": b"x" * 5000}))])
    writer.event([writer.kind("clock.time", ["values"]), 10, 0, writer.run_body([1.5, 2.5])])
    writer.event([0, 1, 1, ["main/worker#1", 0]])
    fetch = writer.kind("call.shop.fetch", ["", "took_ns", "outcome"])
    writer.event([fetch, 2, 1, writer.call_body([7, 1], Raised("E"))])
    writer.event([spawn, 0, 1, writer.call_body([["ls"], "/", 0], Returned(None))])


def numbered(*numbers, say=str):
    """Give a filler of a tape whose events ask for these numbers, and get ``say`` of them."""

    def build(writer):
        for number in numbers:
            ask = writer.kind("call.ask", ["", "took_ns", "outcome"])
            writer.event([ask, 1000, 0, writer.call_body([number, 1], Returned(say(number)))])

    return build


@pytest.fixture
def write_tape(tmp_path):
    """Give a function that writes a tape and returns its path; its second argument is given the writer."""

    def write(name, build=mixed, meta=None, *, close=True):
        path = tmp_path / name
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        try:
            writer = Writer(fd, meta or {})
            build(writer)
            writer.close() if close else writer.flush()
        finally:
            os.close(fd)
        return path

    return write


@pytest.fixture
def numbers():
    """Give `numbered`."""
    return numbered
