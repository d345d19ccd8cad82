"""What each lane does when a replay fails, and each task that is suspended: what it waits for, where in the code."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final

from testbench.sessions._lanes import Lanes
from testbench.sessions._vigil import Wait
from testbench.tasks import Tasks, tasks_of
from testbench.where import library_function, user_line

Scene = list[dict[str, str]]
"""One row for each lane: ``name``, ``waits_for``, ``where``."""

_OWNER: Final = re.compile(r"owner=(\d+)")  # in the repr of a `_thread.RLock`
_THINGS: Final = {"lock": "a lock", "RLock": "a lock", "SimpleQueue": "an item in a queue", "_ThreadHandle": "a thread"}


_TASKS: Final = 12
"""So many tasks of a thread are shown."""


def scene(lanes: Lanes, asking: str, called: str, *, tasks: bool = True, shown: Callable[[str], str] = str) -> Scene:
    """Return what the lanes do now, and threads that have none; empty where there is only one of them all.

    Args:
        lanes: the lanes.
        asking: the name of the one with which the replay fails.
        called: what that has called.
        tasks: show suspended tasks of asyncio too.
        shown: takes secrets out of the name of a task.
    """
    frames = sys._current_frames()
    found = []
    for ident, name, lane in lanes.present(frames):
        wait = None if lane is None else lane.waits[-1] if lane.waits else lane.in_vain
        if wait is not None:
            waits_for = _waited_for(lanes, wait, library_function(frames[ident]))
        else:
            waits_for = f"nothing: it has called {called}" if called and name == asking else "nothing: it runs"
        loop = tasks_of(frames[ident])
        task = f" ({shown(loop.running)})" if loop is not None and loop.running else ""
        found.append({"name": name, "waits_for": waits_for, "where": user_line(frames[ident]) + task})
        if tasks and loop is not None:
            found += _suspended(name, loop, shown)
    return found if len(found) > 1 or not lanes.single else []


def _suspended(lane: str, loop: Tasks, shown: Callable[[str], str]) -> Iterator[dict[str, str]]:
    tasks = loop.suspended
    for name, where in tasks[:_TASKS]:
        yield {"name": f"{lane}, {shown(name)}", "waits_for": "its event loop", "where": where}
    if len(tasks) > _TASKS:
        yield {
            "name": f"{lane}, {len(tasks) - _TASKS} more tasks",
            "waits_for": "their event loop",
            "where": tasks[-1][1],
        }


def _waited_for(lanes: Lanes, wait: Wait, library: str) -> str:
    if wait.key is None:
        return f"its turn to call {wait.what}" if wait.what else "its turn"
    if isinstance(wait.what, str):
        return wait.what
    return _thing(lanes, wait.what) + (f" ({library})" if library else "")


def _thing(lanes: Lanes, what: Any) -> str:
    """Return a lock, queue or thread in words; whose it is, where that is known."""
    owner = lanes.whose_end(what)
    if owner is not None:
        return f"the end of {owner.name}"
    thing = _THINGS.get(type(what).__name__, "something")
    match = _OWNER.search(repr(what)) if type(what).__name__ == "RLock" else None
    held_by = lanes.of_thread(int(match[1])) if match else None
    return f"{thing} that {held_by.name} holds" if held_by is not None else thing
