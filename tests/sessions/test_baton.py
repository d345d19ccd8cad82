"""Several threads: what they do to shared memory, and who gets which lock or item, comes out on replay as recorded."""

from __future__ import annotations

import asyncio
import queue
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import testbench
from testbench.errors import StallError
from testbench.inplace import real
from testbench.sessions._baton import Baton
from testbench.sessions._lanes import Lane


def _say(number: int) -> bytes:
    return subprocess.run(["sh", "-c", f"echo {number}"], capture_output=True).stdout


def _pool() -> Any:
    def one(number: int) -> Any:
        return _say(number), threading.current_thread().name.rpartition("_")[2]

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(one, range(40)))


def _workers() -> Any:
    tasks: queue.Queue[int | None] = queue.Queue()
    done: list[Any] = []

    def work(name: str) -> None:
        while (task := tasks.get()) is not None:
            done.append((name, task, _say(task), time.time()))
            tasks.task_done()

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for number in range(24):
        tasks.put(number)
    tasks.join()
    for _ in threads:
        tasks.put(None)
    for thread in threads:
        thread.join()
    return done


def _counter() -> Any:
    """Count without a lock, so that increments get lost, around a read of the clock."""
    box, seen = [0], []

    def work(name: int) -> None:
        for _ in range(20):
            value = box[0]
            time.time()
            if name % 2:
                time.sleep(0.0001)
            box[0] = value + 1
            seen.append((name, value))

    threads = [threading.Thread(target=work, args=(name,)) for name in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return box[0], seen


def _held_over_crossings() -> Any:
    """Hold locks while the world is asked, and ask it without them too."""
    lock, again, order = threading.Lock(), threading.RLock(), []

    def work(name: int) -> None:
        for _ in range(10):
            with lock:
                time.sleep(0.0002)
                order.append(name)
            time.monotonic()
            with again, again:
                order.append(-name)
                time.sleep(0)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return order


def _to_thread() -> Any:
    async def main() -> Any:
        return await asyncio.gather(*(asyncio.to_thread(_say, number) for number in range(24)))

    return asyncio.run(main())


def _conditions() -> Any:
    condition, barrier, turns = threading.Condition(), threading.Barrier(3), []

    def work(name: int) -> None:
        barrier.wait()
        for _ in range(5):
            time.sleep(0.0001 * name)
            with condition:
                turns.append(name)
                condition.notify_all()
                condition.wait(0.05)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return turns


PROGRAMS: dict[str, Callable[[], Any]] = {
    "pool": _pool,
    "workers": _workers,
    "counter": _counter,
    "held over crossings": _held_over_crossings,
    "to_thread": _to_thread,
    "conditions": _conditions,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_threads_do_the_same_again(name: str, tmp_path: Path) -> None:
    """Every replay gives the results of the recording, whatever its races came to, and the same tape."""
    program, tape, again = PROGRAMS[name], tmp_path / "t.tape", tmp_path / "again.tape"
    with testbench.record(tape):
        recorded = program()
    for _ in range(4):
        with testbench.replay(tape, rerecord=again, stall_s=10):
            assert program() == recorded
        assert again.read_bytes() == tape.read_bytes()


def test_a_lane_that_looks_again_and_again_gets_what_it_looks_for(tmp_path: Path) -> None:
    """A thread that computes until another has done something does not keep it from running; that is a leak."""

    def program() -> list[str]:
        done: list[str] = []
        looks: list[bool] = []

        def other() -> None:
            while not looks:
                time.sleep(0.001)
            done.append("done")

        thread = threading.Thread(target=other)
        thread.start()
        looks.append(True)
        while not done:
            pass
        thread.join()
        return done

    with testbench.record(tmp_path / "t.tape", leaks="ignore") as session:
        assert program() == ["done"]
    assert [(leak.name, leak.request, "test_baton.py" in leak.where) for leak in session.leaks] == [
        ("lane.unordered", {"lane": "main"}, True)
    ]
    assert "computed here for long" in session.leaks[0].instead
    with testbench.replay(tmp_path / "t.tape"):
        assert program() == ["done"]


def test_a_lane_that_ran_beside_others_until_the_end_is_a_leak(tmp_path: Path) -> None:
    """Also where it makes no crossing any more, and takes no lock."""
    looks: list[bool] = []
    done: list[bool] = []

    def other() -> None:
        while not looks:
            time.sleep(0.001)
        done.append(True)

    with testbench.record(tmp_path / "t.tape", leaks="ignore") as session:
        thread = threading.Thread(target=other)
        thread.start()
        looks.append(True)
        while not done:
            pass
    thread.join()
    assert [(leak.name, leak.request) for leak in session.leaks] == [("lane.unordered", {"lane": "main"})]


def test_a_lane_that_sleeps_unseen_and_goes_on_is_a_leak(tmp_path: Path) -> None:
    """What a lane does after a call that nobody records, before its next crossing, is in no order that repeats."""
    ours, theirs = socket.socketpair()
    found: list[bytes] = []

    def other() -> None:
        found.append(b"asked")
        ask()
        theirs.send(b"x")

    @testbench.boundary
    def ask() -> None:
        """Be asked, and take as long as it takes to notice that the main lane sleeps."""
        real.sleep(0.1)

    with ours, theirs, testbench.record(tmp_path / "t.tape", leaks="ignore") as session:
        thread = threading.Thread(target=other)
        thread.start()
        found.append(ours.recv(1))
        time.time()
        thread.join()
    assert found == [b"asked", b"x"]
    assert [leak.name for leak in session.leaks] == ["lane.unordered"]
    assert "slept here in a call that nobody records" in session.leaks[0].instead


def test_an_event_loop_that_sleeps_unseen_is_no_leak(tmp_path: Path) -> None:
    """The first thing that it does when it wakes up is to read the clock, which is a crossing."""

    def work() -> None:
        time.sleep(0.05)

    async def main() -> None:
        await asyncio.gather(*(asyncio.to_thread(work) for _ in range(3)))

    with testbench.record(tmp_path / "t.tape") as session:
        asyncio.run(main())
    assert session.leaks == []


def test_a_lock_released_inside_an_effect_is_noticed(tmp_path: Path) -> None:
    """Who waits for a lock goes on when a marked function, whose doings are no concern of ours, releases it."""
    lock = threading.Lock()

    @testbench.boundary
    def let_go() -> None:
        lock.release()

    def program() -> bool:
        lock.acquire()
        thread = threading.Thread(target=let_go)
        thread.start()
        got = lock.acquire()
        lock.release()
        thread.join()
        return got

    with testbench.record(tmp_path / "t.tape"):
        assert program()


def test_a_wait_that_nothing_ends_is_a_stall(tmp_path: Path) -> None:
    """A replay in which every thread waits for another is given up, and says so, instead of hanging."""

    @testbench.boundary
    def ask() -> None:
        """Be asked."""

    def program(*, swapped: bool) -> None:
        first, second = threading.Lock(), threading.Lock()

        def other() -> None:
            with second, suppress(StallError):  # whoever asks next is told as well
                ask()
                with first:
                    ask()

        thread = threading.Thread(target=other)
        with first:
            thread.start()
            ask()
            if swapped:
                with second:
                    ask()
        thread.join()

    with testbench.record(tmp_path / "t.tape"):
        program(swapped=False)
    with pytest.raises(StallError), testbench.replay(tmp_path / "t.tape", stall_s=0.2):
        program(swapped=True)


def test_locks_are_as_they_were_afterwards(tmp_path: Path) -> None:
    """The methods of locks and queues are CPython's own again, and refuse what they refuse in between too."""
    before = [dict(vars(kind)) for kind in (type(threading.Lock()), type(threading.RLock()), queue.SimpleQueue)]
    with testbench.record(tmp_path / "t.tape"):
        thread = threading.Thread(target=int)
        thread.start()
        thread.join()
        lock = threading.Lock()
        for wrong in ({"timeout": -2}, {"blocking": False, "timeout": 1}, {"timeout": "soon"}):
            with pytest.raises((ValueError, TypeError)):
                lock.acquire(**wrong)  # type: ignore[arg-type]  # that is what it is about
        with pytest.raises(RuntimeError):
            lock.release()
        with pytest.raises(ValueError, match="non-negative"):
            queue.SimpleQueue().get(timeout=-1)
        with pytest.raises(queue.Empty):
            queue.SimpleQueue().get(timeout=0.001)
    after = [dict(vars(kind)) for kind in (type(threading.Lock()), type(threading.RLock()), queue.SimpleQueue)]
    assert after == before


def test_a_lane_that_looks_at_the_clock_lets_others_run(tmp_path: Path) -> None:
    """A thread that polls until a time, or until another has done something, reads as often on replay."""

    def program() -> tuple[int, list[str]]:
        done: list[str] = []
        thread = threading.Thread(target=done.append, args=("done",))
        reads, until = 0, time.monotonic() + 10
        thread.start()
        other = threading.Thread(target=lambda: done.append(str(time.time() > 0)))
        other.start()
        while len(done) < 2 and time.monotonic() < until:
            reads += 1
        thread.join()
        other.join()
        return reads, done

    with testbench.record(tmp_path / "t.tape"):
        recorded = program()
    with testbench.replay(tmp_path / "t.tape"):
        assert program() == recorded


def test_a_thread_that_has_ended_is_not_alive(tmp_path: Path) -> None:
    """How often a loop finds a thread alive is the same on replay, though threads end a moment after their lane."""

    def program() -> int:
        thread, looks = threading.Thread(target=time.sleep, args=(0.0002,)), 0
        thread.start()
        while thread.is_alive():
            time.sleep(0)
            looks += 1
        return looks

    with testbench.record(tmp_path / "t.tape"):
        recorded = [program() for _ in range(30)]
    for _ in range(3):
        with testbench.replay(tmp_path / "t.tape"):
            assert [program() for _ in range(30)] == recorded


def test_a_lane_may_compute_for_as_long_again_after_each_event() -> None:
    """On replay a lane goes on from event to event; what counts as long begins anew, as it did when it was recorded."""
    lane = Lane(0, "main")
    baton = Baton(lane, lambda waits: None, relieve=lambda lane: None)
    before = baton.since_ns
    assert baton.goes_on(lane, pausing=True)
    assert baton.since_ns > before
    assert not baton.goes_on(Lane(1, "main.1"), pausing=True)
