"""The facts of a run that follows a tape and then leaves it: those of the tape hold for all of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from testbench.protocol import Effect, Plain
from testbench.sessions._errors import rebuild
from testbench.sessions._facts import Key, RecordedFacts, key_of, values_of
from testbench.sessions._lanes import Lane
from testbench.sessions._prefix import Prefix
from testbench.tape import Outcome, Raised


@attrs.frozen
class _Asked:
    """A fact that is to be on the new tape, unless the old one brings it there."""

    name: str
    lane: int
    request: Plain
    outcome: Outcome


class SplicedFacts(RecordedFacts):
    """Answers from the old tape where that knows, from the world where it does not.

    Args:
        prefix: the old tape.
        parts: those of `RecordedFacts`.
    """

    def __init__(self, prefix: Prefix, **parts: Any) -> None:
        super().__init__(**parts)
        self._prefix = prefix
        self._waiting: dict[Key, _Asked] | None = {}

    def ask(self, name: str, request: Plain, effect: Effect, raises: tuple[type[BaseException], ...]) -> Plain:
        """Answer from the old tape, also where the run has left it; see `testbench.protocol.Call.fact`."""
        lane, old = self._lanes.known(), self._prefix.facts.get(key_of(name, request))
        if old is None or lane is None or lane.depth or self._state.is_idle():
            return super().ask(name, request, effect, raises)
        self._tell(lane, name, request, lambda: old[1])
        if isinstance(old[1], Raised):
            raise rebuild(old[1], raises)
        return old[1].value

    def foretold(self, name: str) -> Sequence[tuple[Plain, Plain]]:
        """Return what the old tape knows of one op."""
        return values_of(self._prefix.facts, name)

    def go_live(self) -> None:
        """Write what was asked for, and the part of the old tape that was kept does not hold."""
        waiting, self._waiting = self._waiting, None
        for key, asked in (waiting or {}).items():
            if key not in self._prefix.kept:
                self._appender.fact(asked.name, asked.lane, asked.request, asked.outcome)

    def _write(self, lane: Lane, name: str, request: Plain, outcome: Outcome) -> None:
        key = key_of(name, request)
        if self._waiting is not None:
            self._waiting[key] = _Asked(name, lane.number, request, outcome)
        elif key not in self._prefix.kept:
            super()._write(lane, name, request, outcome)
