"""The real clock, whatever session is open: for test runners, watchdogs and benchmarks that measure by their own time.

``from testbench import real_clock`` and then ``real_clock.perf_counter()``: no redirect reaches these functions, no
session records them, a paused clock does not stop them. They have the names and the meaning of those in `time`;
`setitimer` and `getitimer` are those of `signal`, for a watchdog that must bite by the real clock.
"""

from __future__ import annotations

from testbench.inplace.real import (
    getitimer,
    monotonic,
    monotonic_ns,
    perf_counter,
    perf_counter_ns,
    setitimer,
    sleep,
    time,
    time_ns,
)

__all__ = [
    "getitimer",
    "monotonic",
    "monotonic_ns",
    "perf_counter",
    "perf_counter_ns",
    "setitimer",
    "sleep",
    "time",
    "time_ns",
]
