"""Reading and replacing what stands in one place of an event."""

from __future__ import annotations

from testbench.protocol import Place, Plain


def at(place: Place, request: Plain, outcome: Plain) -> Plain:
    """Return what is in one place of an event, None if there is no such place."""
    value = request if place[0] == "request" else outcome
    for key in place[1:]:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def replaced(value: Plain, keys: Place, new: Plain) -> Plain:
    """Return a value with another one in one place, behind keys that it has."""
    if not keys:
        return new
    assert isinstance(value, dict)
    return {**value, keys[0]: replaced(value[keys[0]], keys[1:], new)}
