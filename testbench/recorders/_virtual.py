"""A clock that stands still: what the clock recorder reads instead of the world when time is pinned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from testbench.errors import UsageError
from testbench.inplace.real import allocate_lock

START_NS: Final = 1_767_225_600_000_000_000
"""2026-01-01T00:00:00Z in nanoseconds since 1970-01-01T00:00:00Z."""

UP_NS: Final = 86_400_000_000_000
"""How long the imaginary machine has been running when the clock starts: one day, for `monotonic` and `perf_counter`.

Why not 0: programs write ``if not self._started`` and ``last = 0``, which no real machine takes for the present.
"""

_SECOND_NS: Final = 1_000_000_000


class VirtualClock:
    """One clock behind every face: only sleeping, and whoever calls `advance`, makes it move.

    Wall time is the start plus what has elapsed. Monotonic time and the performance counter begin at one day and elapse
    likewise. The processor times of the process and its threads are always 0. The local time zone is the machine's own;
    set TZ where that must not differ.

    Args:
        start_ns: wall time at the start, in nanoseconds since 1970-01-01T00:00:00Z.
    """

    def __init__(self, start_ns: int = START_NS) -> None:
        self.start_ns = start_ns
        self._elapsed_ns = 0
        self._lock = allocate_lock()

    def now_ns(self) -> int:
        """Return the wall time, in nanoseconds since 1970-01-01T00:00:00Z."""
        return self.start_ns + self._elapsed_ns

    def monotonic_ns(self) -> int:
        """Return the monotonic time in nanoseconds."""
        return UP_NS + self._elapsed_ns

    def advance(self, ns: int) -> None:
        """Let ``ns`` nanoseconds elapse.

        Raises:
            UsageError: ``ns`` is negative.
        """
        if ns < 0:
            raise UsageError(f"a clock cannot be advanced by {ns} ns; time elapses forwards only.")
        with self._lock:
            self._elapsed_ns += ns

    def face(self, name: str) -> Callable[[], int | float]:
        """Return the function that stands for ``time.<name>``, such as ``monotonic`` or ``time_ns``.

        Seconds are computed as CPython does (``Python/pytime.c``): the nanoseconds as a double, divided once.
        """
        read_ns = self._read_ns(name.removesuffix("_ns"))
        return read_ns if name.endswith("_ns") else lambda: read_ns() / _SECOND_NS

    def _read_ns(self, name: str) -> Callable[[], int]:
        if name == "time":
            return self.now_ns
        return self.monotonic_ns if name in ("monotonic", "perf_counter") else lambda: 0
