"""Points and spans of time as a user gives them, as integers of nanoseconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from testbench.errors import UsageError

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_AGES_S: Final = 1e12
"""30,000 years: no calendar of Python goes so far."""


def instant_ns(given: int | datetime | str, name: str) -> int:
    """Return nanoseconds since the epoch.

    Args:
        given: nanoseconds since the epoch, a datetime with a zone, or ISO 8601 text with one.
        name: what it is called in an error.

    Raises:
        UsageError: it is none of these.
    """
    moment: object = given
    if isinstance(moment, str):
        try:
            moment = datetime.fromisoformat(moment)
        except ValueError as error:
            raise UsageError(f"{name}={given!r} is no ISO 8601 date and time; write 2026-01-01T00:00:00Z") from error
    if isinstance(moment, datetime):
        if moment.tzinfo is None:
            raise UsageError(
                f"{name}={given} has no time zone; add one (Z for UTC), so that it means the same everywhere"
            )
        return (moment - _EPOCH) // _MICROSECOND * 1000
    if type(moment) is not int:
        raise UsageError(f"{name}={given!r} is no time; give a datetime with a zone, ISO 8601 text, or nanoseconds")
    return moment


def span_ns(given: float | timedelta, name: str) -> int:
    """Return the nanoseconds of a span of time.

    Args:
        given: seconds, or a timedelta; not negative.
        name: what it is called in an error.

    Raises:
        UsageError: it is no span, or a negative one.
    """
    if isinstance(given, timedelta):
        ns = given // _MICROSECOND * 1000
    elif isinstance(given, int | float) and abs(given) <= _AGES_S:  # NaN is not
        ns = round(given * 1_000_000_000)
    else:
        raise UsageError(f"{name}={given!r} is no span of time; give seconds or a timedelta")
    if ns < 0:
        raise UsageError(f"{name}={given!r} is negative: time elapses forwards only; travel_to sets the clock back")
    return ns
