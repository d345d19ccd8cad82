"""Whether the lane that runs keeps the others waiting: asleep in a call that nobody intercepts, or computing for long.

What counts is the time that its thread has run, and whether it sleeps, as the operating system tells it. A thread that
merely waits for a processor on a busy machine, or for the interpreter's lock, does neither.
"""

from __future__ import annotations

from typing import Final

from testbench.inplace import real, threads
from testbench.sessions._lanes import Lane

_ASLEEP_NS: Final = 12_000_000
"""A thread that has not run for so long waits for more than the interpreter's lock (``sys.getswitchinterval``)."""

_LONG_NS: Final = 100_000_000
"""How long a lane may compute while others wait: it may be looking, again and again, for what only they can do."""

SLEPT: Final = "slept"
COMPUTED: Final = "computed"


class Watch:
    """Looks at one lane after another, now and then."""

    def __init__(self) -> None:
        self._who: Lane | None = None
        self._since_ns = 0  # when that lane was given the baton
        self._begun_ns = 0  # how long it had run at the first look
        self._ran_ns = 0  # and at the last
        self._changed_ns = 0  # when that was seen to change

    def loses(self, lane: Lane, since_ns: int) -> str:
        """Tell why a lane that runs since ``since_ns`` has to let others run, `SLEPT` or `COMPUTED`; empty if not."""
        if not lane.native_id or lane.depth:  # its thread has not begun, or waits in our own code: for a disk, say
            return ""
        ran_ns, now_ns = threads.ran_ns(lane.native_id), real.monotonic_ns()
        if ran_ns is None:
            return self._by_time_alone(lane, now_ns - since_ns)
        if self._who is not lane or self._since_ns != since_ns:
            self._who, self._since_ns, self._begun_ns = lane, since_ns, ran_ns
            self._ran_ns, self._changed_ns = ran_ns, now_ns
        elif ran_ns != self._ran_ns:
            self._ran_ns, self._changed_ns = ran_ns, now_ns
        elif now_ns - self._changed_ns >= _ASLEEP_NS and _state(lane) in (b"S", b"D"):
            return SLEPT
        return COMPUTED if ran_ns - self._begun_ns > _LONG_NS else ""

    @staticmethod
    def _by_time_alone(lane: Lane, held_ns: int) -> str:
        """Judge by time alone, where the system does not tell more; a thread that has ended holds nothing."""
        has_ended = threads.is_there() and threads.read(str(lane.native_id), "stat") is None
        return SLEPT if has_ended else COMPUTED if held_ns > _LONG_NS else ""


def _state(lane: Lane) -> bytes:
    return (threads.read(str(lane.native_id), "stat") or b"").rpartition(b") ")[2][:1]
