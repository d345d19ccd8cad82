"""Waits with a timeout on a still clock."""

from __future__ import annotations

import _thread
import asyncio
import concurrent.futures
import os
import queue
import select
import threading
import time

import pytest

import testbench
from testbench.inplace import real
from testbench.recorders.clock._virtual import VirtualClock

WAIT = 0.002
WAIT_NS = 2_000_000


def elapsed_ns(recorded, program):
    """Return what a program gave on a still clock, and by how much it moved that clock."""
    virtual = VirtualClock()
    seen, _ = recorded(program, virtual)
    return seen, virtual.now_ns() - virtual.start_ns


def taken(kind):
    """Return a lock that another thread holds."""
    lock = kind()
    ready, end = threading.Event(), threading.Event()

    def hold():
        lock.acquire()
        ready.set()
        end.wait()

    _thread.start_new_thread(hold, ())
    ready.wait()
    return lock, end


def in_vain(error, wait):
    """Wait for what never comes."""
    with pytest.raises(error):
        wait()


def sleeping_thread_joined():
    """Wait in vain for the end of a thread."""
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    thread.join(WAIT)
    alive = thread.is_alive()
    end.set()
    thread.join()
    return alive


def ready_after(kind, *timeout):
    """Wait in vain for a pipe to become readable."""
    reader, writer = os.pipe()
    poll = kind()
    poll.register(reader, select.EPOLLIN)
    try:
        return poll.poll(*timeout)
    finally:
        os.close(reader)
        os.close(writer)


EXPIRING = {
    "event": lambda: threading.Event().wait(WAIT),
    "condition": lambda: held(threading.Condition(), lambda condition: condition.wait(WAIT)),
    "semaphore": lambda: threading.Semaphore(0).acquire(timeout=WAIT),
    "queue": lambda: in_vain(queue.Empty, lambda: queue.Queue().get(timeout=WAIT)),
    "simple queue": lambda: in_vain(queue.Empty, lambda: queue.SimpleQueue().get(timeout=WAIT)),
    "thread": sleeping_thread_joined,
    "select": lambda: select.select([], [], [], WAIT),
    "epoll": lambda: ready_after(select.epoll, WAIT),
    "future": lambda: in_vain(TimeoutError, lambda: concurrent.futures.Future().result(WAIT)),
}


def held(lock, act):
    """Act while holding a lock."""
    with lock:
        return act(lock)


@pytest.mark.parametrize("program", EXPIRING.values(), ids=EXPIRING.keys())
def test_a_wait_that_runs_out_moves_the_clock(recorded, program):
    """The clock has moved by the timeout, or a hair more where the waiter looks again; the outcome is the usual."""
    expected = program()
    seen, moved_ns = elapsed_ns(recorded, program)
    assert repr(seen) == repr(expected)
    assert WAIT_NS <= moved_ns <= WAIT_NS + 1000


@pytest.mark.parametrize("kind", [threading.Lock, threading.RLock])
@pytest.mark.parametrize("way", [lambda lock: lock.acquire(True, WAIT), lambda lock: lock.acquire(timeout=WAIT)])
def test_locks(recorded, kind, way):
    """A lock that cannot be had in time moves the clock, however the timeout is given."""
    lock, end = taken(kind)
    try:
        assert elapsed_ns(recorded, lambda: way(lock)) == (False, WAIT_NS + 1)
        assert elapsed_ns(recorded, lambda: lock.acquire(False)) == (False, 0)
        assert elapsed_ns(recorded, lambda: lock.acquire(blocking=False)) == (False, 0)
    finally:
        end.set()


AT_ONCE = {
    "free lock": lambda: threading.Lock().acquire(timeout=5),
    "free lock, for ever": lambda: threading.Lock().acquire(),
    "set event": lambda: threading.Event().set() or threading.Event().wait(0),
    "empty queue, not waiting": lambda: in_vain(queue.Empty, lambda: queue.SimpleQueue().get(False, 5)),
    "filled queue": lambda: filled(queue.SimpleQueue()).get(timeout=5),
    "select, looking only": lambda: select.select([], [], [], 0),
    "epoll, looking only": lambda: ready_after(select.epoll, 0),
}


def filled(empty):
    """Put one thing into a queue."""
    empty.put(1)
    return empty


@pytest.mark.parametrize("program", AT_ONCE.values(), ids=AT_ONCE.keys())
def test_a_wait_that_does_not_run_out_leaves_the_clock(recorded, program):
    """What comes in time, or is not waited for, does not move the still clock."""
    expected = program()
    seen, moved_ns = elapsed_ns(recorded, program)
    assert (seen, moved_ns) == (expected, 0)


@pytest.mark.parametrize(
    "misuse",
    [
        lambda: threading.Lock().acquire(True, -2),
        lambda: threading.Lock().acquire(True, "x"),
        lambda: threading.Lock().acquire(wait=1),
        lambda: select.select([], []),
        lambda: select.select([], [], [], "x"),
        lambda: queue.SimpleQueue().get(timeout=-1),
    ],
)
def test_misuse_is_refused_as_ever(recorded, misuse):
    """A wrong wait raises what it raises without us, in the same words."""

    def outcome():
        with pytest.raises((TypeError, ValueError)) as raised:
            misuse()
        return type(raised.value), raised.value.args

    assert elapsed_ns(recorded, outcome) == (outcome(), 0)


@pytest.mark.parametrize("clock", ["real", "paused"])
def test_timers_of_an_event_loop(tmp_path, clock):
    """Timers of asyncio fire in their order on a still clock too, and replay with the same times."""

    async def main():
        loop, seen = asyncio.get_running_loop(), []
        for delay in (0.04, 0.02):
            loop.call_later(delay, lambda delay=delay: seen.append((delay, loop.time())))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 0.08)
        return seen

    with testbench.record(tmp_path / "loop.tape", recorders=["clock"], clock=clock):
        seen = asyncio.run(main())
    assert [delay for delay, _ in seen] == [0.02, 0.04]
    with testbench.replay(tmp_path / "loop.tape"):
        assert asyncio.run(main()) == seen


def test_nothing_stays_behind(recorded):
    """After the session the types and functions are the stock ones."""
    places = [(type(threading.Lock()), "acquire"), (select.epoll, "poll"), (queue.SimpleQueue, "get")]
    before = [vars(owner)[name] for owner, name in places]
    recorded(time.time, VirtualClock())
    assert [vars(owner)[name] for owner, name in places] == before
    assert select.select.__self__ is select


def test_the_real_clock_is_left_to_itself(recorded):
    """Without a still clock no wait is touched."""
    before = vars(type(threading.Lock()))["acquire"]
    assert recorded(lambda: vars(type(threading.Lock()))["acquire"])[0] is before


def test_our_own_waits_are_out_of_reach(recorded):
    """The private way to acquire a lock does not move the clock."""
    lock = threading.Lock()
    with lock:
        assert elapsed_ns(recorded, lambda: real.acquire(lock, True, WAIT)) == (False, 0)
