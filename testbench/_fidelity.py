"""How alike two tapes are, in a named mode: what a live run has to share with a tape to be called the same.

Compared is by alignment, never by position: an event more in the middle is one difference, not all that follow.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from typing import Final, TypeAlias, cast

from attrs import field, frozen

from testbench.errors import UsageError
from testbench.processes import processes
from testbench.protocol import Plain
from testbench.redaction import unmeasured
from testbench.tape import Change, Event, Reader, Returned, Tape, diff
from testbench.tape._align import align

StrPath: TypeAlias = str | os.PathLike[str]

MODES: Final = ("byte", "semantic", "outcome", "phase")

_KEPT: Final = 1000
"""So many differences are kept; the rest is counted."""

_CLOCK_ASKED: Final = ("clock.sleep", "clock.advance", "clock.travel_to")
"""What a program does with time; all else of that kind only reads it."""

_NEVER_TWICE: Final = ("clock", "random", "wait", "lane", "signal", "timer")
_LOOKS: Final = ("process.ready", "process.poll")
"""Looking whether something is there yet: how often is a matter of time."""

_FIELDS: Final = frozenset({"pid", "rusage", "after_s", "si_pid", "node", "mtime_ns", "numbers"})
"""Parts of an outcome that no two runs share."""


@frozen(kw_only=True)
class Fidelity:
    """How alike two tapes are.

    Attributes:
        mode: what counted; see `fidelity`.
        left, right: the tapes.
        same: how many events, of those that count, are on both and say the same.
        total: how many there are on either.
        changes: what differs, in order; at most the first 1,000.
        cut: how many differences there are beyond these.
    """

    mode: str
    left: str
    right: str
    same: int
    total: int
    changes: list[Change] = field(repr=False)
    cut: int = 0

    @property
    def alike(self) -> bool:
        """Whether nothing that counts differs."""
        return self.same == self.total

    @property
    def score(self) -> float:
        """The share of what is the same, from 0.0 to 1.0."""
        return self.same / self.total if self.total else 1.0

    def __str__(self) -> str:
        head = f"fidelity {self.mode}: {self.same:,} of {self.total:,} the same ({self.score:.1%})"
        rest = [f"... and {self.cut:,} more differences"] if self.cut else []
        return "\n".join([head, *map(str, self.changes), *rest])


def fidelity(left: StrPath, right: StrPath, mode: str = "semantic", *, ignore: Collection[str] = ()) -> Fidelity:
    """Compare two tapes under a mode.

    Args:
        left: the tape before.
        right: the tape after.
        mode: ``byte``: the same events to the last bit, times and durations too, as under a paused clock.
            ``semantic``: the same questions with the same answers, in order; not when, nor how long it took, and
            nothing that no two runs share: readings of clocks and timers, randomness, process ids, signals, waits, and
            looks whether something is there yet.
            ``outcome``: each process and each call as a whole, in any order over lanes: what was started, how it ended
            and what it wrote, in whatever pieces the program heard of it.
            ``phase``: the same questions in the same order, whatever the answers.
        ignore: kinds (``"clock"``) and kinds with op (``"process.spawn"``) to leave out.

    Raises:
        UsageError: there is no such mode.
        TapeError: a tape cannot be read.
    """
    if mode not in MODES:
        raise UsageError(f"mode={mode!r} is unknown; expected one of {', '.join(MODES)}")
    found = _outcomes(left, right, ignore) if mode == "outcome" else _events(left, right, mode, ignore)
    same = total = cut = 0
    changes: list[Change] = []
    for change in found:
        total += 1
        if change.action == "same":
            same += 1
        elif len(changes) < _KEPT:
            changes.append(change)
        else:
            cut += 1
    paths = [os.fspath(path) for path in (left, right)]
    return Fidelity(mode=mode, left=paths[0], right=paths[1], same=same, total=total, changes=changes, cut=cut)


def _events(left: StrPath, right: StrPath, mode: str, ignore: Collection[str]) -> Iterator[Change]:
    if mode == "byte":
        yield from _to_the_byte(left, right, ignore)
        return
    names: set[str] = set()
    for path in (left, right):
        with Reader.open(path) as reader:
            names |= {row.name for row in reader.kinds.values() if _is_volatile(row.name)}
    for change in diff(left, right, same=True, ignore=[*ignore, *names]):
        telling = tuple(part for part in change.fields if _tells(part, mode))
        yield (
            Change("same", change.left, change.right)
            if change.fields and not telling
            else Change(change.action, change.left, change.right, telling)
        )


def _to_the_byte(left: StrPath, right: StrPath, ignore: Collection[str]) -> Iterator[Change]:
    """Compare everything, and of times what a tape holds: how long after the event before."""
    before = [0, 0]
    for change in diff(left, right, timing=True, same=True, ignore=ignore):
        passed: list[int] = []
        for side, event in enumerate((change.left, change.right)):
            if event is not None:
                passed.append(event.at_ns - before[side])
                before[side] = event.at_ns
        parts = tuple(part for part in change.fields if part[0] != "at_ns")
        if change.left and change.right:
            parts += () if passed[0] == passed[1] else (("dt_ns", passed[0], passed[1]),)
            yield Change("changed" if parts else "same", change.left, change.right, parts)
        else:
            yield change


def _is_volatile(name: str) -> bool:
    return name in _LOOKS or (name.partition(".")[0] in _NEVER_TWICE and name not in _CLOCK_ASKED)


def _tells(part: tuple[str, Plain, Plain], mode: str) -> bool:
    name, one, other = part
    if name.startswith("request"):
        return _steady(one) != _steady(other)
    return mode != "phase" and name.rpartition(".")[2] not in _FIELDS and _steady(one) != _steady(other)


def _steady(value: Plain, left_out: frozenset[str] = _FIELDS) -> Plain:
    """Return a value without the parts that no two runs share, among them the lengths of secrets."""
    if isinstance(value, dict):
        return {key: _steady(item, left_out) for key, item in value.items() if key not in left_out}
    if isinstance(value, list):
        return [_steady(item, left_out) for item in value]
    if isinstance(value, str):
        return unmeasured(value)
    return unmeasured(value) if isinstance(value, bytes) else value


def _outcomes(left: StrPath, right: StrPath, ignore: Collection[str]) -> Iterator[Change]:
    """Align what was asked of the world as a whole, and compare how it ended."""
    befores, afters = _wholes(left, ignore), _wholes(right, ignore)
    numbers: dict[str, int] = {}
    asked = [[numbers.setdefault(_key(event), len(numbers)) for event in side] for side in (befores, afters)]
    a = b = 0
    for a_on, b_on, size in [*align(*asked), (len(befores), len(afters), 0)]:
        yield from (Change("removed", event, None) for event in befores[a:a_on])
        yield from (Change("added", None, event) for event in afters[b:b_on])
        yield from map(_compared, befores[a_on : a_on + size], afters[b_on : b_on + size])
        a, b = a_on + size, b_on + size


def _compared(one: Event, other: Event) -> Change:
    left, right = _ending(one), _ending(other)
    parts = tuple(
        (f"outcome.{name}", left[name], right[name]) for name in left if _whole(left[name]) != _whole(right.get(name))
    )
    return Change("changed" if parts else "same", one, other, parts)


def _ending(event: Event) -> dict[str, Plain]:
    outcome = event.outcome
    if isinstance(outcome, Returned):
        whole = event.kind == "process" and isinstance(outcome.value, dict)
        return cast("dict[str, Plain]", outcome.value) if whole else {"returned": _steady(outcome.value)}
    return {"raised": None if outcome is None else [outcome.type, outcome.args]}


def _key(event: Event) -> str:
    return repr((event.kind, event.op, _whole(event.request)))


def _whole(value: Plain) -> Plain:
    return _steady(value, frozenset())


def _wholes(path: StrPath, ignore: Collection[str]) -> list[Event]:
    """Return processes and calls of a tape, each one event, ordered by what they ask and then by time."""
    with Tape.open(path) as tape:
        events = [] if "process" in ignore else list(_processes(tape))
        events += [event for event in tape if event.values is None and _counts(event, ignore)]
    return sorted(events, key=lambda event: (_key(event), event.seq))


def _counts(event: Event, ignore: Collection[str]) -> bool:
    name = f"{event.kind}.{event.op}"
    return event.kind not in (*_NEVER_TWICE, "process", *ignore) and name not in ignore


def _processes(tape: Iterable[Event]) -> Iterator[Event]:
    for process in processes(tape):
        error = process.error
        ending: dict[str, Plain] = {
            "returncode": process.returncode,
            "stdout": process.stdout,
            "stderr": process.stderr,
            "timeout": process.expired,
            "error": None if error is None else [error.type, error.args],
        }
        argv: list[Plain] = list(process.argv)
        asked: dict[str, Plain] = {"argv": argv, "cwd": process.cwd, "shell": process.shell, "stdin": process.stdin}
        yield Event(
            seq=process.seq,
            lane=process.lane,
            kind="process",
            op="run",
            at_ns=0,
            request=asked,
            outcome=Returned(ending),
        )
