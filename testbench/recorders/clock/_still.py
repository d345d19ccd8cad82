"""Waiting on a clock that stands still: it takes no time, and whoever has the earliest deadline is first.

Time jumps to the earliest deadline as soon as nothing else can happen before it: each other thread of the program waits
as well. One that computes, or does real work (a child, a socket), is waited for, because it may be what ends a wait. A
sleep ends by itself: for a sleep it is enough that the others are not running. An alarm is a deadline too.

A wait without a timeout, which nothing can end any more, is found in the same way: nothing else can happen, and there
is no deadline.
"""

from __future__ import annotations

import _thread
import platform
import sys
from collections.abc import Callable
from typing import Final

import attrs

from testbench.inplace import real, threads
from testbench.inplace.own import OWN_TASKS, OWN_THREADS
from testbench.recorders.clock._endless import endless
from testbench.recorders.clock._virtual import VirtualClock

_FUTEX: Final = {"x86_64": b"202 ", "aarch64": b"98 "}.get(platform.machine(), b"?")
"""How ``/proc/self/task/*/syscall`` begins for a thread that waits for a lock (futex(2))."""

_NEVER: Final = 1 << 100

_SURE: Final = 300
"""How often to look once more, 0.1 s at least, before a wait is told to be endless: on a busy machine a thread can want
the interpreter's lock for long, and look as if it rested."""

_MANY: Final = 3000
_LONG_S: Final = 0.02
"""After so many looks a wait is a real one, and looks less often."""

Attempt = Callable[[float], bool]
"""Waits for something really, for so many seconds, and tells whether it came."""


@attrs.define(eq=False)
class _Waiter:
    """One wait that is under way.

    Attributes:
        due_ns: when it ends at the latest.
        looks: how often it has looked since it began.
        quiet: how often since it has seen another thread move.
    """

    due_ns: int
    looks: int = 0
    quiet: int = 0


@attrs.frozen
class _Around:
    """What the other threads of the program do: where those are that do not wait here, and how often others looked."""

    places: dict[str, bytes]
    looks: dict[_Waiter, int]

    def differs(self, before: _Around) -> bool:
        """Tell whether another thread has moved since, or has begun or ended to wait here."""
        return self.places != before.places or self.looks.keys() != before.looks.keys()


class StillWaits:
    """All waits of the threads of a program on one still clock.

    Threads that were there before, except the one that makes this, are not the program's: they wait really.

    Args:
        virtual: the clock.
    """

    def __init__(self, virtual: VirtualClock) -> None:
        self._virtual = virtual
        self._waiters: dict[str, _Waiter] = {}
        self._foreign = threads.places().keys()
        self._strangers = sys._current_frames().keys() - OWN_THREADS - {real.get_ident()}

    def is_foreign(self) -> bool:
        """Tell whether the running thread is none of the program's."""
        return bool(self._foreign) and str(_thread.get_native_id()) in self._foreign

    def past(self, seconds: float) -> int:
        """Return the nanoseconds of a timeout; see `VirtualClock.past`."""
        return self._virtual.past(seconds)

    def sleep(self, ns: int) -> None:
        """Let time elapse; other threads may wake up earlier."""
        self._wait(ns, lambda seconds: bool(real.sleep(seconds)), ends_by_itself=True)

    def wait(self, ns: int, attempt: Attempt) -> bool:
        """Wait for something, and tell whether it came before so much time has elapsed.

        Args:
            ns: how long at most.
            attempt: see `Attempt`.
        """
        return attempt(0) or self._wait(ns, attempt, ends_by_itself=False)

    def wait_for_ever(self, attempt: Attempt, what: str) -> None:
        """Wait for something until it comes.

        Args:
            attempt: see `Attempt`.
            what: what for, in words.

        Raises:
            RecordingError: it never will.
        """
        if not attempt(0):
            self._wait(None, attempt, ends_by_itself=False, what=what)

    def _wait(self, ns: int | None, attempt: Attempt, *, ends_by_itself: bool, what: str = "") -> bool:
        own = str(_thread.get_native_id())
        waiter = _Waiter(_NEVER if ns is None else self._virtual.elapsed_ns + ns)
        until_ns = _NEVER if ns is None else real.monotonic_ns() + ns
        seen = None
        before = self._waiters.get(own)  # a signal handler may wait while its thread does
        self._waiters[own] = waiter
        try:
            while self._virtual.elapsed_ns < waiter.due_ns:
                now = self._around(own)
                if self._is_next(waiter, now, seen, ends_by_itself) or real.monotonic_ns() >= until_ns:
                    seen = None
                    if self._never_ends(waiter, own):
                        if any(attempt(threads.SLICE_S) for _ in range(_SURE)):
                            return True
                        if not self._never_ends(waiter, own):
                            continue
                    # What the last thread did before it ended came after the last look.
                    if not ends_by_itself and attempt(0):
                        return True
                    self._go_on(waiter, what)
                    if self._virtual.elapsed_ns >= waiter.due_ns:
                        break
                elif seen is None or now.differs(seen):
                    seen, waiter.quiet = now, -1
                waiter.quiet += 1
                if attempt(threads.SLICE_S if waiter.looks < _MANY else _LONG_S) and not ends_by_itself:
                    return True
                waiter.looks += 1
            return False
        finally:
            if before is None:
                del self._waiters[own]
            else:
                self._waiters[own] = before

    def _never_ends(self, waiter: _Waiter, own: str) -> bool:
        """Tell whether nothing is known that would end a wait."""
        known = self._virtual.alarms.due_ns is not None or any(
            other.due_ns < _NEVER for other in self._around(own).looks
        )
        return waiter.due_ns == _NEVER and not known

    def _go_on(self, waiter: _Waiter, what: str) -> None:
        """Let time elapse until the next thing happens: the next alarm rings, or a wait has lasted long enough."""
        alarm_ns = self._virtual.alarms.due_ns
        if alarm_ns is not None and alarm_ns <= waiter.due_ns:
            self._virtual.reach(alarm_ns)
        elif waiter.due_ns < _NEVER:
            self._virtual.reach(waiter.due_ns)
        elif not self._strangers & sys._current_frames().keys():
            endless(what)

    def _around(self, own: str) -> _Around:
        waiters = dict(self._waiters)
        del waiters[own]
        known = {*waiters, *self._foreign, *OWN_TASKS}
        others = {task: place for task, place in threads.places().items() if task not in known}
        return _Around(others, {other: other.looks for other in waiters.values()})

    def _is_next(self, waiter: _Waiter, now: _Around, before: _Around | None, ends_by_itself: bool) -> bool:
        """Tell whether nothing can happen before this one's deadline."""
        if any(other.due_ns < waiter.due_ns for other in now.looks):
            return False
        if before is None:
            return not now.places and not now.looks
        # A thread that wants the interpreter's lock rests likewise, until this one has let go of that often enough.
        if now.differs(before) or waiter.quiet < len(now.places) + len(OWN_TASKS):
            return False
        # Another waiter may have got what it waits for and not know yet: it must have looked since.
        if any(looks < before.looks.get(other, looks) + 2 for other, looks in now.looks.items()):
            return False
        return all(_rests(task, ends_by_itself) for task in now.places)


def _rests(task: str, in_any_way: bool) -> bool:
    """Tell whether a thread waits: for a lock, or for anything at all."""
    state = (threads.read(task, "stat") or b"").rpartition(b") ")[2][:1]
    if state not in (b"S", b"D", b""):
        return False
    return in_any_way or not state or (threads.read(task, "syscall") or b"").startswith(_FUTEX)
