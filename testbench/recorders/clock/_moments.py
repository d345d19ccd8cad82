"""Sleeping, and the functions that read the clock on the way to something else: the calendar, or a chosen clock.

Each call is a crossing. Its outcome holds the finished fields or text, so that the time zone and the locale of the
machine that replays do not matter. Called *with* a time, the calendar functions compute and do not ask: they pass
through.
"""

from __future__ import annotations

import math
import operator
import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final

from testbench.inplace import Redirect
from testbench.protocol import Call, Plain
from testbench.recorders.clock._still import StillWaits
from testbench.recorders.clock._virtual import VirtualClock

_Function = Callable[..., Any]

_STOCK: Final[dict[str, _Function]] = {
    "asctime": time.asctime,
    "clock_gettime": time.clock_gettime,
    "clock_gettime_ns": time.clock_gettime_ns,
    "ctime": time.ctime,
    "gmtime": time.gmtime,
    "localtime": time.localtime,
    "sleep": time.sleep,
    "strftime": time.strftime,
    "times": os.times,
}
"""Looked up early: tools that freeze time put functions of their own into the module, and into ours."""

_RAISES: Final = (ValueError, TypeError, OverflowError, OSError)

_LONGEST_NS: Final = 2**63 - 1
"""``_PyTime_t`` of CPython (``Python/pytime.c``): a longer sleep is an OverflowError."""

_WALL: Final = frozenset({time.CLOCK_REALTIME, 5, 8, 11})
"""Linux clocks of the wall: 5 is REALTIME_COARSE, 8 REALTIME_ALARM, 11 TAI (``linux/time.h``)."""

_MONOTONIC: Final = frozenset({time.CLOCK_MONOTONIC, time.CLOCK_MONOTONIC_RAW, 6, 7, 9})
"""Linux clocks that only count up: 6 is MONOTONIC_COARSE, 7 BOOTTIME, 9 BOOTTIME_ALARM (``linux/time.h``)."""


def install_moments(call: Call, stack: ExitStack, virtual: VirtualClock | None, waits: StillWaits | None) -> _Function:
    """Send all of them through ``call`` until the stack unwinds; return the function that stands for ``time.sleep``."""
    local = _redirected(stack, "localtime", lambda original: _calendar(call, original, virtual))
    _redirected(stack, "gmtime", lambda original: _calendar(call, original, virtual))
    _redirected(stack, "ctime", lambda original: _ctime(call, original, virtual))
    fields = _fields(local, virtual)
    _redirected(stack, "asctime", lambda original: _asctime(call, original, fields))
    _redirected(stack, "strftime", lambda original: _strftime(call, original, fields))
    _redirected(stack, "clock_gettime", lambda original: _gettime(call, original, virtual))
    _redirected(stack, "clock_gettime_ns", lambda original: _gettime(call, original, virtual))
    _redirected(stack, "times", lambda original: _times(call, original, virtual))
    return _redirected(stack, "sleep", lambda original: _sleep(call, original, waits))


def _redirected(stack: ExitStack, name: str, make: Callable[[_Function], _Function]) -> _Function:
    redirect = Redirect(_STOCK[name])
    stack.push(redirect)
    target = make(redirect.original)
    redirect.to(target)
    return target


