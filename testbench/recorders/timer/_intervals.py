"""``signal.setitimer``, ``getitimer`` and ``alarm``: timers of the system, or of a clock that stands still."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the functions themselves
import math
import operator
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final, cast

from testbench.inplace import Redirect
from testbench.protocol import Call, Plain
from testbench.recorders.clock._alarms import Alarms, Setting

_TIMERS: Final = (_signal.ITIMER_REAL, _signal.ITIMER_VIRTUAL, _signal.ITIMER_PROF)

_LONGEST_S: Final = (2**63 - 1) // 1_000_000_000
"""``_PyTime_t`` of CPython (``Python/pytime.c``)."""

_UINT: Final = 2**32

Set = Callable[[int, float, float], Plain]


def install_intervals(call: Call, stack: ExitStack, alarms: Alarms | None) -> None:
    """Send them through ``call`` until the stack unwinds; they mean ``alarms``, if not those of the system."""
    setting, getting, ringing = (Redirect(found) for found in (_signal.setitimer, _signal.getitimer, _signal.alarm))
    put: Set = lambda which, value, interval: [*setting.original(which, value, interval)]  # noqa: E731
    look: Callable[[int], Plain] = lambda which: [*getting.original(which)]  # noqa: E731
    ring = ringing.original
    if alarms is not None:
        put, look, ring = _virtual_set(alarms), _virtual_get(alarms), _virtual_alarm(alarms)
    for redirect, target in (
        (setting, _setitimer(call, setting.original, put)),
        (getting, _getitimer(call, getting.original, look)),
        (ringing, _alarm(call, ringing.original, ring)),
    ):
        stack.push(redirect)
        redirect.to(target)


def _setitimer(call: Call, original: Callable[..., Any], put: Set) -> Callable[..., Any]:
    def setitimer(*args: Any) -> Any:
        which = _index(args[0]) if 2 <= len(args) <= 3 else None
        seconds = _span(args[1]) if len(args) > 1 else None
        interval = _span(args[2]) if len(args) > 2 else 0
        if which is None or which not in _TIMERS or seconds is None or interval is None:
            return original(*args)  # raises
        request: Plain = {"timer": which, "seconds": seconds, "interval": interval}
        return tuple(cast("list[float]", call("setitimer", request, lambda: put(which, seconds, interval))))

    return setitimer


def _getitimer(call: Call, original: Callable[..., Any], look: Callable[[int], Plain]) -> Callable[..., Any]:
    def getitimer(*args: Any) -> Any:
        which = _index(args[0]) if len(args) == 1 else None
        if which is None or which not in _TIMERS:
            return original(*args)  # raises
        return tuple(cast("list[float]", call("getitimer", {"timer": which}, lambda: look(which))))

    return getitimer


def _alarm(call: Call, original: Callable[..., Any], ring: Callable[[int], Plain]) -> Callable[..., Any]:
    def alarm(*args: Any) -> Any:
        seconds = _index(args[0]) if len(args) == 1 else None
        if seconds is None or not -(2**31) <= seconds < 2**31:
            return original(*args)  # raises
        return call("alarm", {"seconds": seconds}, lambda: ring(seconds))

    return alarm


def _virtual_set(alarms: Alarms) -> Set:
    def put(which: int, value: float, interval: float) -> Plain:
        return _in_seconds(alarms.set(which, (_nanoseconds(value), _nanoseconds(interval))))

    return put


def _virtual_get(alarms: Alarms) -> Callable[[int], Plain]:
    return lambda which: _in_seconds(alarms.get(which))


def _virtual_alarm(alarms: Alarms) -> Callable[[int], Plain]:
    def ring(seconds: int) -> Plain:
        # The C library takes an unsigned int, and Linux rounds what is left, but never to 0 (alarm(2)).
        left_ns = alarms.set(_signal.ITIMER_REAL, (seconds % _UINT * 1_000_000_000, 0))[0]
        return max(1, (left_ns + 500_000_000) // 1_000_000_000) if left_ns else 0

    return ring


def _nanoseconds(seconds: float) -> int:
    """Return what a timer of microseconds makes of it, rounded up as CPython does."""
    return math.ceil(seconds * 1_000_000) * 1000


def _in_seconds(setting: Setting) -> Plain:
    """Return it in seconds, computed as CPython does of a ``timeval``."""
    return [ns // 1_000_000_000 + ns // 1000 % 1_000_000 / 1_000_000.0 for ns in setting]


def _span(value: Any) -> float | None:
    """Return seconds as C code would take them, None where the original refuses them."""
    seconds = float.__pos__(value) if isinstance(value, float) else _index(value)
    return seconds if seconds is not None and 0 <= seconds <= _LONGEST_S else None  # NaN is refused too


def _index(value: Any) -> int | None:
    try:
        return operator.index(value)
    except TypeError:
        return None
