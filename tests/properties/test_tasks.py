"""Generated asyncio programs: a replay gives the same outcome, whatever came first, and the same tape."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from testbench import boundary

Check = Callable[[Callable[[], Any]], None]

SHORT_S: Final = 0.002
"""Nothing waits for longer, so that no generated program can deadlock."""

leaf = st.one_of(
    st.tuples(st.sampled_from(["look", "draw", "thread", "executor", "set", "clear", "later", "yield", "timer"])),
    st.tuples(st.just("ask"), st.integers(0, 99)),
    st.tuples(st.just("sleep"), st.sampled_from([0, 0.0001, 0.0005])),
    st.tuples(st.just("put"), st.integers(0, 9)),
)
step = st.one_of(
    leaf,
    st.tuples(st.sampled_from(["lock", "few", "group", "gather"]), st.lists(leaf, max_size=3)),
    st.tuples(st.sampled_from(["get", "await", "hurry", "cancel", "fail", "call"])),
)
program = st.lists(st.lists(step, max_size=6), min_size=1, max_size=5)


@boundary(name="property_tasks_ask")
def ask(number: int) -> int:
    """Return what nobody can foresee."""
    return number + random.randrange(1000)


class Run:
    """One run of a generated program, made within its event loop."""

    def __init__(self) -> None:
        self.said: list[Any] = []
        self.locks: dict[str, Any] = {"lock": asyncio.Lock(), "few": asyncio.Semaphore(2)}
        self.queue: asyncio.Queue[int] = asyncio.Queue()
        self.event = asyncio.Event()
        self.loop = asyncio.get_running_loop()

    async def work(self, name: Any, steps: list[tuple[Any, ...]]) -> None:
        """Do the steps of one task."""
        for number, (what, *rest) in enumerate(steps):
            here = (name, number)
            if what in self.locks:
                async with self.locks[what]:
                    await self.work(here, rest[0])
            elif what == "gather":
                await asyncio.gather(*(self.work((here, n), [leaf]) for n, leaf in enumerate(rest[0])))
            elif what == "group":
                async with asyncio.TaskGroup() as group:
                    for n, leaf in enumerate(rest[0]):
                        group.create_task(self.work((here, n), [leaf]))
            else:
                self.said.append((here, what, await getattr(self, f"do_{what}")(*rest)))

    async def do_look(self) -> Any:
        return time.time_ns(), self.loop.time()

    async def do_draw(self) -> Any:
        return random.random()

    async def do_ask(self, number: int) -> Any:
        return ask(number)

    async def do_sleep(self, seconds: float) -> Any:
        await asyncio.sleep(seconds)

    async def do_yield(self) -> Any:
        await asyncio.sleep(0)

    async def do_thread(self) -> Any:
        return await asyncio.to_thread(lambda: (ask(1), time.time_ns()))

    async def do_executor(self) -> Any:
        return await self.loop.run_in_executor(None, time.monotonic)

    async def do_call(self) -> Any:
        done = self.loop.create_future()
        thread = threading.Thread(target=lambda: self.loop.call_soon_threadsafe(done.set_result, ask(2)))
        thread.start()
        found = await done
        thread.join()
        return found

    async def do_later(self) -> Any:
        self.loop.call_later(0.0003, lambda: self.said.append(("later", time.time_ns())))

    async def do_timer(self) -> Any:
        self.loop.call_at(self.loop.time(), self.said.append, "at once")

    async def do_set(self) -> Any:
        self.event.set()

    async def do_clear(self) -> Any:
        self.event.clear()

    async def do_put(self, value: int) -> Any:
        await self.queue.put(value)

    async def do_get(self) -> Any:
        return await self._soon(self.queue.get())

    async def do_await(self) -> Any:
        return await self._soon(self.event.wait())

    async def do_hurry(self) -> Any:
        return await self._soon(asyncio.sleep(SHORT_S))

    async def do_cancel(self) -> Any:
        task = asyncio.create_task(asyncio.sleep(1))
        await asyncio.sleep(0.0001)
        return task.cancel(), (await asyncio.gather(task, return_exceptions=True))[0].args

    async def do_fail(self) -> Any:
        async def fail() -> None:
            raise ValueError(ask(3))

        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(fail())
                group.create_task(asyncio.sleep(1))
        except ExceptionGroup as failed:
            return repr(failed.exceptions)

    async def _soon(self, waiting: Any) -> Any:
        try:
            return await asyncio.wait_for(waiting, SHORT_S)
        except TimeoutError:
            return "too late"


async def run(program: list[list[tuple[Any, ...]]]) -> Any:
    """Run a generated program; return what its tasks saw, in the order in which they did."""
    made = Run()
    async with asyncio.TaskGroup() as group:
        for name, steps in enumerate(program):
            group.create_task(made.work(name, steps))
    return made.said


@given(program)
def test_programs_of_tasks_replay_exactly(check_exact: Check, program: list[list[tuple[Any, ...]]]) -> None:
    """For any tasks with groups, gather, locks, queues, events, timers, timeouts, threads, executors, errors."""
    check_exact(lambda: asyncio.run(run(program)))
