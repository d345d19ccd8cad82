"""What changed from one tape to another: events aligned by what they ask, compared by what came back.

Two passes over both tapes. The first turns each event into two numbers: who asks (kind, op, lane), and what (the
request too). Those are aligned, so an event added in the middle is one change and not a shift of all that follow. The
second reads both tapes side by side and compares. Memory is eight bytes per event and about 200 per distinct request
(25 MB for two tapes of 100,000 events, all different), and besides one segment and one event of each tape.
"""

from __future__ import annotations

import hashlib
import os
from array import array
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from typing import Final, Literal, TypeAlias

from attrs import field, frozen

from testbench.errors import TapeDamagedError
from testbench.protocol import Plain
from testbench.tape._align import align
from testbench.tape._codec import encode
from testbench.tape._event import Event, KindRow, Outcome, Raised, Returned
from testbench.tape._items import LANE_START
from testbench.tape._raw import RawEvent
from testbench.tape._reader import Reader
from testbench.tape._structure import sha256
from testbench.tape._text import line, short
from testbench.tape._view import make_event
from testbench.tape._wire import Wire, lower

Action: TypeAlias = Literal["same", "added", "removed", "changed"]
StrPath: TypeAlias = str | os.PathLike[str]

_MARKS: Final = {"same": " ", "added": "+", "removed": "-", "changed": "~"}


@frozen
class Change:
    """One result of a diff; `str` gives it as lines to read.

    Attributes:
        action: what happened from left to right.
        left: the event on the left; None for one that was added.
        right: the event on the right; None for one that was removed.
        fields: what differs, for a changed event: name, value on the left, value on the right. Names are
            ``"request.argv"``, ``"outcome.stdout"``, ``"values"``; None stands for a field that is not there.
    """

    action: Action
    left: Event | None
    right: Event | None
    fields: tuple[tuple[str, Plain, Plain], ...] = field(default=())

    def __str__(self) -> str:
        shown = self.left or self.right
        lines = [f"{_MARKS[self.action]} {line(shown)}" if shown else ""]
        for name, left, right in self.fields:
            lines += [f"      {name}", f"        - {short(left)}", f"        + {short(right)}"]
        return "\n".join(lines)


def diff(
    left: StrPath, right: StrPath, *, timing: bool = False, same: bool = False, ignore: Collection[str] = ()
) -> Iterator[Change]:
    """Compare two tapes and give the changes in the order of the tapes.

    Args:
        left: the tape before.
        right: the tape after.
        timing: whether when an event happened and how long it took count as well.
        same: whether to give the events that are the same, too.
        ignore: kinds (``"clock"``) and kinds with op (``"process.spawn"``) to leave out.

    Returns:
        The changes; nothing at all when the tapes hold the same events.

    Raises:
        TapeNotFoundError, NotATapeError, TapeVersionError: a tape cannot be opened; raised at once.
        TapeDamagedError, BlobMissingError, BlobDamagedError: while iterating, where a tape is not what was written.
    """
    with ExitStack() as stack:
        readers = [stack.enter_context(Reader.open(path)) for path in (left, right)]
        return _changes(stack.pop_all(), _Side(readers[0], ignore), _Side(readers[1], ignore), timing, same)
    raise AssertionError("unreachable: an exit stack swallows nothing")


class _Side:
    """One of the two tapes.

    Attributes:
        slots, requests: per event a number for who asks and one for what; equal on both sides for what is equal.
    """

    def __init__(self, reader: Reader, ignore: Collection[str]) -> None:
        self.reader, self._ignore = reader, ignore
        self.slots, self.requests = array("I"), array("I")
        self._at_ns = 0
        self._names: dict[int, str] = {}

    def number(self, numbers: dict[bytes, int]) -> None:
        """Fill `slots` and `requests`."""
        for _, raw in self.raw_events():
            row = self.reader.kinds[raw[0]]
            slot = numbers.setdefault(_digest([row.name, self._names.get(raw[2])]), len(numbers))
            asked = _call_fields(self.reader, row, raw[3])[:-2]
            self.slots.append(slot)
            self.requests.append(numbers.setdefault(_digest([slot, *asked]), len(numbers)))

    def raw_events(self) -> Iterator[tuple[int, RawEvent]]:
        """Read from the start, without the kinds that are ignored."""
        self._at_ns, self._names = 0, {0: "main"}
        for seq, raw in enumerate(self.reader.events()):
            self._at_ns += raw[1]
            if raw[0] == LANE_START[0]:
                self._names[raw[2]] = raw[3][0]
            row = self.reader.kinds[raw[0]]
            if row.kind not in self._ignore and row.name not in self._ignore:
                yield seq, raw

    def view(self, seq: int, raw: RawEvent) -> Event:
        """Make the event that `raw_events` gave last."""
        return make_event(self.reader, seq, self._at_ns, raw, self._names)


