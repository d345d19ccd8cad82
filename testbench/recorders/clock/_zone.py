"""The time zone of a recording, which a replay lives in: conversions are computed live, and must come out the same.

``time.localtime(seconds)``, ``mktime``, ``datetime.fromtimestamp``, ``astimezone`` and their kin ask the C library, in
C. So the library itself is given the zone of the recording (tzset(3)), for as long as the replay lasts.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from testbench.errors import UsageError
from testbench.protocol import Plain

_LOCALTIME: Final = "/etc/localtime"
_DATABASE: Final = "/zoneinfo/"

_HALF_YEAR_S: Final = 15_778_800
_PROBES: Final = tuple(range(0, 140 * _HALF_YEAR_S, 5 * _HALF_YEAR_S))
"""Moments of 1970 to 2040, winter and summer in turns, at which the offset is looked at."""


def zone() -> Plain:
    """Return what tells the zone of this process: how to ask for it, its names, and its offsets at some moments."""
    return {"name": os.environ.get("TZ") or _system_zone(), **_rules()}


@contextmanager
def living_in(recorded: Plain) -> Iterator[None]:
    """Give the process the zone of a recording; nothing happens where it is the same, or the tape does not tell.

    Raises:
        UsageError: this machine does not know that zone.
    """
    if not isinstance(recorded, dict) or _same(recorded):
        yield
        return
    name = recorded.get("name")
    try:
        _set(name if isinstance(name, str) else None)
        if not _same(recorded):
            raise UsageError(
                f"the tape was recorded in the time zone {name!r}, which this machine does not know, or "
                "knows with other rules; local times would come out differently. Install the time zone database "
                "(tzdata), or record again."
            )
        yield
    finally:
        _set(os.environ.get("TZ"))


def _same(recorded: dict[str, Plain]) -> bool:
    return all(recorded.get(part) == here for part, here in _rules().items())


def _rules() -> dict[str, Plain]:
    return {"names": [*time.tzname], "offsets": [time.localtime(moment).tm_gmtoff for moment in _PROBES]}


def _set(name: str | None) -> None:
    """Tell the C library alone: what the program sees in ``os.environ`` is its own."""
    if name is None:
        os.unsetenv("TZ")
    else:
        os.putenv("TZ", name)
    time.tzset()


def _system_zone() -> str:
    """Return the name of the system's zone; ``:/etc/localtime`` where that file is no link into the database."""
    try:
        target = os.path.realpath(_LOCALTIME)
    except OSError:
        return "UTC0"
    return target.rpartition(_DATABASE)[2] if _DATABASE in target else f":{_LOCALTIME}"
