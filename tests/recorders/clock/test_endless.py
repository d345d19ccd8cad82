"""Waits on a still clock that nothing can end: named, with who waits and where, instead of hanging."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import queue
import select
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

import testbench


def held_twice() -> None:
    """Ask for a lock that this thread holds."""
    lock = threading.Lock()
    with lock, lock:
        pass


def watched() -> None:
    """Wait for an end of a pipe that nobody writes to."""
    reader, writer = os.pipe()
    try:
        select.select([reader], [], [])
    finally:
        os.close(reader)
        os.close(writer)


def polled() -> None:
    """Wait by poll for an end of a pipe that nobody writes to."""
    reader, writer = os.pipe()
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    try:
        poll.poll()
    finally:
        os.close(reader)
        os.close(writer)


def received() -> None:
    """Wait for what the other end of a socket, which is here, never sends."""
    here, there = socket.socketpair()
    with here, there:
        here.recv(1)


async def forgotten() -> None:
    """Await what nobody sets."""
    await asyncio.get_running_loop().create_future()


async def beside_a_thread() -> None:
    """Await what nobody sets while a thread waits for its next task."""
    await asyncio.to_thread(time.time)
    await asyncio.get_running_loop().create_future()


ENDLESS = {
    "event": (lambda: threading.Event().wait(), "a lock"),
    "lock": (lambda: [(lock := threading.Lock()).acquire(), lock.acquire()], "a lock"),
    "with lock": (held_twice, "a lock"),
    "condition": (lambda: threading.Barrier(2).wait(), "a lock"),
    "queue": (lambda: queue.Queue().get(), "a lock"),
    "simple queue": (lambda: queue.SimpleQueue().get(), "a SimpleQueue"),
    "select": (watched, "descriptors"),
    "poll": (polled, "descriptors"),
    "epoll": (lambda: select.epoll().poll(), "descriptors"),
    "socket": (received, "a socket"),
    "event loop": (lambda: asyncio.run(forgotten()), "descriptors"),
    "event loop and thread": (lambda: asyncio.run(beside_a_thread()), "descriptors"),
    "pause": (signal.pause, "a signal"),
    "sigwait": (lambda: signal.sigwait([signal.SIGUSR1]), "one of the signals"),
}


@pytest.mark.parametrize(("wait", "what"), ENDLESS.values(), ids=ENDLESS.keys())
def test_a_wait_that_never_ends_is_named(tmp_path: Any, wait: Any, what: str) -> None:
    """The error tells who waits, for what and at which line, and what to do; the recording is not kept."""
    told = rf"a wait that never ends: MainThread waits for {what}.* at .*{os.path.basename(__file__)}:\d+ in .*timeout"
    path = tmp_path / "run.tape"
    with pytest.raises(testbench.RecordingError, match=told), testbench.record(path, clock="paused"):
        wait()
    assert not path.exists()


def test_the_tasks_of_an_event_loop_are_named(tmp_path: Any) -> None:
    """Where a loop has nothing to do any more, the error tells where its tasks wait."""

    async def stuck() -> None:
        await asyncio.Event().wait()

    with (
        pytest.raises(testbench.RecordingError, match=r"an event loop: task 1 at .*test_endless\.py:\d+ in .*stuck"),
        testbench.record(tmp_path / "run.tape", clock="paused"),
    ):
        asyncio.run(stuck())


@pytest.mark.parametrize("seconds", [math.inf, 1e30])
def test_a_task_that_sleeps_for_ever_is_named(tmp_path: Any, seconds: float) -> None:
    """Though the event loop wakes up each day to see whether it is time."""
    with (
        pytest.raises(testbench.RecordingError, match=r"a wait that never ends: .*an event loop: task 1 at "),
        testbench.record(tmp_path / "run.tape", clock="paused"),
    ):
        asyncio.run(asyncio.sleep(seconds))


def test_a_task_that_sleeps_until_it_is_cancelled(tmp_path: Any) -> None:
    """It is, after ten years that take no time, and a replay does the same."""

    async def idle() -> float:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.sleep(math.inf), 10 * 31_536_000)
        return loop.time() - begun

    with testbench.record(tmp_path / "run.tape", clock="paused"):
        recorded = asyncio.run(idle())
    with testbench.replay(tmp_path / "run.tape"):
        assert asyncio.run(idle()) == recorded
    assert int(recorded) == 10 * 31_536_000


def test_it_breaks_the_recording_also_where_the_program_swallows_it(tmp_path: Any) -> None:
    """A broad ``except`` does not make a good tape of it."""
    with (
        pytest.raises(testbench.RecordingError, match="never ends"),
        testbench.record(tmp_path / "run.tape", clock="paused"),
    ):
        with suppress(Exception):
            threading.Event().wait()
        time.sleep(1)
    assert not (tmp_path / "run.tape").exists()


def test_a_handler_of_a_signal_may_end_a_wait(tmp_path: Any) -> None:
    """An alarm that is set is waited for, at once."""
    came = threading.Event()
    before = signal.signal(signal.SIGALRM, lambda *_: came.set())

    def program() -> float:
        begun = time.monotonic()
        signal.alarm(100)
        came.wait()
        came.clear()
        return time.monotonic() - begun

    try:
        with testbench.record(tmp_path / "run.tape", clock="paused", leaks="ignore"):
            assert program() == 100
        with testbench.replay(tmp_path / "run.tape"):
            assert program() == 100
    finally:
        signal.signal(signal.SIGALRM, before)


def test_a_program_that_handles_signals_from_outside_is_waited_for(tmp_path: Any) -> None:
    """Whoever sends SIGUSR1 may end its wait, so that it is not called endless."""
    came = threading.Event()
    before = signal.signal(signal.SIGUSR1, lambda *_: came.set())
    sender = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1))
    sender.start()  # before the session, so that its wait is real
    try:
        with testbench.record(tmp_path / "run.tape", clock="paused", leaks="ignore"):
            assert came.wait()
    finally:
        signal.signal(signal.SIGUSR1, before)
        sender.join()


def crossed() -> None:
    """Two threads, each of which holds what the other one wants."""
    first, second, both = threading.Lock(), threading.RLock(), threading.Barrier(2)

    def take(mine: Any, other: Any) -> None:
        with mine:
            both.wait()
            with other:
                pytest.fail("nobody gets both")

    started = [threading.Thread(target=take, args=locks) for locks in ((first, second), (second, first))]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()


def starved() -> None:
    """A pool all of whose workers wait for work that only they could do."""
    with ThreadPoolExecutor(2) as pool:
        asked = threading.Barrier(2)

        def ask() -> Any:
            asked.wait()
            return pool.submit(int).result()

        list(pool.map(lambda _: ask(), range(2)))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(
    ("program", "waits_for"), [(crossed, "main.1 waits for a lock"), (starved, "main.2 waits for")]
)
def test_threads_that_wait_for_each_other_for_ever_are_named(tmp_path: Any, program: Any, waits_for: str) -> None:
    """The error has all threads; it is raised in each of them, so that none is left."""
    before = threading.enumerate()
    path = tmp_path / "run.tape"
    with pytest.raises(testbench.RecordingError, match="never ends") as told, testbench.record(path, clock="paused"):
        program()
    assert waits_for in str(told.value)
    assert "main waits for" in str(told.value)
    for thread in set(threading.enumerate()).difference(before):
        thread.join(20)
        assert not thread.is_alive()
    assert not path.exists()


def test_threads_that_wait_for_one_from_before_are_waited_for(tmp_path: Any) -> None:
    """Whoever was there before the session may let them go on."""
    end = threading.Event()
    before = threading.Thread(target=end.wait)
    before.start()
    with testbench.record(tmp_path / "run.tape", clock="paused") as session:
        told = session._mode._deadlock.reached
        assert not told(0)
        end.set()
        before.join()
        assert told(0)
