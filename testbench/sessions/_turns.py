"""Keeping the turn: a lane that has been given an outcome runs on alone until it comes to rest.

Two lanes that have their outcomes one right after the other would else race for the next item of a queue, and the tape
does not say who won: while recording, whoever is first, and on replay, where all crossings are instant, the other. So
the next lane is let through only when no other is *running*: each has arrived at its next crossing, has ended, or
sleeps in the operating system (it waits for a lock of the program, say). One that computes for long is not waited for,
and one that a lock has let go of runs beside the others until it is noticed: races there are the program's own.

This holds in both modes, in the same places, so that a replay finds the order that was recorded. While only one lane
exists, nothing of it is used.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Final

from testbench.inplace import real
from testbench.sessions._lanes import Lane

_SLICE_S: Final = 0.0003
"""How long a lane may sleep at one place before it counts as resting; also how often one looks."""

_PATIENCE: Final = 150
"""How many slices one that computes is waited for, unless a mode says otherwise."""


class Turns:
    """Which lanes are running.

    Args:
        main: the lane that runs now.
        patience: how many slices a lane that computes is waited for.

    Attributes:
        holder: number of the lane that was let through last; it may take its next event without asking.
    """

    def __init__(self, main: Lane, patience: int = _PATIENCE) -> None:
        self.holder = main.number
        self._patience = patience
        self._running: dict[int, Lane] = {main.number: main}
        self._sleeping: dict[int, tuple[Lane, object]] = {}
        self._lock = real.allocate_lock()
        self._gates: list[Any] = []

    def begin(self, lane: Lane) -> None:
        """Note that a lane has been started, and runs towards its first event."""
        with self._lock:
            self._running[lane.number] = lane

    def rest(self, lane: Lane) -> None:
        """Note that a lane has arrived at an event, or has ended."""
        with self._lock:
            self._sleeping.pop(lane.number, None)
            if self._running.pop(lane.number, None) is not None:
                self._open_gates()

    def take(self, lane: Lane) -> None:
        """Wait until no other lane is running; then this one is."""
        seen: dict[int, object] = {}
        gate = real.allocate_lock()
        for left in range(self._patience, -1, -1):
            gate.acquire(False)
            others = self._others(lane, gate, last=not left)
            if not others:
                return
            if not real.acquire(gate, True, _SLICE_S):
                for other in others:
                    self._look(other, seen)

    def _others(self, lane: Lane, gate: Any, *, last: bool) -> list[Lane]:
        """Return the other lanes that run, and open the gate when one rests; where there is none, let this one run."""
        with self._lock:
            if gate in self._gates:
                self._gates.remove(gate)
            for number, (sleeper, place) in list(self._sleeping.items()):
                if _place(sleeper) != place:
                    del self._sleeping[number]
                    self._running[number] = sleeper
            others = [other for other in self._running.values() if other is not lane]
            if others and not last:
                self._gates.append(gate)
                return others
            if lane.number >= 0:
                self._running[lane.number] = lane
            self.holder = lane.number
            return []

    def _open_gates(self) -> None:
        while self._gates:
            self._gates.pop().release()

    def _look(self, lane: Lane, seen: dict[int, object]) -> None:
        """Let a lane that sleeps where it slept before count as resting."""
        place = _place(lane)
        if place is not None and seen.get(lane.number) == place and _sleeps(lane.native_id):
            with self._lock:
                if self._running.pop(lane.number, None) is not None:
                    self._sleeping[lane.number] = (lane, place)
                    self._open_gates()
        elif place is None and lane.ident and lane.ident not in sys._current_frames():
            self.rest(lane)
        seen[lane.number] = place


def _place(lane: Lane) -> object:
    """Return what changes whenever the thread of a lane runs at all: how often and how long it has; None at its end."""
    return _read(lane.native_id, "schedstat") if lane.ident else None


def _sleeps(native_id: int) -> bool:
    """Tell whether the operating system has a thread of ours sleeping, rather than ready to run."""
    return (_read(native_id, "stat") or b"").rpartition(b") ")[2][:1] in (b"S", b"D")


def _read(native_id: int, name: str) -> bytes | None:
    try:
        fd = real.open(f"/proc/self/task/{native_id}/{name}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None  # it has ended
    try:
        return real.read(fd, 512)
    except ProcessLookupError:
        return None
    finally:
        real.close(fd)
