"""Looking around when a run leaves its tape: what was expected, what came, and what stands nearby."""

from __future__ import annotations

import sys
from functools import partial
from itertools import islice
from typing import Final

from testbench._host import differing
from testbench.errors import (
    DivergenceError,
    ExhaustedError,
    LeftoverError,
    MismatchError,
    RefusedError,
    StallError,
    TapeError,
)
from testbench.protocol import Plain
from testbench.redaction import Redactor
from testbench.sessions._candidates import Candidate, nearest
from testbench.sessions._comparing import Comparing
from testbench.sessions._cursor import LANE_START, Cursor, RawEvent
from testbench.sessions._divergence import Divergence
from testbench.sessions._lanes import Lanes
from testbench.sessions._matching import differences
from testbench.sessions._redacting import redacted
from testbench.sessions._scene import scene
from testbench.tape import Event, Reader
from testbench.tape._view import make_event
from testbench.tasks import tasks_of
from testbench.where import user_line

_REACH: Final = 20_000
"""How many events in each direction are searched for one that would have matched."""

RawAt = tuple[int, int, RawEvent]
"""Position, time of the event before, and the event."""

_ERRORS: Final[dict[str, type[DivergenceError]]] = {
    "mismatch": MismatchError,
    "exhausted": ExhaustedError,
    "leftover": LeftoverError,
    "refused": RefusedError,
    "stall": StallError,
}


class Reporter:
    """Makes the divergence of a replay.

    Args:
        reader: the tape.
        cursor: where the replay is on it.
        comparing: tells what would have matched.
        lanes: who runs and waits.
        rule: what had to match.
        redactor: takes secrets out of what is shown; None leaves them there.
    """

    def __init__(
        self,
        reader: Reader,
        cursor: Cursor,
        comparing: Comparing,
        lanes: Lanes,
        rule: str,
        redactor: Redactor | None = None,
    ) -> None:
        self._reader = reader
        self._cursor = cursor
        self._comparing = comparing
        self._lanes = lanes
        self._redactor = redactor
        self._rule = rule
        self._names: dict[int, str] = {}  # of lanes that have started, and of those that do so in what is shown

    def error(self, code: str, reason: str, lane: str, name: str, request: Plain) -> DivergenceError:
        """Return the exception to raise; the cursor may not move any more.

        Args:
            code: see `Divergence.code`.
            reason: one sentence.
            lane: the lane that made the call.
            name: kind and op that it called, empty at the end of the run.
            request: what it asked.
        """
        cursor = self._cursor
        if self._redactor is not None:
            request, reason = self._redactor.value(request), self._text(reason)
        rest = cursor.rest(_REACH)
        coming = [event for _, _, event in rest] + ([] if cursor.event is None else [cursor.event])
        self._names = cursor.names | {event[2]: str(event[3][0]) for event in coming if event[0] == LANE_START}
        recorded = None if cursor.event is None else self._view((cursor.seq, cursor.now_ns, cursor.event))
        tasks = tasks_of(sys._getframe())
        task = "" if tasks is None else self._text(tasks.running)
        suspended = code == "stall" or (tasks is not None and not task)
        alike = recorded is not None and f"{recorded.kind}.{recorded.op}" == name
        report = Divergence(
            code=code,
            reason=reason,
            seq=cursor.seq,
            total=self._reader.total,
            lane=lane,
            recorded=recorded,
            name=name,
            request=request,
            differences=differences(recorded.request, request) if recorded is not None and alike else [],
            before=[event for event in map(self._view, cursor.before) if event is not None],
            after=[event for event in map(self._view, rest[:2]) if event is not None],
            candidates=self._candidates(rest, name, request),
            tape=self._reader.path,
            rule=self._rule,
            where=user_line(),
            task=task,
            lanes=scene(self._lanes, lane, name, tasks=suspended, shown=self._text),
            host=self._host(),
        )
        return _ERRORS[code](str(report), report)

    def _text(self, text: str) -> str:
        return text if self._redactor is None else self._redactor.text(text)

    def _host(self) -> list[tuple[str, Plain, Plain]]:
        """Return what is different on this machine; secrets among the words of a command are no difference."""
        found = differing(self._reader.meta)
        if self._redactor is None:
            return found
        shown = [(name, self._redactor.value(then), self._redactor.value(now)) for name, then, now in found]
        return [(name, then, now) for name, then, now in shown if then != now]

    def _candidates(self, rest: list[RawAt], name: str, request: Plain) -> list[Candidate]:
        named = {row.number for row in self._reader.kinds.values() if row.name == name}
        if not named:
            return []
        behind, ahead = (
            (event for event in map(self._view, side) if event is not None)
            for side in ([at for at in self._behind() if at[2][0] in named], (at for at in rest if at[2][0] in named))
        )
        return nearest(self._cursor.seq, request, behind, ahead, partial(self._comparing.unlike, name))

    def _behind(self) -> list[RawAt]:
        """Return the last events that were taken."""
        cursor = self._cursor
        start = max(0, cursor.seq - _REACH)
        try:
            taken = list(islice(self._reader.events(start=start), cursor.seq - start))
        except TapeError:
            return []
        at_ns = cursor.now_ns - sum(event[1] for event in taken)
        found: list[RawAt] = []
        for seq, event in enumerate(taken, start):
            found.append((seq, at_ns, event))
            at_ns += event[1]
        return found

    def _view(self, at: RawAt) -> Event | None:
        seq, before_ns, raw = at
        try:
            event = make_event(self._reader, seq, before_ns + raw[1], raw, self._names)
            return event if self._redactor is None else redacted(event, self._redactor)
        except TapeError:
            return None  # a damaged neighbour is no reason to hide the divergence; `testbench check` names it
