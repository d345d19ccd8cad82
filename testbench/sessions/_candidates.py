"""Where on a tape the call stands that a program makes, when it is not the next one: before, further on, or nearly."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

import attrs

from testbench.protocol import Plain
from testbench.sessions._matching import differences
from testbench.tape import Event

_SHOWN: Final = 3
_COMPARED: Final = 200
"""So many events of the same name are compared field by field in each direction."""

Unlike = Callable[[Plain, Plain], "str | None"]
"""Says why a recorded request is not the live one; None if it is."""


@attrs.frozen
class Candidate:
    """An event that may be the one that is meant.

    Attributes:
        event: where it stands is its ``seq``.
        why: a clause that says how near it is.
        exact: the call is the same.
    """

    event: Event
    why: str
    exact: bool


def nearest(
    seq: int, request: Plain, behind: Iterable[Event], ahead: Iterable[Event], unlike: Unlike
) -> list[Candidate]:
    """Return what comes nearest to a call, the best first.

    Args:
        seq: where the replay is.
        request: what the program asks.
        behind: events of the same kind and op that have been taken, in order.
        ahead: those that come after the next one.
        unlike: compares requests.
    """
    taken: deque[Event] = deque(maxlen=_COMPARED)
    coming: list[Event] = []
    later = before = None
    for event in behind:
        taken.append(event)
        before = event if _is_same(event, request, unlike) else before
    for event in ahead:
        if _is_same(event, request, unlike):
            later = event
            break
        coming += [event] if len(coming) < _COMPARED else []
    found: list[Candidate] = []
    if later is not None:
        skipped = later.seq - seq
        events = "one event was" if skipped == 1 else f"{skipped:,} events were"
        found.append(Candidate(later, f"the same call is at seq {later.seq}: {events} skipped", exact=True))
    if before is not None:
        told = f"the same call was answered at seq {before.seq}: the program makes it once more, or an event is missing"
        found.append(Candidate(before, told, exact=True))
    return (found + _alike(seq, request, [*taken, *coming], found))[:_SHOWN]


def _is_same(event: Event, request: Plain, unlike: Unlike) -> bool:
    return event.values is not None or unlike(event.request, request) is None


def _alike(seq: int, request: Plain, events: list[Event], found: list[Candidate]) -> list[Candidate]:
    """Return events of which some fields are the same, those with most of them first, and then the nearest."""
    if type(request) is not dict or found:
        return []
    scored = []
    for event in events:
        names = [name for name, _, _ in differences(event.request, request)]
        if 0 < len(names) < len(request):
            scored.append((len(names), abs(event.seq - seq), event, names))
    best = sorted(scored, key=lambda entry: entry[:2])[: _SHOWN - 1]
    return [
        Candidate(event, f"a call like it is at seq {event.seq}: other {', '.join(names)}", exact=False)
        for _, _, event, names in best
    ]
