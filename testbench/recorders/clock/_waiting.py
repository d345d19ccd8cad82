"""All kinds of waiting that a still clock has to do with, but for sleeping; needs modules that only CPython has."""

from __future__ import annotations

from contextlib import ExitStack

from testbench.protocol import Call
from testbench.recorders.clock._ready import Readiness
from testbench.recorders.clock._sockets import Sockets
from testbench.recorders.clock._still import StillWaits
from testbench.recorders.clock._virtual import VirtualClock
from testbench.recorders.clock._waits import install_waits
from testbench.recorders.clock._within import Within


def install_waiting(call: Call, stack: ExitStack, virtual: VirtualClock, waits: StillWaits) -> None:
    """Let every wait move the clock until the stack unwinds."""
    virtual.waits = waits
    within = Within()
    install_waits(call, stack, waits)
    Readiness(call, virtual, waits, within).install(stack)
    Sockets(call, virtual, waits, within).install(stack)
