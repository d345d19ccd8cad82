"""What a person is shown of a tape: everything but the secrets that it should not hold."""

from __future__ import annotations

import os
from typing import Any, TypeVar

import attrs

from testbench.processes import Process
from testbench.protocol import Plain
from testbench.redaction import redactor
from testbench.sessions import redacted, with_value
from testbench.tape import Change, Event

T = TypeVar("T", bound=Any)


class Shown:
    """Replaces secrets in what is about to be printed, for tapes that were recorded without redaction.

    Args:
        secrets: show them.
    """

    def __init__(self, *, secrets: bool = False) -> None:
        self._redactor = None if secrets else redactor(True, environ=os.environ)

    def event(self, event: Event) -> Event:
        """Return an event as it may be shown."""
        return event if self._redactor is None else redacted(event, self._redactor)

    def change(self, change: Change) -> Change:
        """Return a change as it may be shown."""
        left, right = (side and self.event(side) for side in (change.left, change.right))
        fields = tuple((name, self._field(name, one), self._field(name, other)) for name, one, other in change.fields)
        return attrs.evolve(change, left=left, right=right, fields=fields)

    def process(self, process: Process) -> Process:
        """Return a child process as it may be shown."""
        if self._redactor is None:
            return process
        names = ("program", "argv", "cwd", "env", "stdin", "stdout", "stderr")
        given: dict[str, Any] = {name: getattr(process, name) for name in names}
        shown: Any = self._redactor.value(given)
        error = process.error
        if error is not None:
            state: Plain = {"args": error.args, "state": error.state}
            error = with_value(error, state, self._redactor.value(state))  # type: ignore[assignment]  # it stays Raised
        copy = attrs.evolve(process, error=error)
        for name in names:
            setattr(copy, name, shown[name])
        return copy

    def _field(self, name: str, value: Plain) -> Plain:
        """Return one field; the last part of its name tells whether it is a secret."""
        if self._redactor is None:
            return value
        key = name.rpartition(".")[2]
        shown: Any = self._redactor.value({key: value})
        return shown[key]  # type: ignore[no-any-return]  # plain
