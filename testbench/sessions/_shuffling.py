"""Another legal order on each replay: who goes on next is drawn, again and again, from all who may."""

from __future__ import annotations

from typing import Final

from testbench.sessions._baton import Baton
from testbench.sessions._lanes import Lane
from testbench.sessions._vigil import Wait

_64_BITS: Final = (1 << 64) - 1


class Shuffled(Baton):
    """A baton that goes to any lane that could run; the same lanes in the same order for the same seed.

    Each lane keeps the order of its own events, and locks are respected: what comes out is a run that the program
    could have had. At every event all others are asked first.
    """

    seed = 0

    def goes_on(self, lane: Lane, *, pausing: bool) -> bool:
        """Tell that a lane never goes on without asking."""
        return self.over

    def _pick(self, ready: list[Wait], outside: list[Wait]) -> Wait | None:
        may = [*ready, *self._candidates(outside)]
        return may[self._draw() % len(may)] if len(may) > 1 else next(iter(may), None)

    def _draw(self) -> int:
        """Return a number as good as random; `random` itself is the program's, and recorded."""
        self.seed = (self.seed + 0x9E3779B97F4A7C15) & _64_BITS
        mixed = ((self.seed ^ (self.seed >> 30)) * 0xBF58476D1CE4E5B9) & _64_BITS
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _64_BITS  # SplitMix64 (Steele, Lea, Flood 2014)
        return mixed ^ (mixed >> 31)
