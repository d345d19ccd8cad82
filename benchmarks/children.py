"""Many children at a time, from a thread pool and from asyncio; one child of asyncio; ``os.system``: all three ways."""

from __future__ import annotations

import asyncio
import os
import subprocess
import tempfile
from asyncio.subprocess import PIPE
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from _table import at_least, beside, best_ns

import testbench

CHILDREN = 200
AT_A_TIME = 8
ARGV = ["git", "--version"]


def main() -> None:
    """Measure each way to start children as it is, recorded and replayed."""
    compare(f"{CHILDREN} children, {AT_A_TIME} at a time, from asyncio", lambda: asyncio.run(many()), rounds=3)
    compare("create_subprocess_exec and communicate", lambda: asyncio.run(one()), rounds=30)
    compare("os.system", lambda: os.system("true"), rounds=50, goal=20)
    compare(f"{CHILDREN} children, {AT_A_TIME} at a time, from a thread pool", in_threads, rounds=3)


def compare(name: str, work: Callable[[], object], *, rounds: int, goal: float | None = None) -> None:
    """Print how many times faster the replay is, and what recording costs; the shortest of some rounds counts."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "children.tape"
        plain = best_ns(work, rounds)
        with testbench.record(path):
            recorded = best_ns(work, rounds)
        with testbench.replay(path):
            replayed = best_ns(work, rounds)
    told = f"replaying {name}, times faster"
    if goal is None:
        beside(told, plain / replayed)
    else:
        at_least(told, plain / replayed, goal)
    beside("    recording, times the plain one", recorded / plain)


def in_threads() -> None:
    """Run them from a pool of threads."""
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        list(pool.map(lambda _: subprocess.run(ARGV, capture_output=True), range(CHILDREN)))


async def many() -> None:
    """Run them from one event loop."""
    free = asyncio.Semaphore(AT_A_TIME)

    async def next_one() -> None:
        async with free:
            await one()

    await asyncio.gather(*(next_one() for _ in range(CHILDREN)))


async def one() -> None:
    """Run one child and read what it says."""
    child = await asyncio.create_subprocess_exec(*ARGV, stdout=PIPE, stderr=PIPE)
    await child.communicate()


if __name__ == "__main__":
    main()
