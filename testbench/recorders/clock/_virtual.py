"""Clocks that the clock recorder reads instead of the world's while recording: one stands still, one ticks.

Both can be moved by hand: `advance` and `travel_to`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from testbench.errors import UsageError
from testbench.inplace import real
from testbench.recorders.clock._alarms import Alarms

if TYPE_CHECKING:
    from testbench.recorders.clock._still import StillWaits

START_NS: Final = 1_767_225_600_000_000_000
"""2026-01-01T00:00:00Z in nanoseconds since 1970-01-01T00:00:00Z."""

UP_NS: Final = 86_400_000_000_000
"""How long the imaginary machine has been running when the clock starts: one day, for `monotonic` and `perf_counter`.

Why not 0: programs write ``if not self._started`` and ``last = 0``, which no real machine takes for the present.
"""

_SECOND_NS: Final = 1_000_000_000


class VirtualClock:
    """One clock behind every face: only sleeping, and whoever calls `advance` or `travel_to`, makes it move.

    Wall time is the start plus what has elapsed. Monotonic time and the performance counter begin at one day and elapse
    likewise. The processor times of the process and its threads are always 0. The local time zone is the machine's own;
    set TZ where that must not differ.

    Args:
        start_ns: wall time at the start, in nanoseconds since 1970-01-01T00:00:00Z.

    Attributes:
        still: whether it moves only when it is moved; sleeping and waiting then take no time.
        alarms: the timers that ring when it moves past them; on a clock that ticks they are the world's.
        waits: who waits on it, once a session has begun.
        seen: called when the program reads it.
    """

    still = True

    def __init__(self, start_ns: int = START_NS) -> None:
        self.start_ns = start_ns
        self._moved_ns = 0
        self._set_back_ns = 0
        self._lock = real.Mutex()
        self.alarms = Alarms(lambda: self.elapsed_ns)
        self.waits: StillWaits | None = None
        self.seen: Callable[[], None] = lambda: None

    @property
    def elapsed_ns(self) -> int:
        """How long it has been running."""
        return self._moved_ns

    def now_ns(self) -> int:
        """Return the wall time, in nanoseconds since 1970-01-01T00:00:00Z."""
        self.seen()
        return self.start_ns + self.elapsed_ns - self._set_back_ns

    def monotonic_ns(self) -> int:
        """Return the monotonic time in nanoseconds."""
        self.seen()
        return UP_NS + self.elapsed_ns

    def advance(self, ns: int) -> None:
        """Let ``ns`` nanoseconds elapse.

        Raises:
            UsageError: ``ns`` is negative.
        """
        if ns < 0:
            raise UsageError(
                f"a clock cannot be advanced by {ns} ns; time elapses forwards only. Use travel_to to set it back."
            )
        self.reach(self.elapsed_ns + ns)

    def elapse(self, seconds: float) -> None:
        """Let a timeout elapse, and so much more that whoever reads the clock as a double sees that it is over.

        Who waits and then looks whether it is too late, as event loops and futures do, would else look for ever.
        """
        self.reach(self.elapsed_ns + self.past(seconds))

    def lasting(self) -> Callable[[float], None]:
        """Begin a wait that is real; return what lets a timeout of it elapse, as far as it has not meanwhile."""
        begun_ns = self.elapsed_ns
        return lambda seconds: self.reach(begun_ns + self.past(seconds))

    def past(self, seconds: float) -> int:
        """Return the nanoseconds after which a timeout has elapsed so."""
        return math.ceil((seconds + math.ulp(self.monotonic_ns() / _SECOND_NS + seconds)) * _SECOND_NS)

    def reach(self, elapsed_ns: int) -> None:
        """Let time elapse until it has been running for so long; nothing happens if it has already.

        Alarms on the way ring, each at its own time.
        """
        while (due_ns := self.alarms.due_ns) is not None and due_ns <= elapsed_ns:
            self._go_on_to(due_ns)
            self.alarms.ring()
        self._go_on_to(elapsed_ns)

    def _go_on_to(self, elapsed_ns: int) -> None:
        with self._lock:
            self._moved_ns += max(0, elapsed_ns - self.elapsed_ns)

    def travel_to(self, wall_ns: int) -> None:
        """Go to a wall time: forwards time elapses until then; backwards, the wall clock alone is set back."""
        ahead_ns = wall_ns - self.now_ns()
        if ahead_ns >= 0:
            self.advance(ahead_ns)
        else:
            with self._lock:
                self._set_back_ns -= ahead_ns

    def face(self, name: str) -> Callable[[], int | float] | None:
        """Return the function that stands for ``time.<name>``, such as ``monotonic`` or ``time_ns``; None for the real.

        Seconds are computed as CPython does (``Python/pytime.c``): the nanoseconds as a double, divided once.
        """
        read_ns = self._read_ns(name.removesuffix("_ns"))
        if read_ns is None or name.endswith("_ns"):
            return read_ns
        return lambda: read_ns() / _SECOND_NS

    def _read_ns(self, name: str) -> Callable[[], int] | None:
        if name == "time":
            return self.now_ns
        if name in ("monotonic", "perf_counter"):
            return self.monotonic_ns
        return self._no_time_ns if self.still else None

    def _no_time_ns(self) -> int:
        self.seen()
        return 0


class TickingClock(VirtualClock):
    """A clock that begins where it is told to, and goes on at the pace of the real one.

    Sleeping and waiting take their time, and so do processors.
    """

    still = False

    def __init__(self, start_ns: int = START_NS) -> None:
        super().__init__(start_ns)
        self._begun_ns = real.monotonic_ns()

    @property
    def elapsed_ns(self) -> int:
        """How long it has been running."""
        return real.monotonic_ns() - self._begun_ns + self._moved_ns
