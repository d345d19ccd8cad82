"""Which way open sessions intercept: in place, or by name where their user has declared that; decided here alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import attrs

from testbench.errors import UsageError


@attrs.define(eq=False)
class Way:
    """How one session intercepts.

    Attributes:
        name: ``"in-place"`` or ``"name"``.
        forms: per kind of redirect, the class that takes its part; a kind that is absent plays it itself.
        names: finds names that are not followed.
        missed: methods that are not followed, each with the reason.
    """

    name: str
    forms: Mapping[type, type] = attrs.Factory(dict)
    names: Callable[[], Iterable[tuple[str, str]]] = tuple
    missed: list[tuple[str, str]] = attrs.Factory(list)

    def not_followed(self) -> list[tuple[str, str]]:
        """Return what can be reached past the redirects of now, and where or why."""
        return [*self.missed, *self.names()]


_open: Final[list[Way]] = []
"""The ways of the open sessions, innermost last."""


@contextmanager
def intercepting(name: str) -> Iterator[Way]:
    """Let redirects that are made while the body runs intercept in one way, in all threads.

    Args:
        name: ``"in-place"`` or ``"name"``.

    Raises:
        UsageError: a session is open that intercepts in the other way.
    """
    if _open and _open[-1].name != name:
        raise UsageError(
            f"a session with interception={_open[-1].name!r} is open, and one with {name!r} cannot be opened inside: "
            "they would see each other's crossings in the wrong order. Declare the same for both."
        )
    way = Way(name)
    if name == "name":
        from testbench.inplace._by_name import FORMS, earlier_names  # most sessions never need it

        way.forms, way.names = FORMS, earlier_names
    _open.append(way)
    try:
        yield way
    finally:
        _open.remove(way)


def form_of(kind: type) -> type:
    """Return the class that takes the part of a kind of redirect in the innermost open session."""
    return _open[-1].forms.get(kind, kind) if _open else kind


def miss(name: str, where: str) -> None:
    """Note what the innermost session does not intercept."""
    if _open:
        _open[-1].missed.append((name, where))
