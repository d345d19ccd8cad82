"""Waiting on a clock that stands still, alone and with other threads: how far time moves, and who is first."""

from __future__ import annotations

import asyncio
import queue
import sched
import select
import subprocess
import sys
import threading
import time

import pytest

import testbench

YEAR = 31_536_000.0
DAY = 86_400


@pytest.fixture
def both(tmp_path):
    """Give a function that records a program on a paused clock and replays it; it must do the same."""

    def run(program, **options):
        with testbench.record(tmp_path / "still.tape", clock="paused", **options):
            recorded = program()
        with testbench.replay(tmp_path / "still.tape"):
            assert program() == recorded
        return recorded

    return run


def elapsed(wait):
    """Return whole seconds by which the clock has moved, and what the wait gave."""
    begun = time.monotonic()
    answer = wait()
    return int(time.monotonic() - begun), answer


def nothing_comes(wait):
    """Wait in vain for an item."""
    with pytest.raises(queue.Empty):
        wait()


def taken(lock):
    """Return a lock that is held."""
    lock.acquire()
    return lock


ALONE = {
    "sleep": lambda: time.sleep(YEAR),
    "lock": lambda: taken(threading.Lock()).acquire(timeout=YEAR),
    "event": lambda: threading.Event().wait(YEAR),
    "queue": lambda: nothing_comes(lambda: queue.Queue().get(timeout=YEAR)),
    "simple queue": lambda: nothing_comes(lambda: queue.SimpleQueue().get(timeout=YEAR)),
    "select": lambda: select.select([], [], [], YEAR),
    "asyncio": lambda: asyncio.run(asyncio.sleep(YEAR)),
}


@pytest.mark.parametrize("wait", ALONE.values(), ids=ALONE.keys())
def test_a_year_passes_at_once(both, wait):
    """The clock has moved by the timeout, and the answer is the usual."""
    seconds, _ = both(lambda: elapsed(wait))
    assert seconds == YEAR


def in_threads(*tasks):
    """Run functions in a thread each; return what they noted, in order."""
    notes = []
    threads = [threading.Thread(target=task, args=(notes.append,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return notes


def sleeper(name, seconds):
    """Return a task that sleeps three times."""

    def task(note):
        for _ in range(3):
            time.sleep(seconds)
            note((name, round(time.time() - START)))

    return task


START = 1_893_456_000
AT = {"start": "2030-01-01T00:00:00Z"}


def test_sleeps_end_in_the_order_of_their_deadlines(both):
    """Several threads sleep at the same time, and the clock moves from one deadline to the next."""
    notes = both(lambda: in_threads(sleeper("a", DAY), sleeper("b", 1), sleeper("c", 7)), **AT)
    assert notes == [
        *(("b", second) for second in (1, 2, 3)),
        *(("c", second) for second in (7, 14, 21)),
        *(("a", day * DAY) for day in (1, 2, 3)),
    ]


def test_who_is_given_something_does_not_wait_for_the_clock(both):
    """A consumer gets each item at the time at which it was put."""

    def program():
        items = queue.Queue()

        def produce(note):
            for number in range(3):
                time.sleep(5)
                items.put(number)

        def consume(note):
            for _ in range(3):
                note((items.get(timeout=DAY), round(time.time() - START)))

        return in_threads(produce, consume)

    assert both(program, **AT) == [(0, 5), (1, 10), (2, 15)]


def test_a_thread_that_computes_is_waited_for(both):
    """Its result comes before the timeout of a day, however long it takes."""

    def program():
        done = threading.Event()

        def compute(note):
            total = 0
            for number in range(300_000):
                total += number
            done.set()

        def wait(note):
            note(done.wait(DAY))

        return in_threads(compute, wait), round(time.time() - START)

    assert both(program, **AT) == ([True], 0)


def test_timers(both):
    """`threading.Timer`, `sched`, and timers of asyncio with the work of a thread between them."""

    def program():
        notes = []

        def note(name):
            notes.append((name, round(time.time() - START)))

        timer = threading.Timer(DAY, note, ("timer",))
        timer.start()
        timer.join(2 * DAY)
        plan = sched.scheduler()
        for seconds in (100, 50):
            plan.enter(seconds, 1, note, (seconds,))
        plan.run()

        async def main():
            async def late(name, seconds):
                await asyncio.sleep(seconds)
                note(name)

            await asyncio.gather(late("x", 30), late("y", 3), asyncio.to_thread(sleep_in_thread))

        def sleep_in_thread():
            time.sleep(10)
            note("thread")

        asyncio.run(main())
        return notes

    base = DAY + 100
    assert both(program, **AT) == [
        ("timer", DAY),
        (50, DAY + 50),
        (100, base),
        ("y", base + 3),
        ("thread", base + 10),
        ("x", base + 30),
    ]


def test_a_thread_that_ends_what_is_waited_for_and_then_ends_itself_is_no_reason_to_let_time_pass(both):
    """A loop, which gives its executor 300 seconds to end, sees that it has, however quickly."""

    def program():
        for _ in range(30):
            asyncio.run(asyncio.to_thread(int))
        return round(time.time() - START)

    assert both(program, **AT) == 0


def test_a_child_is_waited_for_by_an_event_loop(both):
    """No false timeout: a loop that watches a child waits really."""

    async def main():
        child = await asyncio.create_subprocess_exec(sys.executable, "-Sc", "print('hi')", stdout=subprocess.PIPE)
        out, _ = await asyncio.wait_for(child.communicate(), 60)
        return out

    assert both(lambda: asyncio.run(main())) == b"hi\n"


def test_threads_from_before_wait_really(tmp_path):
    """A watchdog of the test runner does not see a year pass."""
    barked, end, ready = [], threading.Event(), threading.Event()

    def watchdog():
        ready.set()
        if not end.wait(600):
            barked.append(True)

    thread = threading.Thread(target=watchdog)
    thread.start()
    ready.wait()
    with testbench.record(tmp_path / "still.tape", clock="paused"):
        time.sleep(YEAR)
    end.set()
    thread.join()
    assert barked == []
