"""``datetime.now`` and ``datetime.utcnow``: an integer on the tape, and a datetime of the caller's class made from it.

``datetime.today`` and ``date.today`` need nothing here: their C code calls ``time.time`` through the module.
"""

from __future__ import annotations

import functools
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, tzinfo
from types import BuiltinFunctionType, MethodWrapperType
from typing import Any, Final, cast

from testbench.inplace import Redirect, TypeSlot, bound_early, private
from testbench.protocol import Call
from testbench.recorders.clock._date_runs import DateRuns
from testbench.recorders.clock._virtual import VirtualClock

_Read = Callable[[], datetime]

_NEVER: Final = object()

_UTCNOW_IS_DEPRECATED: Final = (
    "datetime.datetime.utcnow() is deprecated and scheduled for removal in a future version. "
    "Use timezone-aware objects to represent datetimes in UTC: datetime.datetime.now(datetime.UTC)."
)


def install_dates(call: Call, stack: ExitStack, virtual: VirtualClock | None) -> None:
    """Send both methods through ``call`` until the stack unwinds.

    Sources: ``datetime_now``, microseconds of local time since 0001-01-01T00:00:00, shifted left by one bit, plus the
    fold (1 in the second of two hours that the clock shows alike); ``datetime_utcnow``, microseconds of UTC since then,
    which also serves ``now(tz)``: the time zone's own ``fromutc`` runs live.
    """
    now, utcnow = TypeSlot(datetime, "now"), TypeSlot(datetime, "utcnow")
    idle = now.original.__get__(None, datetime)
    if type(idle) is BuiltinFunctionType and type(now) is TypeSlot:
        idle = private(idle)  # so that a session within this one does not take it for one of the program's
    world = idle if virtual is None else _still(virtual)
    readers = _Readers(stack, idle, lambda: idle(UTC))
    serve_now = readers.now(now.original)
    call.source("datetime_now", world, readers.bind_local, runs=DateRuns(folds=True, utc=False))
    call.source("datetime_utcnow", lambda: world(UTC), readers.bind_utc, runs=DateRuns(folds=False, utc=True))
    _route(stack, now, serve_now)
    _route(stack, utcnow, readers.utcnow(utcnow.original))


def _route(stack: ExitStack, slot: TypeSlot, serve: Callable[..., Any]) -> None:
    """Have a method served by a function, also where it was bound before (``now = datetime.now``)."""
    for method, cls in bound_early(datetime, serve.__name__) if type(slot) is TypeSlot else ():
        redirect = Redirect(method)
        stack.push(redirect)
        redirect.to(functools.partial(serve, cls))
    stack.push(slot)
    slot.to(classmethod(serve))


def _still(virtual: VirtualClock) -> Callable[..., datetime]:
    def now(zone: tzinfo | None = None) -> datetime:
        seconds, rest_ns = divmod(virtual.now_ns(), 1_000_000_000)
        # Not fromtimestamp(float): a double cannot hold every microsecond of today.
        return datetime.fromtimestamp(seconds, zone).replace(microsecond=rest_ns // 1000)

    return now


class _Readers:
    """Both methods, and the sources that they read.

    Args:
        stack: when it unwinds, the world is read again: a method bound during the session (``now = datetime.now``)
            stays with the program for good.
        local, utc: how the world is read.
    """

    def __init__(self, stack: ExitStack, local: _Read, utc: _Read) -> None:
        self.bind_local: Callable[[_Read], None]
        self.bind_utc(utc)
        stack.callback(self.bind_utc, utc)
        stack.callback(lambda: self.bind_local(local))

    def bind_utc(self, reader: _Read) -> None:
        """Read UTC by this from now on."""
        self._utc = reader

    def now(self, original: Any) -> Callable[..., Any]:
        """Return the function that stands for ``now``, as a class method."""
        local: Iterator[datetime] = iter(())

        def bind(reader: _Read) -> None:
            nonlocal local
            # The loop below steps an iterator faster than anything else in Python can.
            local = _iterated(reader)

        self.bind_local = bind

        def now(cls: type[datetime], tz: Any = None) -> Any:
            if tz is None and cls is datetime:
                for moment in local:
                    return moment
            if tz is None:
                return _built(cls, next(local), None)
            if not isinstance(tz, tzinfo):
                return original.__get__(None, cls)(tz)  # it raises the usual TypeError
            moment = self._utc()
            return moment if tz is UTC and cls is datetime else tz.fromutc(_built(cls, moment, tz))

        return _disguised(now, original)

    def utcnow(self, original: Any) -> Callable[..., Any]:
        """Return the function that stands for ``utcnow``, as a class method."""

        def utcnow(cls: type[datetime]) -> datetime:
            if sys.version_info >= (3, 12):
                warnings.warn(_UTCNOW_IS_DEPRECATED, DeprecationWarning, stacklevel=2)
            return _built(cls, self._utc(), None)

        return _disguised(utcnow, original)


def _iterated(reader: _Read) -> Iterator[datetime]:
    if type(reader) is MethodWrapperType:
        return cast("Iterator[datetime]", reader.__self__)
    return cast("Iterator[datetime]", iter(reader, _NEVER))


def _disguised(function: Callable[..., Any], original: Any) -> Callable[..., Any]:
    function.__name__ = original.__name__
    function.__qualname__ = original.__qualname__
    function.__doc__ = original.__doc__
    return function


def _built(cls: type[datetime], moment: datetime, zone: tzinfo | None) -> datetime:
    """Build the datetime as ``new_datetime_subclass_fold_ex`` of CPython's ``_datetimemodule.c`` does.

    A subclass is called with eight positional arguments. Only where C sets the fold behind its back (one hour a year)
    is there a difference: the subclass is called once more, by ``replace``.
    """
    fields = (moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second, moment.microsecond)
    made = cls(*fields, zone)
    return made.replace(fold=1) if moment.fold else made
