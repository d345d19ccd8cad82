"""Odd circumstances: clocks that go back, many threads, and a session that begins within a running event loop."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

import testbench
from testbench.recorders.clock import Clock
from testbench.recorders.clock._virtual import VirtualClock


def test_a_wall_clock_that_is_set_back_is_recorded_as_it_was(tmp_path):
    """The values go back, the order of events does not, and a replay gives the same."""
    virtual = VirtualClock()

    def program(set_back):
        seen = [time.time_ns()]
        set_back()
        return [*seen, time.time_ns(), time.monotonic_ns()]

    with testbench.record(tmp_path / "back.tape", recorders=[Clock(virtual)]):
        seen = program(lambda: virtual.travel_to(virtual.start_ns - 3600 * 1_000_000_000))
    assert seen[0] > seen[1]
    with testbench.replay(tmp_path / "back.tape", recorders=[Clock()]):
        assert program(lambda: None) == seen
    with testbench.open_tape(tmp_path / "back.tape") as tape:
        times = [event.at_ns for event in tape]
    assert times == sorted(times)


def test_many_threads_read_one_clock(tmp_path):
    """Each thread gets its own values again, which never go back."""

    def program():
        seen = {}

        def read(name):
            seen[name] = [time.monotonic_ns() for _ in range(300)]

        threads = [threading.Thread(target=read, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return seen

    with testbench.record(tmp_path / "many.tape"):
        recorded = program()
    assert all(values == sorted(values) for values in recorded.values())
    with testbench.replay(tmp_path / "many.tape"):
        assert program() == recorded


@pytest.mark.parametrize("clock", ["real", "paused", "ticking"])
def test_a_session_within_a_running_loop(tmp_path, clock):
    """Timers of a loop that was there before work within the session, and after it."""

    async def program():
        loop, seen = asyncio.get_running_loop(), []
        loop.call_later(0.002, seen.append, "later")
        begun = loop.time()
        await asyncio.sleep(0.004)
        return seen, loop.time() - begun

    async def main():
        with testbench.record(tmp_path / "loop.tape", clock=clock):
            recorded = await program()
        with testbench.replay(tmp_path / "loop.tape"):
            assert await program() == recorded
        await asyncio.sleep(0.001)
        return recorded

    seen, elapsed = asyncio.run(main())
    assert seen == ["later"]
    assert elapsed >= 0.0039


@pytest.mark.parametrize("clock", ["real", "paused", "ticking"])
@pytest.mark.parametrize(
    ("seconds", "error"), [(-1, ValueError), (float("nan"), ValueError), (1e30, OverflowError), ("1", TypeError)]
)
def test_impossible_sleeps(tmp_path, clock, seconds, error):
    """They raise what they raise without a session, on replay too."""

    def program():
        with pytest.raises(error) as raised:
            time.sleep(seconds)
        return str(raised.value)

    stock = program()
    with testbench.record(tmp_path / "sleep.tape", clock=clock):
        assert program() == stock
    with testbench.replay(tmp_path / "sleep.tape"):
        assert program() == stock


def test_processor_clocks_of_threads(tmp_path):
    """Which thread is meant differs from run to run, and is not asked for on replay."""

    def program():
        clocks = []
        for _ in range(2):
            thread = threading.Thread(target=lambda: clocks.append(time.pthread_getcpuclockid(threading.get_ident())))
            thread.start()
            thread.join()
        own = time.pthread_getcpuclockid(threading.get_ident())
        return time.clock_gettime(own), len(clocks)

    with testbench.record(tmp_path / "cpu.tape"):
        recorded = program()
    with testbench.replay(tmp_path / "cpu.tape"):
        assert program() == recorded
    with testbench.open_tape(tmp_path / "cpu.tape") as tape:
        assert [event.request["clock"] for event in tape if event.op == "clock_gettime"] == [-2]
