"""Finding a program that reads a clock which stands still, again and again, until it is late: it never will be."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Final

from testbench.errors import RecordingError
from testbench.recorders.clock._virtual import VirtualClock

LOOK_EVERY: Final = 1_000_000
"""Reads after which one looks who reads."""

PATIENCE: Final = 5
"""How often it must be the same call of the same function, with no move of the clock in between."""

_OURS: Final = __package__.rpartition(".")[0]


class Spinning:
    """Counts the reads of one still clock.

    Args:
        virtual: the clock.
    """

    def __init__(self, virtual: VirtualClock) -> None:
        self._virtual = virtual
        self._reads = 0
        self._last: tuple[int, FrameType | None] = (-1, None)  # held, because an address is soon used again
        self._times = 0

    def watch(self, read: Callable[[], int | float]) -> Callable[[], int | float]:
        """Return a face of the clock that notices who reads it for ever.

        Raises (when it is read):
            RecordingError: the same call has read millions of times, and the clock never moved.
        """

        def watched() -> int | float:
            self._reads += 1
            if self._reads >= LOOK_EVERY:
                self._look(_reader(sys._getframe(1)))
            return read()

        return watched

    def _look(self, frame: FrameType) -> None:
        self._reads = 0
        now = (self._virtual.elapsed_ns, frame)
        self._times = self._times + 1 if now == self._last else 1
        self._last = now
        if self._times > PATIENCE:
            self._times = 0
            raise RecordingError(
                f"a wait that never ends: {threading.current_thread().name} has read the paused clock "
                f"{PATIENCE * LOOK_EVERY:,} times at {frame.f_code.co_filename}:{frame.f_lineno} in "
                f"{frame.f_code.co_qualname}, and nothing moves it. It moves by sleeping, by waiting with a "
                'timeout and by session.clock.advance(); wait in one of these ways, or record with clock="ticking".'
            )


def _reader(frame: FrameType) -> FrameType:
    """Return the frame of the program that reads, behind those of this package."""
    while frame.f_globals.get("__name__", "").startswith(_OURS) and frame.f_back is not None:
        frame = frame.f_back
    return frame
