"""How far each integer of a run is from the one before: many at once, as lanes of one large number.

So each step of the arithmetic is one operation for a whole run. A difference below zero borrows from the next lane.
"""

from __future__ import annotations

import functools
import sys
from array import array
from itertools import pairwise
from typing import Final

LARGE: Final = 240
"""The first of the bytes that stand for differences which are as large as this or larger."""

FIRST: Final = 255
"""What stands for the first integer of a run among its `small_steps`."""

_LANE: Final = (1 << 64) - 1
_FEW: Final = 32
"""Up to so many integers it is quicker to take them one by one."""


def small_steps(values: array[int], shift: int) -> tuple[bytes, list[int]] | None:
    """Return `FIRST`, and then the differences from each integer to the next, where they are small but for a few.

    A program that reads a clock in a loop does so many times in a few microseconds, until it is interrupted.

    Args:
        values: at least two integers of 64 bits.
        shift: 1 where the lowest bit is a fold, which none of them may have; 0 otherwise.

    Returns:
        One byte for each integer, and the large differences, for which the bytes from `LARGE` on stand; None where
        there are too many of them, where there is a fold, or where one goes back.
    """
    large: list[int] = []
    if shift and int.from_bytes(_native(values[:]).tobytes()[::8], "little") & _lanes(len(values), 1, 1):
        return None
    try:
        return bytes((FIRST,)) + _steps(values, large), large
    except OverflowError:
        return None


def _steps(values: array[int], large: list[int]) -> bytes:
    """Return a byte for each difference; where they are not all small, find the place by halves."""
    small = _all_small(values)
    if small is not None:
        return small
    if len(values) <= _FEW:
        return bytes(_code(after - before, large) for before, after in pairwise(values))
    half = len(values) // 2
    between = _code(values[half] - values[half - 1], large)
    return _steps(values[:half], large) + bytes((between,)) + _steps(values[half:], large)


def _code(delta: int, large: list[int]) -> int:
    """Return what stands for one difference.

    Raises:
        OverflowError: it is below zero, or there are too many large ones.
    """
    if 0 <= delta < LARGE:
        return delta
    if delta not in large:
        large.append(delta)
    if delta < 0 or LARGE + len(large) > FIRST:
        raise OverflowError
    return LARGE + large.index(delta)


def _all_small(values: array[int]) -> bytes | None:
    """Return the differences, None if one is not small.

    Of 64 bits, all but the lowest 16 have to be the same throughout. What goes back then has a difference of many bits,
    unless it goes back by nearly 65,536, so that is looked for beforehand.
    """
    count, whole = len(values), _native(values[:]).tobytes()
    high = whole[1::8]
    if any(whole[at::8] != whole[at : at + 1] * count for at in range(2, 8)) or (0 in high and 255 in high):
        return None
    lowest = bytearray(2 * count)
    lowest[::2], lowest[1::2] = whole[::8], high
    number = int.from_bytes(lowest, "little")
    deltas = (number >> 16) - (number & _lanes(count - 1, 2, 0xFFFF))
    if deltas < 0:
        return None
    found = deltas.to_bytes(2 * (count - 1), "little")
    steps = found[::2]
    return None if steps.translate(None, _SMALL) or found[1::2] != bytes(count - 1) else steps


_SMALL: Final = bytes(range(LARGE))


def deltas_of(values: array[int], shift: int) -> list[int] | None:
    """Return the differences from each integer to the next, without the fold, if there is none and none goes back.

    A difference below zero has the highest bit; a fold changes the lowest.
    """
    count = len(values) - 1
    whole = int.from_bytes(_native(values[:]).tobytes(), "little")
    deltas = (whole >> 64) - (whole & _lanes(count, 8, _LANE))
    if deltas < 0 or deltas & _lanes(count, 8, 1 << 63 | shift) or (shift and values[0] & 1):
        return None
    return _native(array("q", (deltas >> shift).to_bytes(8 * count, "little"))).tolist()


@functools.lru_cache(maxsize=16)
def _lanes(count: int, size: int, number: int) -> int:
    """Return the number whose lanes, of ``size`` bytes, are all ``number``."""
    return int.from_bytes(number.to_bytes(size, "little") * count, "little")


def _native(values: array[int]) -> array[int]:
    """Turn an array from or to the order of bytes that is the usual one by now."""
    if sys.byteorder == "big":
        values.byteswap()
    return values
