"""Events as they stand on the tape: ``[kind, dt, lane, body]``, decoded and not lifted."""

from __future__ import annotations

from typing import Any, TypeAlias

from testbench.tape._codec import MalformedError, decode_sequence
from testbench.tape._items import LANE_START

RawEvent: TypeAlias = tuple[int, int, int, Any]
"""Kind number, nanoseconds since the event before, lane number, lowered body (of a lane start: name, parent lane)."""


def decode_events(data: bytes, count: int) -> tuple[RawEvent, ...]:
    """Decode a segment.

    Raises:
        MalformedError: these are not ``count`` events.
    """
    events = decode_sequence(data, count)
    total = 0
    try:
        for kind, dt, lane, body in events:
            # Adding them up proves that they are numbers, at a fraction of the price of asking each. A kind that is no
            # number has no row.
            total += dt + lane
            if not kind and not _is_lane_start(body):
                raise MalformedError("a lane start is [name, number of the parent lane or null]")
    except TypeError:
        total = -1
    except ValueError as error:
        raise MalformedError("an event is not [kind, dt, lane, body]") from error
    if type(total) is not int or total < 0:
        raise MalformedError("dt and lane of an event are whole numbers")
    return events


def is_event(item: Any) -> bool:
    """Tell whether a decoded item is an event, to the letter."""
    if type(item) is not tuple or len(item) != 4 or not all(type(number) is int and number >= 0 for number in item[:3]):
        return False
    return item[0] != LANE_START[0] or _is_lane_start(item[3])


def _is_lane_start(body: Any) -> bool:
    if type(body) is not tuple or len(body) != 2 or type(body[0]) is not str:
        return False
    return body[1] is None or (type(body[1]) is int and body[1] >= 0)
