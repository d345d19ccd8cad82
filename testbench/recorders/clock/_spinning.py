"""Finding a program that reads a clock which stands still, again and again, until it is late: it never will be."""

from __future__ import annotations

import dis
import sys
import threading
from types import CodeType, FrameType
from typing import Final

import attrs

from testbench.inplace import real
from testbench.recorders.clock._endless import never_ends
from testbench.recorders.clock._virtual import VirtualClock

LOOK_EVERY: Final = 1_000_000
"""Reads after which one looks who reads."""

PATIENCE: Final = 12
"""After how many looks, with no move of the clock in between, it is endless."""

LONG_NS: Final = 30_000_000_000
"""Or after how long, where reading is slow because each read does more."""

_IN_FOR: Final = 8
"""How much longer it takes in a ``for`` loop, which mostly ends by itself."""

_OURS: Final = __package__.rpartition(".")[0]


@attrs.define
class _Streak:
    """Looks at one thread since the clock has moved last.

    Attributes:
        elapsed_ns: where the clock stands.
        begun_ns: real time of the first look.
        calls: the calls that have lasted all the time, the outermost first.
        looks: how many.
    """

    elapsed_ns: int
    begun_ns: int
    calls: list[FrameType]
    looks: int = 1


class Spinning:
    """Counts the reads of one still clock.

    Args:
        virtual: the clock.
    """

    def __init__(self, virtual: VirtualClock) -> None:
        self._virtual = virtual
        self._reads = 0
        self._streaks: dict[int, _Streak] = {}

    def read(self) -> None:
        """Be told of a read of the clock, by whatever face.

        Raises:
            RecordingError: the same call has read, itself or by others, millions of times, and the clock never moved.
        """
        self._reads += 1
        if self._reads >= LOOK_EVERY:
            self._reads = 0
            self._look(_calls(sys._getframe(1)))

    def _look(self, calls: list[FrameType]) -> None:
        ident, now_ns, elapsed_ns = real.get_ident(), real.monotonic_ns(), self._virtual.elapsed_ns
        streak = self._streaks.get(ident)
        if streak is None or streak.elapsed_ns != elapsed_ns:
            self._streaks = {other: found for other, found in self._streaks.items() if found.elapsed_ns == elapsed_ns}
            self._streaks[ident] = _Streak(elapsed_ns, now_ns, calls)
            return
        streak.calls = [call for call, before in zip(calls, streak.calls, strict=False) if call is before]
        streak.looks += 1
        spins = streak.calls[-1] if streak.calls else calls[-1]
        patience = PATIENCE * (_IN_FOR if _is_in_for(spins.f_code, spins.f_lasti) else 1)
        is_slow = patience == PATIENCE and streak.looks > 2 and now_ns - streak.begun_ns > LONG_NS
        if streak.looks > patience or is_slow:
            looks = self._streaks.pop(ident).looks
            raise never_ends(
                f"{threading.current_thread().name} has read the paused clock "
                f"{(looks - 1) * LOOK_EVERY:,} times at {spins.f_code.co_filename}:{spins.f_lineno} in "
                f"{spins.f_code.co_qualname}, and nothing moves it. It moves by sleeping, by waiting with a "
                'timeout and by session.clock.advance(); wait in one of these ways, or record with clock="ticking".'
            )


def _calls(frame: FrameType | None) -> list[FrameType]:
    """Return the calls of the program that are under way, behind those of this package, the outermost first."""
    while frame is not None and frame.f_globals.get("__name__", "").startswith(_OURS):
        frame = frame.f_back
    found = []
    while frame is not None:
        found.append(frame)
        frame = frame.f_back
    return found[::-1]


def _is_in_for(code: CodeType, at: int) -> bool:
    """Tell whether the innermost loop around an instruction is a ``for``."""
    steps = {step.offset: step for step in dis.get_instructions(code)}
    jumps = [step for step in steps.values() if "JUMP" in step.opname and isinstance(step.argval, int)]
    around = [jump.argval for jump in jumps if jump.argval <= at <= jump.offset]
    return bool(around) and steps[max(around)].opname == "FOR_ITER"
