"""Programs with tasks of asyncio that leave their tape; run as ``python diverging_tasks.py NAME``, prints the report.

In a process of their own, since an event loop that cannot go on leaves coroutines behind that complain when they die.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import testbench
from testbench import boundary

Program = Callable[[], Coroutine[Any, Any, Any]]


@boundary
def ask(what: Any) -> Any:
    """Give back what was asked."""
    return what


def group(*asked: Any) -> Program:
    """Let each of some tasks ask for one thing; a text is also the name of its task."""

    async def one(what: Any) -> None:
        await asyncio.sleep(0)
        ask(what)

    async def main() -> None:
        async with asyncio.TaskGroup() as tasks:
            for what in asked:
                tasks.create_task(one(what), name=what if isinstance(what, str) else None)

    return main


def waiting(*, is_set: bool) -> Program:
    """Let fifteen tasks wait for an event."""

    async def wait(event: asyncio.Event) -> None:
        await event.wait()
        ask("go")

    async def main() -> None:
        event = asyncio.Event()
        tasks = [asyncio.create_task(wait(event)) for _ in range(15)]
        await asyncio.sleep(0.001)
        if is_set:
            event.set()
        await asyncio.gather(*tasks)

    return main


def blocked(*, released: bool) -> Program:
    """Wait, in a task, for a lock that another thread releases."""

    async def main() -> None:
        lock = threading.Lock()
        lock.acquire()

        def work() -> None:
            ask("work")
            if released:
                lock.release()

        thread = threading.Thread(target=work)
        thread.start()
        lock.acquire()
        thread.join()

    return main


PROGRAMS: dict[str, tuple[Program, Program]] = {
    "numbered": (group(1, 2, 3), group(1, 2, 4)),
    "named": (group("one", "two"), group("one", "three")),
    "waiting": (waiting(is_set=True), waiting(is_set=False)),
    "blocked": (blocked(released=True), blocked(released=False)),
}
"""What is recorded, and what is replayed."""


def main() -> None:
    """Record the first of a pair and replay the second, when the process has had tasks before."""
    recorded, replayed = PROGRAMS[sys.argv[1]]
    with tempfile.TemporaryDirectory() as folder:
        tape = Path(folder) / "a.tape"
        with testbench.record(tape):
            asyncio.run(recorded())
        asyncio.run(group(1, 2, 3)())
        try:
            with testbench.replay(tape):
                asyncio.run(replayed())
        except testbench.DivergenceError as error:
            sys.stdout.write(json.dumps({"report": error.report.as_data(), "text": str(error)}, default=repr))


if __name__ == "__main__":
    main()
