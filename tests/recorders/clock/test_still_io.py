"""Waiting on a still clock for descriptors and sockets: no time where only the program can make them ready."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import select
import selectors
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import testbench

LONG = 2_000_000
"""Seconds; more milliseconds than these are too many for ``poll(2)``."""


@contextmanager
def pipe() -> Iterator[tuple[int, int]]:
    """Open a pipe."""
    ends = os.pipe()
    try:
        yield ends
    finally:
        for end in ends:
            os.close(end)


@contextmanager
def pair(timeout: float | None = LONG) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Open two sockets that are connected."""
    here, there = socket.socketpair()
    with here, there:
        here.settimeout(timeout)
        yield here, there


def selected_pipe() -> Any:
    """Wait for a pipe by select."""
    with pipe() as (reader, _):
        return select.select([reader], [], [], LONG)


def polled_pipe() -> Any:
    """Wait for a pipe by poll."""
    with pipe() as (reader, _):
        poll = select.poll()
        poll.register(reader, select.POLLIN)
        return poll.poll(LONG * 1000)


def epolled_pipe() -> Any:
    """Wait for a pipe by epoll."""
    with pipe() as (reader, _), select.epoll() as poll:
        poll.register(reader, select.EPOLLIN)
        return poll.poll(LONG)


def by_selector(kind: Any) -> Any:
    """Return a program that waits for a socket by a selector."""

    def program() -> Any:
        with pair() as (here, _), kind() as selector:
            selector.register(here, selectors.EVENT_READ)
            return selector.select(LONG)

    return program


def eventfd() -> Any:
    """Wait for a counter of the kernel that nobody counts up."""
    fd = os.eventfd(0)
    try:
        return select.select([fd], [], [], LONG)
    finally:
        os.close(fd)


def by_socket(wait: Any) -> Any:
    """Return a program that asks a socket for what never comes."""

    def program() -> Any:
        with pair() as (here, _), pytest.raises(TimeoutError, match=r"^timed out$"):
            wait(here)

    return program


def filled() -> Any:
    """Send to a socket until there is no room, and once more."""
    with pair() as (here, _), pytest.raises(TimeoutError):
        while True:
            here.send(bytes(65_536))


def by_future(wait: Any) -> Any:
    """Return a program that waits for a task that does not end in time."""

    def program() -> Any:
        end = threading.Event()
        with concurrent.futures.ThreadPoolExecutor() as pool:
            try:
                return wait(pool.submit(end.wait))
            except TimeoutError:
                return "late"
            finally:
                end.set()

    return program


async def late() -> str:
    """Wait for what does not come, by all means of asyncio at once."""
    try:
        async with asyncio.timeout(LONG):
            await asyncio.wait_for(asyncio.Event().wait(), 2 * LONG)
    except TimeoutError:
        return "late"
    return "in time"


LATE = {
    "select": selected_pipe,
    "poll": polled_pipe,
    "epoll": epolled_pipe,
    "select selector": by_selector(selectors.SelectSelector),
    "poll selector": by_selector(selectors.PollSelector),
    "epoll selector": by_selector(selectors.EpollSelector),
    "poll of nothing": lambda: select.poll().poll(LONG * 1000),
    "epoll of nothing": lambda: select.epoll().poll(LONG),
    "eventfd": eventfd,
    "recv": by_socket(lambda here: here.recv(1)),
    "recv_into": by_socket(lambda here: here.recv_into(bytearray(1))),
    "recvfrom": by_socket(lambda here: here.recvfrom(1)),
    "recvmsg": by_socket(lambda here: here.recvmsg(1)),
    "stream": by_socket(lambda here: here.makefile("rb").read(1)),
    "send": filled,
    "future": by_future(lambda future: future.result(LONG)),
    "futures": by_future(lambda future: len(concurrent.futures.wait([future], LONG).not_done)),
    "as completed": by_future(lambda future: [*concurrent.futures.as_completed([future], LONG)]),
    "asyncio": lambda: asyncio.run(late()),
}


@pytest.mark.parametrize("program", LATE.values(), ids=LATE.keys())
def test_what_never_comes_is_late_at_once(tmp_path: Any, program: Any) -> None:
    """Recorded, the clock moves by the timeout; replayed, the same comes out without any waiting."""

    def timed() -> Any:
        begun = time.monotonic()
        return program(), int(time.monotonic() - begun)

    with testbench.record(tmp_path / "run.tape", clock="paused"):
        recorded = timed()
    with testbench.replay(tmp_path / "run.tape"):
        replayed = timed()
    assert replayed == recorded
    assert recorded[1] == LONG


