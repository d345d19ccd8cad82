"""Whole runs of datetimes at once, to and from the integers that stand for them on the tape.

One at a time, the arithmetic takes three times as long as asking the clock. Nearly always, all reads of a run fall into
one second, so that only the microseconds differ when they are packed; and when they are unpacked, each is the one
before and a few microseconds, for which spans of time are ready (`testbench.recorders.clock._date_steps`).
"""

from __future__ import annotations

import functools
from array import array
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from operator import attrgetter, itemgetter
from typing import Any, Final

from testbench.recorders.clock._date_steps import FIRST, LARGE, deltas_of, small_steps

ORIGIN: Final = datetime(1, 1, 1)
_ORIGIN_UTC: Final = datetime(1, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_SECOND: Final = timedelta(seconds=1)
_PER_SECOND: Final = 1_000_000

_FEW: Final = 16
"""Up to so many values it is quicker to take them one by one."""

_SPANS: Final = 4096
"""So many spans of time are kept ready, that of each number of microseconds below."""

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

    def unpack(self, values: Sequence[Any]) -> tuple[Iterator[datetime], Iterator[Any]]:
        """Return the datetimes of a run, each made when it is read, and the iterator that they are made from.

        Raises:
            ValueError, OverflowError, TypeError: no datetime is packed like this.
        """
        small = small_steps(values, self._shift) if isinstance(values, array) and len(values) > _FEW else None
        if small is not None:
            steps, large = small
            first, _ = self._moment(values[0]), self._moment(values[-1])  # if these two are dates, all are
            place: Iterator[Any] = iter(steps)
            return accumulate(map(_added(self._shift, first, large).__getitem__, place)), place
        found = self._steps(values)
        if found is None:
            moments = iter(self._moments(values))
            return moments, moments
        place = iter(found)
        return accumulate(place), place

    def _moments(self, values: Sequence[Any]) -> list[datetime]:
        if len(values) <= _FEW:
            return [self._moment(value) for value in values]
        steps = self._steps(values)
        if steps is not None:
            return list(accumulate(steps))
        half = len(values) // 2
        return self._moments(values[:half]) + self._moments(values[half:])

    def _steps(self, values: Sequence[Any]) -> list[Any] | None:
        """Return the first datetime and what is to be added to get each of the others, None where that is not quick."""
        deltas = deltas_of(values, self._shift) if isinstance(values, array) and len(values) > _FEW else None
        if deltas is None:
            return None
        first, _ = self._moment(values[0]), self._moment(values[-1])  # if these two are dates, all are
        spans = _spans()
        try:
            return [first, *itemgetter(*deltas)(spans)]
        except IndexError:
            return [first, *(spans[delta] if delta < _SPANS else _MICROSECOND * delta for delta in deltas)]

    def _integer(self, moment: datetime) -> int:
        since = moment - self._origin
        number = (since.days * 86_400 + since.seconds) * _PER_SECOND + since.microseconds
        return number << 1 | moment.fold if self._shift else number

    def _moment(self, value: int) -> datetime:
        moment = self._origin + _MICROSECOND * (value >> self._shift)
        return moment.replace(fold=1) if self._shift and value & 1 else moment


def _added(shift: int, first: datetime, large: list[int]) -> list[Any]:
    """Return what each byte of `small_steps` adds: a span of time; the first one is the first datetime itself."""
    found: list[Any] = _small_spans(shift)[:]
    found[LARGE : LARGE + len(large)] = [_MICROSECOND * (delta >> shift) for delta in large]
    found[FIRST] = first
    return found


@functools.cache
def _small_spans(shift: int) -> list[timedelta]:
    return [_MICROSECOND * (number >> shift) for number in range(FIRST + 1)]


@functools.cache
def _spans() -> list[timedelta]:
    return [_MICROSECOND * number for number in range(_SPANS)]
