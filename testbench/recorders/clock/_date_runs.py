"""Whole runs of datetimes at once, to and from the integers that stand for them on the tape.

One at a time, the arithmetic takes three times as long as asking the clock. Nearly always, all reads of a run fall into
one second, and then only the microseconds differ. They are put into place for the whole run with one operation each.
"""

from __future__ import annotations

import functools
import sys
from array import array
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain, repeat, starmap
from operator import attrgetter
from struct import iter_unpack
from typing import Any, Final

ORIGIN: Final = datetime(1, 1, 1)
_ORIGIN_UTC: Final = datetime(1, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_SECOND: Final = timedelta(seconds=1)
_PER_SECOND: Final = 1_000_000

_FEW: Final = 16
"""Up to so many values it is quicker to take them one by one."""

_microsecond: Final = attrgetter("microsecond")
_fold: Final = attrgetter("fold")


class DateRuns:
    """How datetimes of one kind become integers: microseconds since 0001-01-01T00:00:00, perhaps with the fold.

    Args:
        folds: the integer is shifted left by one bit, and the lowest bit is the fold.
        utc: the datetimes are aware, and in UTC; they are naive otherwise.
    """

    def __init__(self, *, folds: bool, utc: bool) -> None:
        self._shift = int(folds)
        self._origin = _ORIGIN_UTC if utc else ORIGIN
        self._rest: tuple[Any, ...] = (UTC,) if utc else ()

    def pack(self, moments: list[Any]) -> list[Any]:
        """Return the integers of a run."""
        if len(moments) <= _FEW:
            return [self._integer(moment) for moment in moments]
        start = min(moments).replace(microsecond=0, fold=0)
        if max(moments) - start < _SECOND and not any(map(_fold, moments)):
            since, unit = self._integer(start), 1 << self._shift
            return [since + unit * number for number in map(_microsecond, moments)]
        half = len(moments) // 2
        return self.pack(moments[:half]) + self.pack(moments[half:])

    def unpack(self, values: Sequence[Any]) -> Iterator[datetime]:
        """Return the datetimes of a run; each is made when it is read."""
        if len(values) <= _FEW or not isinstance(values, array):
            return map(self._moment, values)
        start = values[0] >> self._shift
        start -= start % _PER_SECOND
        states = _states(values, self._shift, start, self._moment(start << self._shift))
        if states is not None:
            return self._made(states)
        half = len(values) // 2
        return chain(self.unpack(values[:half]), self.unpack(values[half:]))

    def _made(self, states: Iterator[tuple[bytes]]) -> Iterator[datetime]:
        make: Callable[..., datetime] = datetime  # a form of call that only pickles use, so that no stub has it
        if not self._rest:
            return starmap(make, states)
        return map(make, chain.from_iterable(states), repeat(*self._rest))

    def _integer(self, moment: datetime) -> int:
        since = moment - self._origin
        number = (since.days * 86_400 + since.seconds) * _PER_SECOND + since.microseconds
        return number << 1 | moment.fold if self._shift else number

    def _moment(self, value: int) -> datetime:
        moment = self._origin + _MICROSECOND * (value >> self._shift)
        return moment.replace(fold=1) if self._shift and value & 1 else moment


def _states(values: array[int], shift: int, start: int, second: datetime) -> Iterator[tuple[bytes]] | None:
    """Return what datetimes are pickled as, if the values are all in one second and none is a fold; None otherwise.

    The whole run is one number here, of lanes of 64 bits. It is a state of ten bytes that comes out for each value:
    year (2), month, day, hour, minute, second, microsecond (3) (``datetime_getstate`` of ``_datetimemodule.c``; pickles
    have had it since Python 2.3).
    """
    count = len(values)
    ones = _ones(count)
    since = int.from_bytes(_little(values), "little") - (start << shift) * ones
    if since < 0 or (shift and since & ones):
        return None
    since >>= shift
    if (since + (_BITS_20 - _PER_SECOND) * ones) & _NOT_BITS_20 * ones:
        return None
    data = since.to_bytes(8 * count, "little")
    state: Any = second.__reduce__()[1]
    states = bytearray(state[0] * count)
    states[9::10], states[8::10], states[7::10] = data[0::8], data[1::8], data[2::8]
    return iter_unpack("10s", states)


_BITS_20: Final = 1 << 20
_NOT_BITS_20: Final = (1 << 64) - _BITS_20


@functools.lru_cache(maxsize=8)
def _ones(count: int) -> int:
    """Return the number whose lanes are all 1."""
    return int.from_bytes(b"\1\0\0\0\0\0\0\0" * count, "little")


def _little(values: array[int]) -> bytes:
    if sys.byteorder == "big":
        values = values[:]
        values.byteswap()
    return values.tobytes()
