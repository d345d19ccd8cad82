"""A divergence as data, and as the report that a person reads."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any, Final

import attrs

from testbench.protocol import Plain
from testbench.sessions._candidates import Candidate
from testbench.tape import Event, Raised, Returned
from testbench.tape._text import fields, line, short

_BOLD: Final = "\033[1m"
_DIM: Final = "\033[2m"
_PLAIN: Final = "\033[0m"
_COLOURS: Final = {"recorded": "\033[31m", "live": "\033[32m", "before": _DIM, "after": _DIM}
_WINDOW: Final = 40
"""So many characters are shown on both sides of where two long texts part."""


@attrs.frozen(kw_only=True)
class Divergence:
    """Where and how a run left its tape.

    Attributes:
        code: a stable word: ``mismatch``, ``exhausted``, ``leftover``, ``refused``, ``stall``.
        reason: one sentence.
        seq: position of the event that the tape holds here; equal to ``total`` at its end.
        total: how many events the tape holds.
        lane: the lane that made the call.
        task: the task of asyncio that made it, by its number in its event loop or by its name; empty if none did.
        recorded: the event that the tape holds here.
        name: kind and op that the program called; empty for a leftover.
        request: what the program asked.
        differences: (field, recorded, live) for each field that is not the same.
        before: up to three events before.
        after: up to two events after.
        candidates: events elsewhere that may be the ones meant, the nearest first.
        tape: the file.
        rule: what had to match.
        where: ``file:line in function`` of the user's code.
        lanes: for each lane its ``name``, what it ``waits_for`` and ``where`` in the user's code; empty if there is but
            one. Where an event loop has nothing to do, or no lane can go on, so are suspended tasks of asyncio.
        host: (what, recorded, now) for what the header of the tape says of the machine and is different here.
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
    candidates: list[Candidate]
    tape: Path
    rule: str
    where: str
    task: str = ""
    lanes: list[dict[str, str]] = attrs.Factory(list)
    host: list[tuple[str, Plain, Plain]] = attrs.Factory(list)

    @property
    def look(self) -> str:
        """A command to paste that shows the tape around here."""
        return f"testbench show {shlex.quote(str(self.tape))} --seq {max(0, self.seq - 5)}..{self.seq + 5}"

    def as_data(self) -> dict[str, Any]:
        """Return the report as plain data, for tools: the attributes by name, events as dicts, and the mode."""
        data = attrs.asdict(self, recurse=False)
        data |= {
            "mode": "replay",
            "tape": str(self.tape),
            "recorded": self.recorded and _as_data(self.recorded),
            "before": [_as_data(event) for event in self.before],
            "after": [_as_data(event) for event in self.after],
            "candidates": [
                {"why": found.why, "exact": found.exact, "event": _as_data(found.event)} for found in self.candidates
            ],
            "look": self.look,
        }
        return {**data, **{name: [list(parts) for parts in data[name]] for name in ("differences", "host")}}

    def __str__(self) -> str:
        return self.render()

    def render(self, *, colour: bool = False) -> str:
        """Return the report as lines to read, with colours of a terminal if asked for."""
        rows = [
            ("at", f"call {self.seq + 1:,} of {self.total:,}, lane {self.lane}{self.task and f', {self.task}'}"),
            ("code", self.where),
            *self._asked(),
            *self._neighbours(),
            *(("nearest", found.why) for found in self.candidates),
            *(("lane", f"{row['name']} waits for {row['waits_for']}, at {row['where']}") for row in self.lanes),
            *(("here", f"{name} is {short(now)}, and was {short(then)}") for name, then, now in self.host),
            ("tape", f"{self.tape} (mode replay; {self.rule})"),
            ("look", self.look),
            ("fix", "if the program changed on purpose, record again; else find why it asks something else"),
        ]
        head = f"{self.code}: {self.reason}"
        if not colour:
            return "\n".join([head, *(f"  {label:<8} {text}" for label, text in rows)])
        return "\n".join([f"{_BOLD}{head}{_PLAIN}", *(_coloured(label, text) for label, text in rows)])

    def _asked(self) -> list[tuple[str, str]]:
        rows = [("recorded", "the tape has ended" if self.recorded is None else line(self.recorded).strip())]
        if self.name:
            rows.append(("live", f"{self.name}  {fields(self.request)}".rstrip()))
        for name, recorded, live in self.differences:
            one, other = _apart(recorded, live)
            rows += [(name or "request", f"recorded {one}"), ("", f"live     {other}")]
        return rows

    def _neighbours(self) -> list[tuple[str, str]]:
        before = [("before", line(event).strip()) for event in self.before]
        return before + [("after", line(event).strip()) for event in self.after]


def _coloured(label: str, text: str) -> str:
    colour = _COLOURS.get(label) or _COLOURS.get(text.partition(" ")[0], "")
    return f"  {_DIM}{label:<8}{_PLAIN} {colour}{text}{_PLAIN}"


def _apart(recorded: Plain, live: Plain) -> tuple[str, str]:
    """Return two values as they are shown side by side; of long texts the part where they differ."""
    are_texts = type(recorded) is type(live) and isinstance(recorded, str | bytes)
    at = _first_difference(recorded, live) if are_texts else -1
    if at < 2 * _WINDOW:
        return short(recorded), short(live)
    window = slice(at - _WINDOW, at + _WINDOW)
    told = f"… from {at - _WINDOW:,} on, of {{:,}}: "
    shown = [f"{told.format(len(value))}{short(value[window])}" for value in (recorded, live)]  # type: ignore[arg-type,index]
    return shown[0], shown[1]


def _first_difference(one: Any, other: Any) -> int:
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _as_data(event: Event) -> dict[str, Any]:
    data: dict[str, Any] = {"seq": event.seq, "lane": event.lane, "kind": event.kind, "op": event.op}
    data["at_ns"] = event.at_ns
    if event.values is not None:
        return {**data, "values": event.values}
    data |= {"request": event.request, "took_ns": event.took_ns}
    match event.outcome:
        case Returned(value):
            data["returned"] = value
        case Raised(name, args, state):
            data["raised"] = {"type": name, "args": args, "state": state}
    return data
