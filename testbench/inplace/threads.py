"""Whether the other threads of the process do anything: asked of the operating system, which knows.

Needs ``/proc`` (proc(5)); where there is none, no thread is ever seen.
"""

from __future__ import annotations

import _thread
import os
from typing import Final

from testbench.inplace import real

SLICE_S: Final = 0.0003
"""How long a thread must have done nothing to be taken for resting; meanwhile whoever can run does."""

_TASKS: Final = "/proc/self/task"

_THREAD_CLOCK: Final = 6  # CPUCLOCK_PERTHREAD_MASK | CPUCLOCK_SCHED


def places() -> dict[str, bytes]:
    """Return for each other thread what changes whenever it runs at all: how long it has, and how often."""
    own = str(_thread.get_native_id())
    found: dict[str, bytes] = {}
    for task in tasks():
        if task != own and (place := read(task, "schedstat")) is not None:
            found[task] = place
    return found


def tasks() -> list[str]:
    """Return the ids of all threads, as the operating system names them; none where it does not tell.

    Linux ends a listing early at a thread that ends meanwhile (``next_tid`` in ``fs/proc/base.c``), which the next one
    does not have any more: only two that agree are whole.
    """
    try:
        listed = real.listdir(_TASKS)
        while (again := real.listdir(_TASKS)) != listed:
            listed = again
    except OSError:
        return []
    return listed


def ran_ns(task: int) -> int | None:
    """Return how many nanoseconds a thread has run so far, None when it has ended or the system does not tell.

    By its clock of processor time, so without a file: while one is open, the program would get another descriptor than
    usual. Linux makes the number of the clock from that of the thread (``include/linux/posix-timers.h``).
    """
    try:
        return real.clock_gettime_ns(~task << 3 | _THREAD_CLOCK) if task > 0 else None
    except OSError:
        return None


def is_there() -> bool:
    """Tell whether the system tells anything about threads."""
    try:
        real.stat(_TASKS)
    except OSError:
        return False
    return True


def read(task: str, name: str) -> bytes | None:
    """Return what is in a file about a thread, None when the thread has ended or the file may not be read."""
    try:
        fd = real.open(f"{_TASKS}/{task}/{name}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return real.read(fd, 512)
    except OSError:
        return None
    finally:
        real.close(fd)