def _calendar(call: Call, original: _Function, virtual: VirtualClock | None) -> _Function:
    """``localtime`` and ``gmtime``. Outcome: the nine fields, then ``tm_zone`` and ``tm_gmtoff``."""
    op = original.__name__

    def effect() -> Plain:
        moment = original() if virtual is None else original(virtual.now_ns() // 1_000_000_000)
        return [*moment, moment.tm_zone, moment.tm_gmtoff]

    def calendar(*args: Any) -> Any:
        return original(*args) if _names_a_time(args) else time.struct_time(call(op, {}, effect))  # type: ignore[arg-type]  # the list of above

    return calendar


def _ctime(call: Call, original: _Function, virtual: VirtualClock | None) -> _Function:
    def effect() -> Plain:
        text: str = original() if virtual is None else original(virtual.now_ns() // 1_000_000_000)
        return text

    def ctime(*args: Any) -> Any:
        return original(*args) if _names_a_time(args) else call("ctime", {}, effect)

    return ctime


def _fields(local: _Function, virtual: VirtualClock | None) -> Callable[[], tuple[Any, ...]]:
    """Return what ``asctime`` and ``strftime`` are given for the present: nothing, or the fields of the still clock."""
    return lambda: () if virtual is None else (local(virtual.now_ns() // 1_000_000_000),)


def _asctime(call: Call, original: _Function, fields: Callable[[], tuple[Any, ...]]) -> _Function:
    def asctime(*args: Any) -> Any:
        return original(*args) if args else call("asctime", {}, lambda: original(*fields()))

    return asctime


def _strftime(call: Call, original: _Function, fields: Callable[[], tuple[Any, ...]]) -> _Function:
    def strftime(*args: Any) -> Any:
        if len(args) != 1 or not isinstance(args[0], str):
            return original(*args)
        asked = str.__str__(args[0])
        return call("strftime", {"format": asked}, lambda: original(asked, *fields()), raises=_RAISES)

    return strftime


def _gettime(call: Call, original: _Function, virtual: VirtualClock | None) -> _Function:
    """``clock_gettime`` and ``clock_gettime_ns``; the clock is asked for by its number.

    The processor clock of a thread or process (``pthread_getcpuclockid``) has a negative number that says which, in
    its high bits, and those differ from run to run: only what kind of clock it is, in the low three, is on the tape.
    """
    op = original.__name__
    read = original if virtual is None else _still(original, virtual)

    def gettime(*args: Any) -> Any:
        clock = _index(args[0]) if len(args) == 1 else None
        if clock is None:
            return original(*args)
        asked = clock if clock >= 0 else clock & 7 | -8
        return call(op, {"clock": asked}, lambda: read(clock), raises=_RAISES)

    return gettime


def _times(call: Call, original: _Function, virtual: VirtualClock | None) -> _Function:
    """``os.times``. Outcome: processor time of the process and its children, and time elapsed, in five floats."""

    def effect() -> Plain:
        if virtual is None or not virtual.still:
            return [*original()]
        return [0.0, 0.0, 0.0, 0.0, virtual.monotonic_ns() / 1_000_000_000]

    def times() -> Any:
        return os.times_result(call("times", {}, effect))  # type: ignore[arg-type]  # the list of above

    return times


def _still(original: _Function, virtual: VirtualClock) -> Callable[[int], Plain]:
    in_seconds = not original.__name__.endswith("_ns")

    def read(clock: int) -> Plain:
        if clock in _WALL:
            now_ns = virtual.now_ns()
        elif clock in _MONOTONIC:
            now_ns = virtual.monotonic_ns()
        else:
            real = original(clock)  # an unknown clock is refused as ever; the known that are left count processor time
            if not virtual.still:
                return real  # type: ignore[no-any-return]  # a number
            now_ns = 0
        return now_ns / 1_000_000_000 if in_seconds else now_ns

    return read


def _sleep(call: Call, original: _Function, waits: StillWaits | None) -> _Function:
    pause = original if waits is None else _skip(original, waits)

    def sleep(seconds: Any) -> None:
        asked = float.__pos__(seconds) if isinstance(seconds, float) else _index(seconds)
        if asked is None:
            original(seconds)  # raises the usual TypeError
            return
        call("sleep", {"seconds": asked}, lambda: pause(asked), raises=_RAISES)

    return sleep


def _skip(original: _Function, waits: StillWaits) -> Callable[[float], None]:
    def skip(seconds: float) -> None:
        in_range = 0 <= seconds <= _LONGEST_NS  # false for NaN too
        ns = math.ceil(seconds * 1_000_000_000) if in_range else -1
        if 0 <= ns <= _LONGEST_NS:
            waits.sleep(ns)
        else:
            original(seconds)  # raises what CPython raises for it

    return skip


def _names_a_time(args: tuple[Any, ...]) -> bool:
    """Tell whether a calendar function was given a time; None means the present, like no argument."""
    return len(args) > 1 or (len(args) == 1 and args[0] is not None)


def _index(value: Any) -> int | None:
    """Return an integer as C code would take it, None where C code would raise a TypeError."""
    try:
        return operator.index(value)
    except TypeError:
        return None
