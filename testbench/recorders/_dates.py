"""``datetime.now`` and ``datetime.utcnow``: an integer on the tape, and a datetime of the caller's class made from it.

``datetime.today`` and ``date.today`` need nothing here: their C code calls ``time.time`` through the module.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final

from testbench.inplace import TypeSlot
from testbench.protocol import Call, Plain
from testbench.recorders._virtual import VirtualClock

_Read = Callable[[], int]

_ORIGIN: Final = datetime(1, 1, 1)
_ORIGIN_UTC: Final = datetime(1, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

_UTCNOW_IS_DEPRECATED: Final = (
    "datetime.datetime.utcnow() is deprecated and scheduled for removal in a future version. "
    "Use timezone-aware objects to represent datetimes in UTC: datetime.datetime.now(datetime.UTC)."
)


class _Face:
    """One source of integers.

    Args:
        idle: what to read once the session is over; a method bound during it (``now = datetime.now``) stays with the
            program for good.
    """

    def __init__(self, call: Call, stack: ExitStack, op: str, effect: _Read, idle: _Read) -> None:
        self.read: Callable[[], Any] = idle
        stack.callback(self._bind, idle)
        call.source(op, effect, self._bind)

    def _bind(self, reader: Callable[[], Plain]) -> None:
        self.read = reader


def install_dates(call: Call, stack: ExitStack, virtual: VirtualClock | None) -> None:
    """Send both methods through ``call`` until the stack unwinds.

    Sources: ``datetime_now``, microseconds of local time since 0001-01-01T00:00:00, shifted left by one bit, plus the
    fold (1 in the second of two hours that the clock shows alike); ``datetime_utcnow``, microseconds of UTC since then,
    which also serves ``now(tz)``: the time zone's own ``fromutc`` runs live.
    """
    now, utcnow = TypeSlot(datetime, "now"), TypeSlot(datetime, "utcnow")
    idle = now.original.__get__(None, datetime)
    world = idle if virtual is None else _still(virtual)
    local = _Face(call, stack, "datetime_now", _local(world), _local(idle))
    utc = _Face(call, stack, "datetime_utcnow", _utc(world), _utc(idle))
    stack.callback(now.restore)
    now.to(classmethod(_now(now.original, local, utc)))
    stack.callback(utcnow.restore)
    utcnow.to(classmethod(_utcnow(utcnow.original, utc)))


def _still(virtual: VirtualClock) -> Callable[..., datetime]:
    def now(zone: tzinfo | None = None) -> datetime:
        seconds, rest_ns = divmod(virtual.now_ns(), 1_000_000_000)
        # Not fromtimestamp(float): a double cannot hold every microsecond of today.
        return datetime.fromtimestamp(seconds, zone).replace(microsecond=rest_ns // 1000)

    return now


def _local(world: Callable[[], datetime]) -> _Read:
    """Return an effect that gives a naive moment as microseconds from `_ORIGIN`, shifted left by one, plus its fold."""

    def effect() -> int:
        moment = world()
        since = moment - _ORIGIN
        return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) << 1 | moment.fold

    return effect


def _utc(world: Callable[[tzinfo], datetime]) -> _Read:
    """Return an effect that gives a moment as microseconds from `_ORIGIN_UTC`."""

    def effect() -> int:
        since = world(UTC) - _ORIGIN_UTC
        return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds

    return effect


def _now(original: Any, local: _Face, utc: _Face) -> Callable[..., Any]:
    def now(cls: type[datetime], tz: Any = None) -> Any:
        if tz is None:
            value = local.read()
            if cls is datetime and not value & 1:  # nearly always, hence without a further call
                return _ORIGIN + _MICROSECOND * (value >> 1)
            return _built(cls, value >> 1, None, value & 1)
        if not isinstance(tz, tzinfo):
            return original.__get__(None, cls)(tz)  # it raises the usual TypeError
        return tz.fromutc(_built(cls, utc.read(), tz, 0))

    return _disguised(now, original)


def _utcnow(original: Any, utc: _Face) -> Callable[..., Any]:
    def utcnow(cls: type[datetime]) -> datetime:
        if sys.version_info >= (3, 12):
            warnings.warn(_UTCNOW_IS_DEPRECATED, DeprecationWarning, stacklevel=2)
        return _built(cls, utc.read(), None, 0)

    return _disguised(utcnow, original)


def _disguised(function: Callable[..., Any], original: Any) -> Callable[..., Any]:
    function.__name__ = original.__name__
    function.__qualname__ = original.__qualname__
    function.__doc__ = original.__doc__
    return function


def _built(cls: type[datetime], microseconds: int, zone: tzinfo | None, fold: int) -> datetime:
    """Build the datetime as ``new_datetime_subclass_fold_ex`` of CPython's ``_datetimemodule.c`` does.

    A subclass is called with eight positional arguments. Only where C sets the fold behind its back (one hour a year)
    is there a difference: the subclass is called once more, by ``replace``.
    """
    plain = _ORIGIN + _MICROSECOND * microseconds
    fields = (plain.year, plain.month, plain.day, plain.hour, plain.minute, plain.second, plain.microsecond)
    made = cls(*fields, zone)
    return made.replace(fold=1) if fold else made
