"""A divergence as data, and as the report that a person reads."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import attrs

from testbench.protocol import Plain
from testbench.tape import Event
from testbench.tape._text import fields, line, short


@attrs.frozen(kw_only=True)
class Divergence:
    """Where and how a run left its tape.

    Attributes:
        code: a stable word: ``mismatch``, ``exhausted``, ``leftover``, ``refused``, ``stall``.
        reason: one sentence.
        seq: position of the event that the tape holds here; equal to ``total`` at its end.
        total: how many events the tape holds.
        lane: the lane that made the call.
        recorded: the event that the tape holds here.
        name: kind and op that the program called; empty for a leftover.
        request: what the program asked.
        differences: (field, recorded, live) for each field that is not the same.
        before: up to three events before.
        after: up to two events after.
        candidate: the nearest later event that would have matched.
        tape: the file.
        rule: what had to match.
        where: ``file:line in function`` of the user's code.
        lanes: for each lane its ``name``, what it ``waits_for`` and ``where`` in the user's code; empty if there is but
            one.
    """

    code: str
    reason: str
    seq: int
    total: int
    lane: str
    recorded: Event | None
    name: str
    request: Plain
    differences: list[tuple[str, Plain, Plain]]
    before: list[Event]
    after: list[Event]
    candidate: Event | None
    tape: Path
    rule: str
    where: str
    lanes: list[dict[str, str]] = attrs.Factory(list)

    def as_data(self) -> dict[str, Any]:
        """Return the report as plain data, for tools."""
        return attrs.asdict(self, recurse=False)

    def __str__(self) -> str:
        return "\n".join(
            [
                f"{self.code}: {self.reason}",
                f"  at       call {self.seq + 1} of {self.total}, lane {self.lane}",
                f"  code     {self.where}",
                *self._asked(),
                *(
                    f"  {name or 'request':<8} recorded {short(a)}\n           live     {short(b)}"
                    for name, a, b in self.differences
                ),
                *self._neighbours(),
                *self._hint(),
                *self._who(),
                f"  tape     {self.tape} (mode replay; {self.rule})",
                f"  look     testbench show {shlex.quote(str(self.tape))} --seq {max(0, self.seq - 5)}..{self.seq + 5}",
                "  fix      if the program changed on purpose, record again; else find why it asks something else",
            ]
        )

    def _asked(self) -> list[str]:
        recorded = "the tape has ended" if self.recorded is None else line(self.recorded).strip()
        lines = [f"  recorded {recorded}"]
        if self.name:
            lines.append(f"  live     {self.name}  {fields(self.request)}".rstrip())
        return lines

    def _neighbours(self) -> list[str]:
        before = [f"  before   {line(event).strip()}" for event in self.before]
        return before + [f"  after    {line(event).strip()}" for event in self.after]

    def _who(self) -> list[str]:
        return [f"  lane     {row['name']} waits for {row['waits_for']}, at {row['where']}" for row in self.lanes]

    def _hint(self) -> list[str]:
        if self.candidate is None:
            return []
        skipped = self.candidate.seq - self.seq
        events = "one event was" if skipped == 1 else f"{skipped} events were"
        return [f"  nearest  the same call is at seq {self.candidate.seq}: {events} skipped"]
