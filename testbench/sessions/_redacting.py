"""Secrets in events: showing these without, and what an earlier redaction has left on a tape."""

from __future__ import annotations

from typing import Any, Final

import attrs

from testbench.redaction import Redactor, highest
from testbench.tape import Event, Outcome, Raised, Reader, Returned

_LANE_START: Final = 0


def redacted(event: Event, redactor: Redactor) -> Event:
    """Return an event as it may be shown; the very same one where nothing in it is secret."""
    if event.outcome is None:
        values: Any = redactor.value(event.values, eager=False)
        return event if values is event.values else attrs.evolve(event, values=values)
    given = value_of(event.outcome)
    request, value = redactor.event(f"{event.kind}.{event.op}", event.request, given)
    if request is event.request and value is given:
        return event
    return attrs.evolve(event, request=request, outcome=with_value(event.outcome, given, value))


def value_of(outcome: Outcome) -> Any:
    """Return what of an outcome is a value."""
    return outcome.value if isinstance(outcome, Returned) else {"args": outcome.args, "state": outcome.state}


def with_value(outcome: Outcome, given: Any, value: Any) -> Outcome:
    """Return an outcome with another value than the one given by `value_of`."""
    if value is given:
        return outcome
    return Returned(value) if isinstance(outcome, Returned) else Raised(outcome.type, value["args"], value["state"])


def highest_on(reader: Reader) -> int:
    """Return the highest number of a placeholder on a tape, 0 if it holds none."""
    found = highest(reader.meta)
    for number, _, _, body in reader.events():
        row = reader.kinds[number]
        if number != _LANE_START and row.fields != ("values",):
            request, _, outcome = reader.call_body(body, row)
            found = max(found, highest(request), highest(value_of(outcome)))
    return found
