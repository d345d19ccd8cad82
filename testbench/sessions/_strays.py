"""Strays: lanes that have lost the baton and run beside the others, and whether a replay may differ for it.

It may where a stray runs code of the program before its next crossing. An event loop that falls asleep in the operating
system does not: the first thing that it does afterwards is to read the clock, which is a crossing.
"""

from __future__ import annotations

import sys
from types import CodeType, FrameType
from typing import Final

import attrs

from testbench.sessions._asleep import COMPUTED, SLEPT
from testbench.sessions._lanes import Lane
from testbench.sessions._leaks import Leaks
from testbench.where import user_frame, user_line

UNORDERED: Final = "lane.unordered"
"""The leak of a lane that ran beside others: what they did to shared memory meanwhile is in no order that repeats."""

_ADVICE: Final = {
    SLEPT: "it slept here in a call that nobody records, and ran on beside other lanes; mark the function that makes "
    "this call with @testbench.boundary",
    COMPUTED: "it computed here for long while other lanes waited, and ran on beside them; let it make a crossing now "
    "and then, time.sleep(0) say, or mark the function that computes with @testbench.boundary",
}


@attrs.frozen(eq=False)
class Stray:
    """Where a lane was when it lost the baton, and why it did."""

    why: str
    code: CodeType | None
    instruction: int
    where: str


class Strays:
    """The strays of one recording.

    Args:
        leaks: where those are listed that matter.
    """

    def __init__(self, leaks: Leaks) -> None:
        self._leaks = leaks
        self._out: set[Lane] = set()

    def lost(self, lane: Lane, why: str) -> None:
        """Be told, by another thread, that a lane has lost the baton."""
        frame = sys._current_frames().get(lane.ident)
        if frame is not None:
            lane.stray = Stray(why, *_place(frame), user_line(frame))
            self._out.add(lane)

    def back(self, lane: Lane) -> None:
        """Be told, in its own thread, that a stray asks for the baton again, or has ended."""
        self._out.discard(lane)
        self._judge(lane, sys._getframe())

    def end(self) -> None:
        """Be told that the recording ends: a stray that asks for nothing more has run on all the same."""
        frames = sys._current_frames()
        out, self._out = self._out, set()
        for lane in out:
            if lane.ident in frames:
                self._judge(lane, frames[lane.ident])

    def _judge(self, lane: Lane, frame: FrameType) -> None:
        stray, lane.stray = lane.stray, None
        if stray is not None and _place(frame) != (stray.code, stray.instruction):
            self._leaks.note(UNORDERED, {"lane": lane.name}, stray.where, _ADVICE[stray.why])


def _place(frame: FrameType) -> tuple[CodeType | None, int]:
    found = user_frame(frame)
    return (None, 0) if found is None else (found.f_code, found.f_lasti)
