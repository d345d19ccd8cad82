"""The kind ``wait``: waiting with a timeout for a lock, a queue, a thread or a socket, and whether it came in time.

Op ``timed``: the request is the timeout, the outcome whether what was waited for came. On replay, a wait that ran out
runs out at once; one that was satisfied is satisfied: the lane waits until another has really released the lock, put
the item or ended. Waits without a timeout are not on the tape: they end when another lane lets them, in both modes.

Since version 2 that is so while there is one lane. Where there are several, who gets what is a matter of their order,
and with it whose time runs out: the session sees to both, and only the latter is an event, ``lane.expired``. It does
not where the clock is paused: there such a wait is a crossing all the same.

Op ``socket``, since version 2: likewise, for a socket that has a timeout. What comes by it is not on the tape: a replay
waits for that really.

A thread that was there before the session, and has made no other crossing yet, is left alone: it may belong to a test
runner, which watches over the program by waits of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from testbench.inplace import TypeSlot, UndoStack
from testbench.protocol import Call, Matcher, Plain
from testbench.recorders._sockets import install_timeouts
from testbench.recorders._timed import TIMED, Performed, Timed

_PATIENCE_S: Final = 30.0
"""How long a wait that was satisfied when it was recorded may last on replay."""


class Wait:
    """The recorder of kind ``wait``.

    Args:
        version: what its events mean, 1 for tapes of old.
        ordered: whether the session sees to the waits of several lanes.
    """

    kind = "wait"
    matchers: Mapping[str, Matcher] = {}

    def __init__(self, version: int = 2, *, ordered: bool = True) -> None:
        self.version = version
        self._ordered = ordered and version > 1

    @contextmanager
    def install(self, call: Call) -> Iterator[None]:
        """Send every wait with a timeout through ``call``; see `testbench.protocol.Recorder`."""
        with UndoStack() as stack:
            for timed in TIMED:
                slot = TypeSlot(timed.owner, timed.name)
                stack.push(slot)
                slot.to(_waiting(call, timed, slot.original, self._ordered))
            if self.version > 1:
                install_timeouts(call, stack)
            yield


def _waiting(call: Call, timed: Timed, original: Callable[..., Any], ordered: bool) -> Callable[..., Any]:
    short = len(timed.asking.names)

    def waiting(*args: Any, **options: Any) -> Any:
        if len(args) <= short and not options:  # nearly always: a wait without a timeout
            return original(*args)
        seconds = timed.seconds(args, options)
        if seconds is None or (ordered and not call.alone()) or not call.follows():
            return original(*args, **options)
        return _cross(call, timed, original, args[0], seconds)

    waiting.__name__ = timed.name
    waiting.__doc__ = original.__doc__
    return waiting


def _cross(call: Call, timed: Timed, original: Callable[..., Any], subject: Any, seconds: float) -> Any:
    performed: list[Performed] = []

    def effect() -> Plain:
        performed.append(timed.perform(original, subject, seconds))
        return performed[0][0]

    request: Plain = {"timeout": seconds}
    came = call("timed", request, effect)
    if came and not performed:
        performed.append(timed.perform(original, subject, _PATIENCE_S))
        if not performed[0][0]:
            instead = (
                f"it came in time when this was recorded, and has not come within {_PATIENCE_S:g} s now; who lets this "
                "wait end must be in the session too, or its doing a crossing (mark it with @testbench.boundary)"
            )
            call.leak("timed", request, lambda: None, instead=instead)
    return performed[0][1] if came else timed.expired()
