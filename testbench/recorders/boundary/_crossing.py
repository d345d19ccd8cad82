"""How a call of a marked function crosses into the open sessions, from the innermost one outwards."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any, Final, NoReturn

import attrs

from testbench.depth import Depth
from testbench.errors import UnsupportedError
from testbench.protocol import Call, Effect, Plain
from testbench.recorders._marked import about_to_call_marked
from testbench.values import encode as encode_value


@attrs.frozen(eq=False)
class Open:
    """One open session, as far as marked functions have to do with it.

    Attributes:
        call: its waist.
        numbers: of the generators that have been started in it.
    """

    call: Call
    numbers: Iterator[int] = attrs.field(factory=lambda: itertools.count(1))


OPEN: Final[list[Open]] = []
"""The open sessions, innermost last; marked functions exist before any session does."""

_THREAD: Final = Depth()
"""How many of the open sessions have a marked function under way in this thread: what it calls belongs to that."""


def sessions() -> list[Open]:
    """Return the sessions that a call made now crosses into, innermost last."""
    return OPEN[_THREAD.depth :]


def cross(into: list[Open], op: str, request: Callable[[], Plain], effect: Effect) -> Plain:
    """Make one crossing, and give its outcome.

    Args:
        into: the sessions; behind the innermost one lies the next, and behind the outermost one the effect.
        op: which function.
        request: makes what is asked; what no tape can hold breaks the recordings, also where the program swallows it.
        effect: runs the function.

    Raises:
        UnsupportedError: the request cannot be put on a tape.
    """
    about_to_call_marked()
    try:
        asked = request()
    except UnsupportedError as error:
        unfit = error

        def fail() -> NoReturn:
            raise unfit

        _through(into, op, {"unfit": str(error)}, fail)
        raise
    return _through(into, op, asked, effect)


def performed(work: Callable[[], Any]) -> Any:
    """Run code of a marked function: what it calls belongs to it."""
    depth, _THREAD.depth = _THREAD.depth, len(OPEN)
    try:
        return work()
    finally:
        _THREAD.depth = depth


def encoded(value: Any, encode: Callable[[Any], Any] | None, what: str) -> Plain:
    """Return what stands on the tape for a live value.

    Raises:
        UnsupportedError: nothing can.
    """
    try:
        return encode_value(encode(value) if encode else value, what)
    except UnsupportedError:
        raise
    except Exception as reason:  # it contains itself, or encode= has failed: that is no outcome of the function
        told = f"{type(reason).__name__}: {reason}"
        raise UnsupportedError(f"{what} could not be turned into a value for the tape: {told}") from reason


def _through(into: list[Open], op: str, request: Plain, effect: Effect) -> Plain:
    *outer, innermost = into
    behind = (lambda: _through(outer, op, request, effect)) if outer else effect
    return innermost.call(op, request, behind, raises=(Exception,))
