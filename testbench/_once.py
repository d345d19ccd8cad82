"""Mode ``once`` where several processes begin together: one records the tape, the others wait for it and replay it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

from testbench.errors import TapeBusyError
from testbench.inplace.held import sleep_unheld
from testbench.inplace.real import monotonic_ns
from testbench.sessions import Run

_LOOK_S: Final = 0.02

StrPath = str | os.PathLike[str]


def once(path: StrPath, wait_s: float, record: Callable[[StrPath], Run], replay: Callable[[StrPath], Run]) -> Run:
    """Return a run that replays a tape, if there is one by now, or records it.

    Args:
        path: the tape.
        wait_s: how long to wait for another process that records it.
        record: begins a recording.
        replay: begins a replay.

    Raises:
        TapeBusyError: the other one is still at it.
    """
    end_ns = monotonic_ns() + int(wait_s * 1e9)
    while True:
        if os.path.exists(path):
            return replay(path)
        try:
            return record(path)
        except TapeBusyError as busy:
            if monotonic_ns() >= end_ns:
                raise TapeBusyError(f"{busy} Waited {wait_s:g} s for it, see stall_s=.") from None
        sleep_unheld(_LOOK_S)
