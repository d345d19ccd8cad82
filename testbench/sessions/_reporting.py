"""Looking around when a run leaves its tape: what was expected, what came, and what stands nearby."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from testbench.errors import (
    DivergenceError,
    ExhaustedError,
    LeftoverError,
    MismatchError,
    RefusedError,
    StallError,
    TapeError,
)
from testbench.protocol import Matcher, Plain
from testbench.sessions._cursor import Cursor
from testbench.sessions._divergence import Divergence
from testbench.sessions._lanes import Lanes
from testbench.sessions._matching import differences, exact
from testbench.sessions._scene import scene
from testbench.sessions._where import user_line
from testbench.tape import Event, Reader
from testbench.tape._view import make_event

_LOOK_AHEAD: Final = 2000
"""How many later events are searched for one that would have matched."""

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
        matchers: per kind and op, its matcher.
        lanes: who runs and waits.
    """

    def __init__(self, reader: Reader, cursor: Cursor, matchers: Mapping[str, Matcher], lanes: Lanes) -> None:
        self._reader = reader
        self._cursor = cursor
        self._matchers = matchers
        self._lanes = lanes

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
        ahead = [event for event in map(self._view, cursor.rest(_LOOK_AHEAD)) if event is not None]
        recorded = None if cursor.event is None else self._view((cursor.seq, cursor.now_ns, cursor.event))
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
            after=ahead[:2],
            candidate=self._nearest(ahead, name, request),
            tape=self._reader.path,
            rule="same kind and op, request by its matcher, recorded order over all lanes",
            where=user_line(),
            lanes=scene(self._lanes, lane, name),
        )
        return _ERRORS[code](str(report), report)

    def _nearest(self, ahead: list[Event], name: str, request: Plain) -> Event | None:
        matcher = self._matchers.get(name, exact)
        for event in ahead:
            if f"{event.kind}.{event.op}" == name and (
                event.values is not None or matcher(event.request, request) is None
            ):
                return event
        return None

    def _view(self, at: tuple[int, int, tuple[Any, ...]]) -> Event | None:
        seq, before_ns, raw = at
        try:
            return make_event(self._reader, seq, before_ns + raw[1], raw, self._cursor.names)
        except TapeError:
            return None  # a damaged neighbour is no reason to hide the divergence; `testbench check` names it
