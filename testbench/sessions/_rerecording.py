"""Recording a replay again: what the program asked and what it was given, with the times of the tape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from testbench.protocol import Plain
from testbench.tape import KindRow, Outcome, Writer


class Rerecorder:
    """Appends each replayed event to a new tape; does nothing without one.

    Values are lowered again from what the program saw, so that the new tape is a proof and not a copy.

    Attributes:
        active: whether there is a new tape.
    """

    def __init__(self, writer: Writer | None) -> None:
        self._writer = writer
        self.active = writer is not None

    def call(self, row: KindRow, raw: tuple[Any, ...], request: Plain, took_ns: int, outcome: Outcome) -> None:
        """Append a crossing; ``raw`` is the event that answered it."""
        if self._writer is not None:
            values = [*request.values()] if type(request) is dict else [request]
            number = self._writer.kind(row.name, row.fields)
            self._writer.event([number, raw[1], raw[2], self._writer.call_body([*values, took_ns], outcome)])

    def run(self, row: KindRow, raw: tuple[Any, ...], values: Sequence[Plain]) -> None:
        """Append a run."""
        if self._writer is not None:
            number = self._writer.kind(row.name, row.fields)
            self._writer.event([number, raw[1], raw[2], self._writer.run_body(list(values))])

    def lane(self, raw: tuple[Any, ...]) -> None:
        """Append the start of a lane."""
        if self._writer is not None:
            self._writer.event([*raw[:3], list(raw[3])])

    def close(self) -> None:
        """Finish the new tape."""
        if self._writer is not None:
            self._writer.close()
