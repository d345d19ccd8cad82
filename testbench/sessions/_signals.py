"""Signals that reach the program while it is recorded: their handlers run at moments that no replay repeats."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from testbench.inplace import real
from testbench.sessions._leaks import Leaks


@contextmanager
def signals_are_noted(leaks: Leaks) -> Iterator[None]:
    """List each signal whose Python handler ran as a leak, when the session ends.

    CPython writes the number of every signal that it has a handler for to the descriptor of ``signal.set_wakeup_fd``;
    only the main thread may set that, and where the program (an event loop, say) uses it itself, it keeps it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    read_end, write_end = map(real.aside, real.pipe())
    os.set_blocking(read_end, False)
    os.set_blocking(write_end, False)
    before = signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    if before != -1:
        signal.set_wakeup_fd(before)
    try:
        yield
    finally:
        _put_back(write_end, before)
        for number in sorted(set(_arrived(read_end))):
            leaks.note(f"signal.{_name(number)}", None, where="the handler ran at a moment that a replay cannot know")
        real.close(read_end)
        real.close(write_end)


def _put_back(ours: int, before: int) -> None:
    if threading.current_thread() is threading.main_thread():
        now = signal.set_wakeup_fd(-1)
        if now not in (ours, -1):
            signal.set_wakeup_fd(now)  # the program has set its own meanwhile
        elif before != -1:
            signal.set_wakeup_fd(before)


def _arrived(read_end: int) -> bytes:
    try:
        return real.read(read_end, 1 << 16)
    except BlockingIOError:
        return b""  # none


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)  # a real-time signal between the two that have names