def test_what_comes_from_another_thread_is_in_time(tmp_path: Any) -> None:
    """A socket that a thread writes to after an hour is ready after an hour."""

    def program() -> Any:
        begun = time.monotonic()
        with pair() as (here, there):

            def send() -> None:
                time.sleep(3600)
                there.send(b"x")

            thread = threading.Thread(target=send)
            thread.start()
            came = here.recv(1)
            thread.join()
        return came, int(time.monotonic() - begun)

    with testbench.record(tmp_path / "run.tape", clock="paused"):
        assert program() == (b"x", 3600)
    with testbench.replay(tmp_path / "run.tape"):
        assert program() == (b"x", 3600)


def test_what_others_may_make_ready_is_waited_for_really(tmp_path: Any) -> None:
    """A listening socket has no other end here: the wait lasts, and the clock moves by its time."""

    def program() -> Any:
        begun = time.monotonic()
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(0.05)
            with pytest.raises(TimeoutError):
                server.accept()
        return round(time.monotonic() - begun, 6)

    with testbench.record(tmp_path / "run.tape", clock="paused"):
        assert program() == 0.05
    with testbench.replay(tmp_path / "run.tape"):
        assert program() == 0.05


def test_a_pipe_that_a_child_holds_is_waited_for(tmp_path: Any) -> None:
    """While a child is alive, the other end of a pipe may be its own."""

    def program() -> Any:
        with pipe() as (reader, writer):
            child = subprocess.Popen(["echo", "hello"], stdout=writer)
            ready = select.select([reader], [], [], LONG)[0] == [reader]
            return ready, os.read(reader, 6), child.wait()

    with testbench.record(tmp_path / "run.tape", clock="paused"):
        assert program() == (True, b"hello\n", 0)
    with testbench.replay(tmp_path / "run.tape"):
        assert program() == (True, b"hello\n", 0)


CHILD = ["sleep", "60"]


def run() -> Any:
    """Run a child that takes too long to its end."""
    with pytest.raises(subprocess.TimeoutExpired):
        subprocess.run(CHILD, timeout=0.05, capture_output=True)


def waited() -> Any:
    """Wait for a child that takes too long, and end it."""
    child = subprocess.Popen(CHILD)
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(0.05)
    child.kill()
    return child.wait(LONG)


async def awaited() -> Any:
    """Wait for a child in an event loop likewise."""
    child = await asyncio.create_subprocess_exec(*CHILD)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(child.wait(), 0.05)
    child.kill()
    return await child.wait()


@pytest.mark.parametrize("program", [run, waited, lambda: asyncio.run(awaited())], ids=["run", "wait", "asyncio"])
def test_a_timeout_of_a_child_moves_the_clock(tmp_path: Any, program: Any) -> None:
    """The wait is real, since the child is; the clock moves by the timeout, and only by that."""

    def timed() -> Any:
        begun = time.monotonic()
        return program(), round(time.monotonic() - begun, 6)

    with testbench.record(tmp_path / "run.tape", clock="paused"):
        recorded = timed()
    assert 0.05 <= recorded[1] <= 0.052  # event loops wait for whole milliseconds
    with testbench.replay(tmp_path / "run.tape"):
        assert timed() == recorded


@pytest.mark.parametrize(
    "misuse",
    [
        lambda: select.select([], [], [], -1),
        lambda: select.select([], [], [], float("nan")),
        lambda: select.select([], [], [], float("inf")),
        lambda: select.select([], [], [], "x"),  # type: ignore[arg-type]
        lambda: select.select([], []),  # type: ignore[call-arg]
        lambda: select.epoll().poll(2.0**40),
        lambda: select.epoll().poll("x"),  # type: ignore[arg-type]
        lambda: select.poll().poll(2.0**40),
        lambda: select.poll().poll(10**400),
        lambda: select.poll().poll(1, 2),  # type: ignore[call-arg]
        lambda: select.poll().register(-1),
    ],
)
def test_misuse_is_refused_as_ever(tmp_path: Any, misuse: Any) -> None:
    """The same exception, recorded on a still clock."""

    def outcome() -> Any:
        with pytest.raises((TypeError, ValueError, OverflowError)) as raised:
            misuse()
        return raised.type

    expected = outcome()
    with testbench.record(tmp_path / "run.tape", clock="paused"):
        assert outcome() == expected
    with testbench.replay(tmp_path / "run.tape"):
        assert outcome() == expected


def test_a_child_holds_only_what_was_made_before_it(tmp_path: Any) -> None:
    """A child from before the session is no reason to wait really for a pipe of the session; for an older one it is."""
    older, other = os.pipe()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=other, bufsize=0) as child:
        assert child.stdin is not None
        with testbench.record(tmp_path / "run.tape", clock="paused", leaks="ignore"):
            reader, writer = os.pipe()
            begun = time.monotonic()
            assert select.select([reader], [], [], LONG) == ([], [], [])
            assert int(time.monotonic() - begun) == LONG
            child.stdin.write(b"x")
            assert select.select([older], [], [], LONG) == ([older], [], [])
            assert int(time.monotonic() - begun) == LONG
    for fd in (older, other, reader, writer):
        os.close(fd)
