"""Leaks: crossings that were seen and are not on the tape, each code line once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import attrs

from testbench.protocol import Plain
from testbench.where import user_line

UNSEEN_FORK: Final = "process.unseen_fork"
"""The leak that the interpreter tells of, where no recorder does."""


@attrs.frozen
class Leak:
    """One crossing, or several from the same line, that a replay will not answer.

    Attributes:
        name: kind and op, ``"process.fork"``.
        request: what was asked, the first time.
        where: ``file:line in function``.
        instead: what to do instead, empty where there is nothing to say.
    """

    name: str
    request: Plain
    where: str
    instead: str = ""

    def __str__(self) -> str:
        asked = "" if self.request in (None, {}) else f" {self.request!r}"
        advice = f"; {self.instead}" if self.instead else ""
        return f"{self.name}{asked} at {self.where}{advice}"


class Leaks:
    """The leaks of one session, in the order in which they were seen."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], Leak] = {}

    def note(
        self, name: str, request: Plain, where: str | None = None, instead: str = "", *, first: bool = False
    ) -> None:
        """Remember a leak.

        Args:
            name: kind and op.
            request: what was asked.
            where: the line that made it; None for the code that is running now.
            instead: what to do instead.
            first: do so only if this line has made no other.
        """
        where = where or user_line()
        if first and any(place == where for _, place in self._seen):
            return
        self._seen.setdefault((name, where), Leak(name, request, where, instead))

    def __iter__(self) -> Iterator[Leak]:
        return iter(list(self._seen.values()))

    def __len__(self) -> int:
        return len(self._seen)