def _changes(stack: ExitStack, left: _Side, right: _Side, timing: bool, same: bool) -> Iterator[Change]:
    with stack:
        numbers: dict[bytes, int] = {}
        left.number(numbers)
        right.number(numbers)
        numbers.clear()
        lefts, rights = left.raw_events(), right.raw_events()
        for in_left, in_right in _pairs(left, right):
            one = next(lefts) if in_left else None
            other = next(rights) if in_right else None
            if one and other and not same and _alike(left.reader, one[1], right.reader, other[1], timing):
                continue
            change = _change(left.view(*one) if one else None, right.view(*other) if other else None, timing)
            if same or change.action != "same":
                yield change


def _pairs(left: _Side, right: _Side) -> Iterator[tuple[bool, bool]]:
    """Say for each step whether an event is taken on the left, on the right, or a pair on both.

    What asks the same is paired first; in the gaps between, what only asks in the same place.
    """
    a = b = 0
    for a_on, b_on, size in [*align(left.requests, right.requests), (len(left.requests), len(right.requests), 0)]:
        x = y = 0
        lefts, rights = left.slots[a:a_on], right.slots[b:b_on]
        for x_on, y_on, paired in [*align(lefts, rights), (len(lefts), len(rights), 0)]:
            yield from ((True, False) for _ in range(x, x_on))
            yield from ((False, True) for _ in range(y, y_on))
            yield from ((True, True) for _ in range(paired))
            x, y = x_on + paired, y_on + paired
        yield from ((True, True) for _ in range(size))
        a, b = a_on + size, b_on + size


def _alike(left: Reader, one: RawEvent, right: Reader, other: RawEvent, timing: bool) -> bool:
    """Tell from the lowered form alone that two paired events are the same; no payload is loaded for it."""
    if timing or one[0] == LANE_START[0]:
        return False
    parts = []
    for reader, raw in ((left, one), (right, other)):
        fields = _call_fields(reader, reader.kinds[raw[0]], raw[3])
        parts.append(encode([*fields[:-2], *fields[-1:]]) if fields else encode(raw[3]))
    return parts[0] == parts[1]


def _call_fields(reader: Reader, row: KindRow, body: Wire) -> tuple[Wire, ...]:
    """Give the fields of a crossing, lowered, from wherever they are kept; nothing for runs and lane starts."""
    if row.fields[-2:] != ("took_ns", "outcome"):
        return ()
    fields = reader._unspill(body, reader.blob)
    if type(fields) is not tuple or len(fields) != len(row.fields):
        raise TapeDamagedError(
            f"{reader.path} holds a damaged event: expected the {len(row.fields)} fields of {row.name}."
        )
    return fields


def _digest(wire: Wire) -> bytes:
    return hashlib.blake2b(encode(wire), digest_size=16).digest()


def _change(left: Event | None, right: Event | None, timing: bool) -> Change:
    if left is None or right is None:
        return Change("added" if left is None else "removed", left, right)
    fields = tuple(
        (name, one, other)
        for name, one, other in _fields(left, right, timing)
        if encode(lower(one, sha256)) != encode(lower(other, sha256))  # equal to the bit: 1 is not True, nor -0.0 0.0
    )
    return Change("changed" if fields else "same", left, right, fields)


def _fields(left: Event, right: Event, timing: bool) -> Iterator[tuple[str, Plain, Plain]]:
    """Give the parts of two paired events side by side."""
    yield from _parts("request", left.request, right.request)
    yield from _parts("outcome", *_outcomes(left.outcome, right.outcome))
    yield "values", left.values, right.values
    if timing:
        yield "at_ns", left.at_ns, right.at_ns
        yield "took_ns", left.took_ns, right.took_ns


def _parts(name: str, left: Plain, right: Plain) -> Iterator[tuple[str, Plain, Plain]]:
    if not isinstance(left, dict) or not isinstance(right, dict) or list(left) != list(right):
        yield name, left, right
        return
    for key in left:
        yield f"{name}.{key}", left[key], right[key]


def _outcomes(left: Outcome | None, right: Outcome | None) -> list[Plain]:
    """Make outcomes comparable: values where both returned, otherwise with the word for how each came about."""
    outcomes = left, right
    if all(isinstance(outcome, Returned) for outcome in outcomes):
        return [outcome.value for outcome in outcomes if isinstance(outcome, Returned)]
    return [_spelled(outcome) for outcome in outcomes]


def _spelled(outcome: Outcome | None) -> Plain:
    if isinstance(outcome, Raised):
        return {"raised": outcome.type, "args": outcome.args, "state": outcome.state}
    return {"returned": outcome.value} if outcome else None
