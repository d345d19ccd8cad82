"""Whether two requests are the same, and if not, where they differ."""

from __future__ import annotations

import struct

from testbench.protocol import Plain


def same(left: Plain, right: Plain) -> bool:
    """Compare two plain values exactly: ``1`` is not ``True``, NaN equals itself, ``-0.0`` is not ``0.0``."""
    if type(left) is not type(right):
        return False
    if type(left) is float:
        return struct.pack("<d", left) == struct.pack("<d", right)
    if type(left) is list and type(right) is list:
        return len(left) == len(right) and all(map(same, left, right))
    if type(left) is dict and type(right) is dict:
        return list(left) == list(right) and all(map(same, left.values(), right.values()))
    return left == right


def exact(recorded: Plain, live: Plain) -> str | None:
    """Match only what is the same; the matcher of every op that has none of its own."""
    if same(recorded, live):
        return None
    names = [name for name, _, _ in differences(recorded, live)]
    return f"{', '.join(names)} {'differs' if len(names) == 1 else 'differ'}" if all(names) else "the requests differ"


def differences(recorded: Plain, live: Plain) -> list[tuple[str, Plain, Plain]]:
    """Return (field, recorded, live) for each field that is not the same; one nameless field for plain requests."""
    if type(recorded) is not dict or type(live) is not dict:
        return [] if same(recorded, live) else [("", recorded, live)]
    names = [*recorded, *(name for name in live if name not in recorded)]
    return [
        (name, recorded.get(name), live.get(name))
        for name in names
        if name not in recorded or name not in live or not same(recorded[name], live[name])
    ]
