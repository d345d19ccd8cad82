"""Waiting on a still clock for sockets that have a timeout, or none and nobody at the other end.

As with other descriptors, it takes no time where only this process can make the socket ready; else it is a real wait,
and the clock moves when its time has run out.
"""

from __future__ import annotations

import _socket
import math
import select
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final

from testbench.inplace import TypeSlot, real
from testbench.protocol import Call
from testbench.recorders._sockets import CONNECTS, READS, WRITES, ran_out
from testbench.recorders.clock._still import StillWaits
from testbench.recorders.clock._virtual import VirtualClock
from testbench.recorders.clock._waits import reporting
from testbench.recorders.clock._within import Within

_SOCKET: Final = _socket.socket


class Sockets:
    """What the program waits for by sockets, on one still clock."""

    def __init__(self, call: Call, virtual: VirtualClock, waits: StillWaits, within: Within) -> None:
        self._call = call
        self._virtual = virtual
        self._waits = waits
        self._within = within

    def install(self, stack: ExitStack) -> None:
        """Let such waits move the clock until the stack unwinds."""
        for names, events in ((READS, select.POLLIN), (WRITES, select.POLLOUT), (CONNECTS, 0)):
            for name in names:
                slot = TypeSlot(_SOCKET, name)
                stack.push(slot)
                slot.to(self._waiting(slot.original, events))

    def _waiting(self, original: Callable[..., Any], events: int) -> Callable[..., Any]:
        def waiting(own: Any, *args: Any, **options: Any) -> Any:
            seconds = own.gettimeout()
            if seconds == 0 or self._waits.is_foreign():
                return original(own, *args, **options)
            if events and self._ran_out(own.fileno(), events, seconds):
                raise TimeoutError("timed out")
            return self._performed(original, lambda: original(own, *args, **options), seconds)

        waiting.__name__ = original.__name__
        return waiting

    def _ran_out(self, fd: int, events: int, seconds: float | None) -> bool:
        """Wait until a socket that only this process can make ready is so; tell whether it is not in time."""
        if real.wait_ready(fd, events, 0) or not self._within.holds((fd,)):
            return False

        def attempt(slice_s: float) -> bool:
            return real.wait_ready(fd, events, math.ceil(slice_s * 1000))

        if seconds is not None:
            return not self._waits.wait(self._waits.past(seconds), attempt)
        what = "a socket whose other end is in this program"
        with reporting(self._call, what):
            self._waits.wait_for_ever(attempt, what)
        return False

    def _performed(self, original: Callable[..., Any], perform: Callable[[], Any], seconds: float | None) -> Any:
        """Do it; where that lasts until the time has run out, the clock has moved."""
        late = False
        try:
            answer = perform()
            late = ran_out(original.__name__, answer)
        except TimeoutError as error:
            late = error.errno is None  # not that of the system, ETIMEDOUT
            raise
        finally:
            if late and seconds is not None:
                self._virtual.elapse(seconds)
        return answer
