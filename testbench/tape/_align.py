"""Align two sequences of numbers: which stretches of one are in the other, in order.

Patience first: what occurs once on both sides is an anchor, and the longest rising row of anchors splits the problem.
Between anchors, where everything repeats, the shortest edit script of Myers ("An O(ND) Difference Algorithm", 1986) is
searched up to `EDITS` edits and then started afresh, so that time and memory stay bounded whatever comes.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeAlias

EDITS: Final = 64
"""Edits searched at once where nothing is unique; memory is half its square in numbers."""

_STRETCH: Final = 4096
"""Elements looked at in one such search; what lies behind them comes next."""

Block: TypeAlias = tuple[int, int, int]
"""``left[a : a + size] == right[b : b + size]`` as ``(a, b, size)``."""

_Range: TypeAlias = tuple[int, int, int, int]  # left from, left to, right from, right to


def align(left: Sequence[int], right: Sequence[int]) -> list[Block]:
    """Return blocks that are equal on both sides, rising on both, none touching the next.

    Time is near linear when most elements are unique or equal, and at most ``EDITS`` times the length otherwise.
    """
    blocks: list[Block] = []
    todo: list[_Range] = [(0, len(left), 0, len(right))]
    while todo:
        a, a_end, b, b_end = todo.pop()
        size = _common(zip(left[a:a_end], right[b:b_end], strict=False))
        blocks.append((a, b, size))
        a, b = a + size, b + size
        size = _common(zip(reversed(left[a:a_end]), reversed(right[b:b_end]), strict=False))
        a_end, b_end = a_end - size, b_end - size
        blocks.append((a_end, b_end, size))
        if a < a_end and b < b_end:
            todo += _split(left, right, (a, a_end, b, b_end), blocks)
    return _merge(blocks)


def _common(pairs: Iterator[tuple[int, int]]) -> int:
    size = 0
    for one, other in pairs:
        if one != other:
            break
        size += 1
    return size


def _split(left: Sequence[int], right: Sequence[int], span: _Range, blocks: list[Block]) -> list[_Range]:
    """Match something inside ``span`` and return the ranges that remain."""
    a, a_end, b, b_end = span
    lefts, rights = Counter(left[a:a_end]), Counter(right[b:b_end])
    if lefts.keys().isdisjoint(rights):
        return []
    once = {value for value, count in lefts.items() if count == 1 == rights.get(value)}
    if once:
        del lefts, rights  # the largest part of the memory, and not needed any more
        return _between(_rising(left, right, span, once), span, blocks)
    xs = [x for x in range(a, a_end) if left[x] in rights]
    ys = [y for y in range(b, b_end) if right[y] in lefts]
    for x, y in _edit_all([left[x] for x in xs], [right[y] for y in ys]):
        blocks.append((xs[x], ys[y], 1))
    return []


def _between(pairs: Iterable[tuple[int, int]], span: _Range, blocks: list[Block]) -> list[_Range]:
    """Match the anchors, neighbours together, and return the ranges between them that are empty on neither side."""
    x, x_end, y, y_end = span
    ranges: list[_Range] = []
    size = 0
    for a, b in pairs:
        if (a, b) != (x, y):
            blocks.append((x - size, y - size, size))
            ranges.append((x, a, y, b))
            size = 0
        x, y, size = a + 1, b + 1, size + 1
    blocks.append((x - size, y - size, size))
    return [span for span in [*ranges, (x, x_end, y, y_end)] if span[0] < span[1] and span[2] < span[3]]


def _rising(left: Sequence[int], right: Sequence[int], span: _Range, once: set[int]) -> Iterator[tuple[int, int]]:
    """Return the longest row of anchors that rises on both sides (patience sorting)."""
    a, a_end, b, b_end = span
    where = {right[y]: y for y in range(b, b_end) if right[y] in once}
    xs = array("q", (x for x in range(a, a_end) if left[x] in once))
    ys = array("q", (where[left[x]] for x in xs))
    tops: list[int] = []  # per length, the smallest end of a row of so many anchors ...
    ends: list[int] = []  # ... and which anchor that is
    before = array("q")  # per anchor, the one before it in its row
    for anchor, y in enumerate(ys):
        length = bisect_left(tops, y)
        before.append(ends[length - 1] if length else -1)
        tops[length : length + 1] = [y]
        ends[length : length + 1] = [anchor]
    row = array("q")
    anchor = ends[-1]
    while anchor >= 0:
        row.append(anchor)
        anchor = before[anchor]
    return ((xs[anchor], ys[anchor]) for anchor in reversed(row))


def _edit_all(left: list[int], right: list[int]) -> Iterator[tuple[int, int]]:
    """Match from the front, `EDITS` edits at a time, until one side is used up."""
    x = y = 0
    while x < len(left) and y < len(right):
        pairs, x_on, y_on = _edit(left[x : x + _STRETCH], right[y : y + _STRETCH])
        yield from ((x + one, y + other) for one, other in pairs)
        x, y = x + x_on, y + y_on


def _edit(left: list[int], right: list[int]) -> tuple[list[tuple[int, int]], int, int]:
    """Match as far as `EDITS` edits lead: the pairs, and how far both sides were used up."""
    reach = {1: 0}  # per diagonal x - y, the furthest x
    steps: list[dict[int, int]] = []  # the same before each edit, to find the way back
    best = 0, 0, 0, 0  # x + y, x, diagonal, edits
    for edits in range(EDITS + 1):
        steps.append(reach.copy())
        for diagonal in range(-edits, edits + 1, 2):
            x = _step(reach, diagonal, edits)
            while x < len(left) and 0 <= x - diagonal < len(right) and left[x] == right[x - diagonal]:
                x += 1
            reach[diagonal] = x
            if 2 * x - diagonal > best[0] and x <= len(left) and x - diagonal <= len(right):
                best = 2 * x - diagonal, x, diagonal, edits
        if best[0] == len(left) + len(right):
            break
    _, x, diagonal, edits = best
    return _pairs(steps[: edits + 1], diagonal, x), x, x - diagonal


def _step(reach: dict[int, int], diagonal: int, edits: int) -> int:
    """Take one edit onto a diagonal from the better of its neighbours."""
    return reach[diagonal + 1] if _is_down(reach, diagonal, edits) else reach[diagonal - 1] + 1


def _is_down(reach: dict[int, int], diagonal: int, edits: int) -> bool:
    """Tell whether the better neighbour is the one above, which skips an element of the right side."""
    return diagonal == -edits or (diagonal != edits and reach[diagonal - 1] < reach[diagonal + 1])


def _pairs(steps: list[dict[int, int]], diagonal: int, x: int) -> list[tuple[int, int]]:
    """Walk back from ``x`` on ``diagonal`` and collect what was equal."""
    pairs: list[tuple[int, int]] = []
    for edits in range(len(steps) - 1, -1, -1):
        start = _step(steps[edits], diagonal, edits)
        pairs += [(at, at - diagonal) for at in range(x - 1, start - 1, -1)]
        if edits:
            diagonal += 1 if _is_down(steps[edits], diagonal, edits) else -1
            x = steps[edits][diagonal]
    return pairs[::-1]


def _merge(blocks: list[Block]) -> list[Block]:
    """Sort blocks and join those that touch."""
    merged: list[Block] = []
    for a, b, size in sorted(blocks):
        if not size:
            continue
        if merged and merged[-1][0] + merged[-1][2] == a and merged[-1][1] + merged[-1][2] == b:
            merged[-1] = (*merged[-1][:2], merged[-1][2] + size)
        else:
            merged.append((a, b, size))
    return merged
