"""Tasks of asyncio in reports: which one a thread runs, and where the others are suspended.

They have no lanes: one of a thread runs at a time, and what makes the loop go on are events. So a tape does not name
them, and to read a clock costs nothing more; a report looks for them when it is made. What asyncio calls ``Task-N``
counts on through the whole process; here it is counted from the eldest of its loop that still lives, mostly the one
that ``asyncio.run`` was given, so that the number repeats.
"""

from __future__ import annotations

import re
import sys
from types import FrameType
from typing import Any, Final

import attrs

from testbench.where import is_users, place

_DEFAULT: Final = re.compile(r"Task-(\d+)")
_AWAITED: Final = (("cr_frame", "cr_await"), ("gi_frame", "gi_yieldfrom"), ("ag_frame", "ag_await"))


@attrs.frozen
class Tasks:
    """The tasks of the event loop that a thread runs.

    Attributes:
        running: the name of the one that runs now; empty if none does.
        suspended: the names of the others in the order of their names, and where each waits in the user's code.
    """

    running: str = ""
    suspended: tuple[tuple[str, str], ...] = ()


def tasks_of(frame: FrameType | None) -> Tasks | None:
    """Return the tasks of the thread that a frame belongs to, None if it runs no event loop of asyncio."""
    loop = _loop_of(frame)
    if loop is None:
        return None
    asyncio: Any = sys.modules["asyncio"]
    running, found = asyncio.current_task(loop), asyncio.all_tasks(loop)
    numbers = {task: int(match[1]) for task in found if (match := _DEFAULT.fullmatch(task.get_name()))}
    first = min(numbers.values(), default=1)

    def named(task: Any) -> str:
        return f"task {numbers[task] - first + 1}" if task in numbers else f"task {task.get_name()!r}"

    others = sorted(found - {running}, key=lambda task: (numbers.get(task, 0), task.get_name()))
    return Tasks(
        "" if running is None else named(running), tuple((named(task), _where(task.get_coro())) for task in others)
    )


def _loop_of(frame: FrameType | None) -> Any:
    module: Any = sys.modules.get("asyncio.base_events")
    code = None if module is None else module.BaseEventLoop._run_once.__code__
    while frame is not None and frame.f_code is not code:
        frame = frame.f_back
    return None if frame is None else frame.f_locals["self"]


def _where(waiting: Any) -> str:
    """Return the innermost place in the user's code in a chain of coroutines, each of which awaits the next."""
    where = ""
    while waiting is not None:
        frame_name, next_name = next((names for names in _AWAITED if hasattr(waiting, names[0])), ("", ""))
        frame = getattr(waiting, frame_name, None)
        if frame is not None and (not where or is_users(frame)):
            where = place(frame)
        waiting = getattr(waiting, next_name, None)
    return where or "unknown"
