"""What a reader of a tape sees: events, outcomes, findings and the summary, as frozen values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, TypeAlias

from attrs import field, frozen

from testbench.protocol import Plain

Severity: TypeAlias = Literal["info", "warning", "error"]
"""``error``: the tape does not hold what was written. ``warning``: it may not. ``info``: worth knowing."""


def _names(fields: Iterable[str]) -> tuple[str, ...]:
    return tuple(fields)


@frozen(kw_only=True)
class KindRow:
    """One line of a tape's own table of kinds.

    Attributes:
        number: what stands in the first place of every event of this kind; local to the tape, 0 is ``lane.start``.
        name: kind and op with a dot between, ``"process.spawn"``.
        fields: the names of what stands in the body, in order.
        asked: those of a crossing that belong to its request; the last two are not among them.
    """

    number: int
    name: str
    fields: tuple[str, ...] = field(converter=_names)
    asked: tuple[str, ...] = field(init=False, repr=False, eq=False)

    @asked.default
    def _first_fields(self) -> tuple[str, ...]:
        return self.fields[:-2]

    @property
    def kind(self) -> str:
        """The name of the recorder kind, ``"process"``: what stands before the first dot."""
        return self.name.partition(".")[0]

    @property
    def op(self) -> str:
        """The operation, ``"spawn"``: everything after the first dot."""
        return self.name.partition(".")[2]


@frozen
class Returned:
    """The effect came back with a value."""

    value: Plain


@frozen
class Raised:
    """The effect raised an exception that is an outcome like any other.

    Attributes:
        type: name of the exception class, as the recorder wrote it.
        args: its ``args``, in order.
        state: its attributes, by name.
    """

    type: str
    args: list[Plain] = field(factory=list)
    state: dict[str, Plain] = field(factory=dict)


Outcome: TypeAlias = Returned | Raised


@frozen(kw_only=True)
class Event:
    """One entry of a tape; made on reading, never on the recording path.

    Attributes:
        seq: position on the tape, from 0; the total order.
        lane: the logical thread of control, ``"main"`` for the first.
        kind: name of the recorder kind, ``"process"``.
        op: operation of that kind, ``"spawn"``.
        at_ns: nanoseconds from the start of the recording to the moment the outcome was known.
        took_ns: nanoseconds the effect took; 0 for runs and lane starts.
        request: what was asked; None for a run, ``{"name", "parent"}`` for a lane start.
        outcome: what came back; None for runs and lane starts.
        values: the values of a run, in order; None for everything else.
    """

    seq: int
    lane: str
    kind: str
    op: str
    at_ns: int
    took_ns: int = 0
    request: Plain = None
    outcome: Outcome | None = None
    values: list[Plain] | None = None


@frozen
class Finding:
    """One result of looking a tape over.

    Attributes:
        code: a stable word, ``"segment-digest"``.
        message: what was expected, what came, and what to do.
        offset: byte of the file at which it was found; None where no single place is to blame.
        severity: how bad it is.
    """

    code: str
    message: str
    offset: int | None = None
    severity: Severity = "error"


@frozen(kw_only=True)
class Info:
    """A tape in a few numbers, all of them known without reading the events.

    Attributes:
        path: the file.
        size: its length in bytes.
        complete: whether its recording finished.
        events: how many events it holds.
        kinds: events per kind and op (``"process.spawn"``), in order of first use.
        lanes: the names of its lanes, in order of first appearance.
        blobs: how many distinct payloads it holds.
        blob_size: their bytes together.
        digest: name of the digest function.
        events_digest: digest over all events and the payloads they name: equal for equal runs. None when incomplete.
        tape_digest: digest over the header too. None when incomplete.
        meta: what the recording wrote about itself.
    """

    path: Path
    size: int
    complete: bool
    events: int
    kinds: Mapping[str, int]
    lanes: tuple[str, ...]
    blobs: int
    blob_size: int
    digest: str
    events_digest: bytes | None
    tape_digest: bytes | None
    meta: Mapping[str, Plain]
