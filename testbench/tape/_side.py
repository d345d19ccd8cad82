"""One side of a diff: a tape's events as numbers that can be aligned, and as values once they are.

Stretches at both ends that have the same seals on both tapes are the same to the byte; they are neither numbered nor
compared.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from testbench.errors import TapeDamagedError
from testbench.tape._codec import encode
from testbench.tape._event import Event, KindRow
from testbench.tape._items import LANE_START
from testbench.tape._raw import RawEvent
from testbench.tape._reader import Reader
from testbench.tape._view import make_event
from testbench.tape._wire import Wire


class Side:
    """One of the two tapes.

    Attributes:
        slots, requests: per event that is compared, a number for who asks (kind, op, lane) and one for what (the
            request too); equal on both sides for what is equal.
    """

    def __init__(self, reader: Reader, ignore: Collection[str]) -> None:
        self._reader, self._ignore = reader, ignore
        self.slots, self.requests = array("I"), array("I")
        self._start, self._stop = 0, reader.total
        self._start_ns, self._start_names = 0, {0: "main"}
        self._at_ns, self._names = 0, {0: "main"}

    def skip_same_ends(self, other: Side) -> None:
        """Leave out, on both sides, what the seals prove to be the same."""
        mine, its = self._reader, other._reader
        if not (_agree(mine.kinds, its.kinds) and _agree(mine.lanes(), its.lanes())):
            return  # equal bytes would mean different events
        first, last, most = 0, 0, min(mine.segment_count, its.segment_count)
        while first < most and mine.seal(first) == its.seal(first):
            first += 1
        if mine.tail == its.tail == ():
            while first + last < most and mine.seal(-last - 1) == its.seal(-last - 1):
                last += 1
        self._keep(first, last)
        other._start = self._start
        other._stop = its.first_seq(its.segment_count - last) if last else its.total
        other._start_ns, other._start_names = self._start_ns, self._start_names

    def number(self, numbers: dict[bytes, int]) -> None:
        """Fill `slots` and `requests`; ``numbers`` is shared by both sides."""
        for _, raw in self.raw_events():
            row = self._reader.kinds[raw[0]]
            slot = numbers.setdefault(_digest([row.name, self._names.get(raw[2])]), len(numbers))
            asked = self._fields(row, raw[3])[:-2]
            self.slots.append(slot)
            self.requests.append(numbers.setdefault(_digest([slot, list(row.fields), *asked]), len(numbers)))

    def raw_events(self) -> Iterator[tuple[int, RawEvent]]:
        """Read what is compared, without the kinds that are ignored."""
        self._at_ns, self._names = self._start_ns, dict(self._start_names)
        for seq, raw in enumerate(self._reader.events(start=self._start), self._start):
            if seq >= self._stop:
                return
            self._at_ns += raw[1]
            if raw[0] == LANE_START[0]:
                self._names[raw[2]] = raw[3][0]
            row = self._reader.kinds[raw[0]]
            if row.kind not in self._ignore and row.name not in self._ignore:
                yield seq, raw

    def view(self, seq: int, raw: RawEvent) -> Event:
        """Make the event that `raw_events` gave last."""
        return make_event(self._reader, seq, self._at_ns, raw, self._names)

    def sameness(self, raw: RawEvent) -> bytes | None:
        """Give bytes that are equal when two paired events say the same; None when that cannot be told from bytes.

        Payloads are compared by digest, and none is loaded for it.
        """
        if raw[0] == LANE_START[0]:
            return None
        row = self._reader.kinds[raw[0]]
        fields = self._fields(row, raw[3])
        return encode([list(row.fields), *fields[:-2], *fields[-1:]] if fields else raw[3])

    def _keep(self, first: int, last: int) -> None:
        """Leave out so many segments at both ends; those in front are still read, for the time and the lanes."""
        self._start = self._reader.first_seq(first)
        self._stop = self._reader.first_seq(self._reader.segment_count - last) if last else self._reader.total
        for number in range(first):
            for kind, dt, lane, body in self._reader.segment(number):
                self._start_ns += dt
                if kind == LANE_START[0]:
                    self._start_names[lane] = body[0]

    def _fields(self, row: KindRow, body: Wire) -> tuple[Wire, ...]:
        """Give the fields of a crossing, lowered, from wherever they are kept; nothing for runs and lane starts."""
        if row.fields[-2:] != ("took_ns", "outcome"):
            return ()
        fields = self._reader.unspill(body, self._reader.blob)
        if type(fields) is not tuple or len(fields) != len(row.fields):
            raise TapeDamagedError(
                f"{self._reader.path} holds a damaged event: expected the {len(row.fields)} fields of {row.name!r}. "
                f"`testbench check {self._reader.path}` says where."
            )
        return fields


def _agree(one: Mapping[int, Any], other: Mapping[int, Any]) -> bool:
    return all(one[number] == other[number] for number in one.keys() & other.keys())


def _digest(wire: Wire) -> bytes:
    return hashlib.blake2b(encode(wire), digest_size=16).digest()
