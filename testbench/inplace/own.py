"""Threads of our own: they are no lanes of anybody, and the program does not count them."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the function itself; that of signal calls it
import _thread
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final

from testbench.inplace import Redirect
from testbench.inplace.real import get_ident, start_new_thread

_block: Final = _signal.pthread_sigmask

OWN_THREADS: Final[set[int]] = set()
"""Their idents, while they run."""

OWN_TASKS: Final[set[str]] = set()
"""Their ids of the operating system, as ``/proc/self/task`` lists them."""


def start_own_thread(function: Callable[[], None]) -> None:
    """Run a function in a thread that `threading` does not list, nor `hide_own_threads` let the program count."""
    # It inherits the mask. A signal to the process that the program blocks must not find a thread that does not.
    before = _block(_signal.SIG_BLOCK, _signal.valid_signals())
    try:
        start_new_thread(_run, (function,))
    finally:
        _block(_signal.SIG_SETMASK, before)


def hide_own_threads(stack: ExitStack) -> None:
    """Keep them out of ``_thread._count()``, by which tests look for threads that were left behind."""
    count = Redirect(_thread._count)
    stack.push(count)
    count.to(lambda: count.original() - len(OWN_THREADS))


def _run(function: Callable[[], None]) -> None:
    ident, task = get_ident(), str(_thread.get_native_id())
    OWN_THREADS.add(ident)
    OWN_TASKS.add(task)
    try:
        function()
    finally:
        OWN_TASKS.discard(task)
        OWN_THREADS.discard(ident)
