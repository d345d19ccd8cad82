"""Orders without a baton: lanes run beside one another, and at most their events are put in order.

This is what ``order="boundary"`` asks for, and recording in all relaxed orders: code that gives up the interpreter's
lock runs side by side again, and what lanes do to shared memory between their events is as repeatable as without us.
"""

from __future__ import annotations

from typing import Any

from testbench.sessions._baton import Baton
from testbench.sessions._lanes import Lane


class Unordered(Baton):
    """Nobody waits for anybody; the order of events is that in which they came (recording)."""

    def give_up(self, lane: Lane) -> None:
        """Do nothing: there is nothing to give up."""

    def goes_on(self, lane: Lane, *, pausing: bool) -> bool:
        """Tell that a lane may always go on."""
        return True

    def take(self, lane: Lane, turn: int | None = None, what: str = "") -> bool:
        """Go on at once."""
        return True

    def come_back(self, lane: Lane) -> None:
        """Go on at once."""

    def start(self, lane: Lane) -> None:
        """Let a new lane run at once."""


class Turns(Unordered):
    """A lane waits, where an event is, until that is its own (replaying)."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.holder = None  # nobody ever holds it

    def moved(self) -> None:
        """Be told that another event is next."""
        with self._mutex:
            self._next()

    def _next(self) -> None:
        left = len(self._outside) + 1
        while len(self._outside) < left:
            left = len(self._outside)
            super()._next()
        self.holder = None
