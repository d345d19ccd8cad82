"""Which way open sessions intercept: in place, or by name where their user has declared that; decided here alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final

import attrs

from testbench.errors import UsageError


@attrs.define(eq=False)
class Way:
    """How one session intercepts.

    Attributes:
        name: ``"in-place"`` or ``"name"``.
        names: finds names that are not followed.
        missed: methods that are not followed, each with the reason.
    """

    name: str
    names: Callable[[], Iterable[tuple[str, str]]] = tuple
    missed: list[tuple[str, str]] = attrs.Factory(list)

    def not_followed(self) -> list[tuple[str, str]]:
        """Return what can be reached past the redirects of now, and where or why."""
        return [*self.missed, *self.names()]


_open: Final[list[Way]] = []
"""The ways of the open sessions, innermost last."""

_forms: Final[dict[type, type]] = {}
"""The forms of the innermost; the same for all of them, since they intercept in one way."""

form_of = _forms.get
"""``form_of(kind, kind)`` is the class that takes the part of a kind of redirect in the open sessions."""


def follows_types() -> bool:
    """Tell whether what stands in types written in C is redirected; by name, it is not."""
    return not _forms


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

        way.names = earlier_names
        _forms.update(FORMS)
    _open.append(way)
    try:
        yield way
    finally:
        _open.remove(way)
        if not _open:
            _forms.clear()


def miss(name: str, where: str) -> None:
    """Note what the innermost session does not intercept."""
    if _open:
        _open[-1].missed.append((name, where))
