"""Whom the others do not wait for: a lane that sleeps in a call that nobody intercepts; not one in our own code."""

from __future__ import annotations

import threading

from testbench.inplace import real
from testbench.sessions._asleep import SLEPT, Watch
from testbench.sessions._lanes import Lane


def test_who_waits_in_our_own_code_does_not_sleep() -> None:
    """A lane whose thread does not run at all is asleep, but not where a slow disk holds up the tape."""
    gate = real.closed_gate()
    thread = threading.Thread(target=lambda: real.acquire(gate))
    thread.start()
    lane, watch = Lane(1, "main.1"), Watch()
    lane.native_id = thread.native_id or 0
    while watch.loses(lane, 0) != SLEPT:
        pass
    lane.depth = 1
    assert watch.loses(lane, 0) == ""
    lane.depth = 0
    while watch.loses(lane, 0) != SLEPT:
        pass  # it may have waited for the interpreter's lock before, and not yet at the gate
    real.open_gate(gate)
    thread.join()
