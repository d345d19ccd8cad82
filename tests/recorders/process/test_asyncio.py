"""Children of asyncio: streams, communicate, wait, cancelling, timeouts, many at once."""

from __future__ import annotations

import asyncio
import signal
import threading
from asyncio.subprocess import PIPE
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

import testbench


def _run(main: Callable[[], Coroutine[Any, Any, Any]]) -> Callable[[Path], Any]:
    return lambda _: asyncio.run(main())


async def _communicate() -> Any:
    child = await asyncio.create_subprocess_exec("cat", stdin=PIPE, stdout=PIPE)
    return await child.communicate(b"there and back"), child.returncode


async def _shell() -> Any:
    child = await asyncio.create_subprocess_shell("echo out; echo err >&2; exit 3", stdout=PIPE, stderr=PIPE)
    return await child.communicate(), child.returncode


async def _dialogue() -> Any:
    child = await asyncio.create_subprocess_exec("cat", stdin=PIPE, stdout=PIPE)
    assert child.stdin is not None
    assert child.stdout is not None
    lines = []
    for number in range(5):
        child.stdin.write(b"line %d\n" % number)
        await child.stdin.drain()
        lines.append(await child.stdout.readline())
    child.stdin.close()
    return lines, await child.stdout.read(), await child.wait()


async def _missing() -> Any:
    try:
        await asyncio.create_subprocess_exec("/no/such/program")
    except FileNotFoundError as error:
        return error.errno, error.filename


async def _wait_only() -> Any:
    child = await asyncio.create_subprocess_exec("false")
    return await child.wait()


async def _timeout() -> Any:
    child = await asyncio.create_subprocess_exec("sleep", "60", stdout=PIPE)
    try:
        await asyncio.wait_for(child.wait(), 0.02)
    except TimeoutError:
        child.terminate()
    return await child.wait()


async def _ignores_sigterm() -> Any:
    child = await asyncio.create_subprocess_shell("trap '' TERM; echo ready; while :; do sleep 1; done", stdout=PIPE)
    assert child.stdout is not None
    line = await child.stdout.readline()
    child.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(child.wait(), 0.02)
    except TimeoutError:
        child.kill()
    return line, await child.wait()


async def _cancelled() -> Any:
    child = await asyncio.create_subprocess_exec("sleep", "60", stdin=PIPE, stdout=PIPE)  # does not end with its stdin
    task = asyncio.create_task(child.communicate())
    await asyncio.sleep(0.01)
    task.cancel()
    ended = await asyncio.gather(task, return_exceptions=True)
    child.kill()
    return [type(end) for end in ended], await child.wait()


async def _eight() -> Any:
    async def one(number: int) -> Any:
        script = f"cat; sleep 0.0{number}; echo {number}"
        child = await asyncio.create_subprocess_shell(script, stdin=PIPE, stdout=PIPE)
        return await child.communicate(b"x" * number), child.returncode

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(number)) for number in range(8)]
    return [task.result() for task in tasks]


async def _much() -> Any:
    child = await asyncio.create_subprocess_exec("cat", stdin=PIPE, stdout=PIPE)
    out, _ = await child.communicate(bytes(range(256)) * 4000)
    return len(out), out[-1]


PROGRAMS = {
    "communicate": _communicate,
    "shell": _shell,
    "dialogue": _dialogue,
    "missing": _missing,
    "wait only": _wait_only,
    "timeout": _timeout,
    "ignores SIGTERM": _ignores_sigterm,
    "cancelled": _cancelled,
    "eight at once": _eight,
    "much": _much,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_children_of_asyncio_behave_the_same(name: str, ways: Any) -> None:
    """As it is, recorded, and replayed without any process: the same outcomes."""
    kind, *_ = ways.agree(_run(PROGRAMS[name]))
    assert kind == "returned"


def test_replaying_again_gives_the_same_tape(ways: Any) -> None:
    """A replay of eight children at once that is recorded itself gives the same bytes."""
    ways.record(_run(_eight))
    again = ways.tape.with_name("again.tape")
    with testbench.replay(ways.tape, rerecord=again):
        asyncio.run(_eight())
    assert again.read_bytes() == ways.tape.read_bytes()


def test_order_of_ends_comes_back(ways: Any) -> None:
    """Which child ended first is as recorded, whatever the machine would do today."""

    async def race() -> Any:
        ended: list[int] = []

        async def one(number: int) -> None:
            await (await asyncio.create_subprocess_shell("sleep 0.01")).wait()
            ended.append(number)

        await asyncio.gather(*map(one, range(6)))
        return ended

    recorded = ways.record(_run(race))
    assert [ways.replay(_run(race)) for _ in range(5)] == [recorded] * 5


def test_eight_at_a_time_again_and_again(ways: Any) -> None:
    """Of many replays each gives the recorded outcomes, in the recorded order of the ends, and the same tape."""

    async def many() -> Any:
        free, ended = asyncio.Semaphore(8), []

        async def one(number: int) -> Any:
            async with free:
                child = await asyncio.create_subprocess_shell(f"echo {number}; exit {number % 7}", stdout=PIPE)
                out, _ = await child.communicate()
                ended.append(number)
                return out, child.returncode

        return await asyncio.gather(*map(one, range(40))), ended

    recorded = ways.record(_run(many))
    again = ways.tape.with_name("again.tape")
    for _ in range(20):
        assert ways.replay(_run(many), rerecord=again) == recorded
        assert again.read_bytes() == ways.tape.read_bytes()


def test_no_thread_waits_for_a_child(tmp_path: Path) -> None:
    """Asyncio is as it was afterwards; meanwhile a thread that waits would hand over the end at any moment."""
    before = getattr(asyncio, "ThreadedChildWatcher", None)
    handler = None if before is None else before.add_child_handler
    for way in (testbench.record, testbench.replay):
        with way(tmp_path / "t.tape"):
            assert asyncio.run(_threads_while_a_child_runs()) == 1
    assert before is None or before.add_child_handler is handler


async def _threads_while_a_child_runs() -> int:
    child = await asyncio.create_subprocess_exec("cat", stdin=PIPE)
    count = threading.active_count()
    await child.communicate(b"")
    return count
