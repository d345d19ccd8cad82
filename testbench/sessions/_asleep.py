"""Whether a thread of the program has fallen asleep in the operating system, in a call that nobody intercepts."""

from __future__ import annotations

from typing import Final

from testbench.inplace import real, threads
from testbench.sessions._lanes import Lane

_LONG_NS: Final = 12_000_000
"""A thread that has not run for so long waits for more than the interpreter's lock (``sys.getswitchinterval``)."""


class Watch:
    """Looks at one lane after another; a lane is asleep when it has not run at all since some looks ago."""

    def __init__(self) -> None:
        self._seen: tuple[Lane | None, bytes, int] = (None, b"", 0)

    def sleeps(self, lane: Lane, since_ns: int) -> bool:
        """Tell whether the thread of a lane has slept for a while, or has ended; ``since_ns`` is when it was waked."""
        place = threads.read(str(lane.native_id), "schedstat") if lane.native_id else b""
        if not place:
            return (
                bool(lane.native_id) and threads.read(str(lane.native_id), "stat") is None
            )  # it has ended, or not begun
        who, before, seen_ns = self._seen
        now_ns = real.monotonic_ns()
        if who is not lane or before != place:
            self._seen = (lane, place, now_ns)
            return False
        state = (threads.read(str(lane.native_id), "stat") or b"").rpartition(b") ")[2][:1]
        return now_ns - max(seen_ns, since_ns) >= _LONG_NS and state in (b"S", b"D")
