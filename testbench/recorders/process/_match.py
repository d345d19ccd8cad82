"""Whether two requests of kind ``process`` ask the same. A field recorded as None says nothing and matches anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from testbench.protocol import Matcher, Plain
from testbench.values import same

_SHORT: Final = 80


def match_spawn(recorded: Plain, live: Plain) -> str | None:
    """Compare every field of two spawns; see `testbench.recorders.process._spawn.request_of`."""
    return None if same(recorded, live) else _told(_differing(_fields(recorded), _fields(live)))


def match_communicate(recorded: Plain, live: Plain) -> str | None:
    """Compare child and input. Of the timeout only whether there is one: how long it is changes no answer."""
    if same(recorded, live):
        return None
    before, now = dict(_fields(recorded)), dict(_fields(live))
    for request in (before, now):
        request["timeout"] = None if request.get("timeout") is None else True
    return _told(_differing(before, now))


def match_wait(recorded: Plain, live: Plain) -> str | None:
    """Compare child and whether there is a timeout."""
    return match_communicate(recorded, live)


MATCHERS: Final[Mapping[str, Matcher]] = {
    "spawn": match_spawn,
    "communicate": match_communicate,
    "wait": match_wait,
}


def _fields(request: Plain) -> dict[str, Plain]:
    return request if isinstance(request, dict) else {"request": request}


def _differing(recorded: dict[str, Plain], live: dict[str, Plain]) -> list[tuple[str, Plain, Plain]]:
    names = [*live, *(name for name in recorded if name not in live)]
    return [
        (name, recorded[name], live.get(name))
        for name in names
        if recorded.get(name) is not None and not _same(recorded[name], live.get(name))
    ]


def _same(left: Plain, right: Plain) -> bool:
    """Compare as the tape does, where ``1`` is not ``True``; a dict is a set of named values."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    return left == right


def _told(found: list[tuple[str, Plain, Plain]]) -> str | None:
    return "; ".join(f"{name} was {_short(was)}, now {_short(now)}" for name, was, now in found) or None


def _short(value: Plain) -> str:
    text = repr(value)
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 1]}…"
