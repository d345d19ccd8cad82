"""The kind ``timer``: interval timers and alarms, and waiting for a signal.

Ops ``setitimer``, ``getitimer`` and ``alarm``: the outcome is how the timer stood. A replay sets no timer: the handler
of the signal runs where it ran when recorded, as the session's events ``signal.handled`` tell. Ops ``pause``,
``sigwait``, ``sigwaitinfo``, ``sigtimedwait`` and ``sigpending``: the outcome is what came; a replay does not wait.

On a clock that stands still an alarm rings when the clock moves past it: by sleeping, by waiting, or by hand. The
timers that count processor time never ring there, because none is taken.

A signal without a handler does what the operating system does with it, which for SIGALRM is to end the program: then
the recording has no end, and what there is of it can be recovered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from testbench.inplace import UndoStack
from testbench.protocol import Call, Matcher
from testbench.recorders.clock._virtual import VirtualClock
from testbench.recorders.timer._intervals import install_intervals
from testbench.recorders.timer._signals import install_signals


class Timer:
    """The recorder of kind ``timer``.

    Args:
        virtual: the clock that the program lives on, where it is not the world's.
    """

    kind = "timer"
    version = 1
    matchers: Mapping[str, Matcher] = {}

    def __init__(self, virtual: VirtualClock | None = None) -> None:
        self._still = virtual if virtual is not None and virtual.still else None

    @contextmanager
    def install(self, call: Call) -> Iterator[None]:
        """Send timers and waits for signals through ``call``; see `testbench.protocol.Recorder`."""
        still = self._still
        with UndoStack() as stack:
            install_intervals(call, stack, None if still is None else still.alarms)
            install_signals(call, stack, None if still is None else still.waits)
            yield
