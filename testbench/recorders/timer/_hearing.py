"""Hearing that a signal has come, without ``pause``, which waits for ever: by the descriptor that C code writes to."""

from __future__ import annotations

import math
import os
import select
import threading
from collections.abc import Callable
from typing import Final

from testbench.inplace import real

_READ: Final = 4096


def hearing(wait: Callable[[Callable[[float], bool]], None], otherwise: Callable[[], object]) -> None:
    """Wait in a way that can look whether a signal has come for which there is a handler.

    Args:
        wait: given what looks for so many seconds.
        otherwise: called instead where this thread is not told of signals, because it is not the main one.
    """
    if threading.current_thread() is not threading.main_thread():
        otherwise()
        return
    read_end, write_end = map(real.aside, real.pipe())
    os.set_blocking(read_end, False)
    os.set_blocking(write_end, False)
    before = real.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    try:
        wait(lambda seconds: real.wait_ready(read_end, select.POLLIN, math.ceil(seconds * 1000)))
    finally:
        real.set_wakeup_fd(before)
        if before >= 0 and real.wait_ready(read_end, select.POLLIN, 0):
            real.write(before, real.read(read_end, _READ))  # who listened there hears of it too
        real.close(read_end)
        real.close(write_end)
