"""Clocks that C code reads for the program: ``time`` of the C library by ``ctypes``, ``numpy.datetime64("now")``.

Both are crossings, ``c_time`` and ``numpy_now``. Other clocks of the C library, which write to memory of the program,
are leaks.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from types import ModuleType
from typing import Any, Final

from testbench.inplace import Constructor
from testbench.inplace._way import follows_types, miss
from testbench.protocol import Call, Plain
from testbench.recorders._foreign import leaking, plainly, watch
from testbench.recorders._imports import Importing, when_imported
from testbench.recorders.clock._virtual import VirtualClock

_OTHERS: Final = ("clock", "clock_gettime", "ftime", "gettimeofday", "times", "timespec_get")
_INTEGERS: Final = (ctypes.c_int, ctypes.c_long, ctypes.c_longlong, ctypes.c_uint, ctypes.c_ulong, ctypes.c_ulonglong)
_EPOCH: Final = {"now": "1970-01-01T00:00:00", "today": "1970-01-01"}
"""What is read from the clock, and a text that is read as the same unit."""


def install_foreign(call: Call, stack: ExitStack, virtual: VirtualClock | None) -> None:
    """Follow them until the stack unwinds."""
    others = leaking(call, "c_function", ("time", *_OTHERS))
    watch(stack, {**others, "time": _time(call, virtual, others["time"])})
    when_imported("numpy", stack, Importing(), lambda numpy: _install_numpy(call, stack, numpy, virtual))


def _time(call: Call, virtual: VirtualClock | None, otherwise: Callable[..., Any]) -> Callable[..., Any]:
    def time(function: Any, args: tuple[Any, ...]) -> Any:
        if args not in ((None,), (0,)) or function.restype not in _INTEGERS:
            return otherwise(function, args)

        def effect() -> Plain:
            seconds: int = plainly(function, args) if virtual is None else virtual.now_ns() // 1_000_000_000
            return seconds

        return call("c_time", {}, effect)

    return time


def _install_numpy(call: Call, stack: ExitStack, numpy: ModuleType, virtual: VirtualClock | None) -> None:
    if not follows_types():
        miss("numpy.datetime64", "any line: a type written in C, which interception by name does not follow")
        return
    constructor = Constructor(numpy.datetime64)
    stack.push(constructor)
    constructor.to(_asking(call, numpy, constructor.original, virtual))


def _asking(
    call: Call, numpy: ModuleType, make: Callable[..., Any], virtual: VirtualClock | None
) -> Callable[..., Any]:
    """Return what stands for the constructor. Outcome: how many units since 1970."""

    def new(cls: type, /, *args: Any, **options: Any) -> Any:
        if not args or not _is_word(args[0]):
            return make(cls, *args, **options)
        word = str(args[0].decode() if isinstance(args[0], bytes) else args[0]).lower()
        kind = make(cls, _EPOCH[word], *args[1:], **options).dtype  # it raises what the program has to be told
        unit, count = numpy.datetime_data(kind)

        def effect() -> Plain:
            moment = make(cls, *args, **options) if virtual is None else _still(make, cls, word, virtual).astype(kind)
            return int(moment.astype("int64").item())

        request: Plain = {"word": word, "unit": unit, "count": int(count)}
        return make(cls, call("numpy_now", request, effect), (unit, count))

    return new


def _still(make: Callable[..., Any], cls: type, word: str, virtual: VirtualClock) -> Any:
    seconds = virtual.now_ns() // 1_000_000_000
    return make(cls, seconds, "s") if word == "now" else make(cls, str(datetime.fromtimestamp(seconds).date()))


def _is_word(value: Any) -> bool:
    return isinstance(value, (str, bytes)) and value.lower() in (*_EPOCH, *(word.encode() for word in _EPOCH))
