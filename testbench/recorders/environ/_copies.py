"""Telling who asks for one variable from who goes through all of them, and asks for each on the way."""

from __future__ import annotations

from collections import deque
from typing import Any, Final

_KEPT: Final = 32
"""So many times somebody may go through the variables at once."""


class Copies:
    """The keys that were given to those who go through all variables: the very objects, that nobody else has.

    ``dict(os.environ)``, ``items()`` and a loop ask for the values by them; a copy must not have every variable told.
    """

    def __init__(self) -> None:
        self._given: deque[dict[int, Any]] = deque(maxlen=_KEPT)

    def given(self, keys: list[Any]) -> list[Any]:
        """Remember keys that are given now."""
        self._given.append({id(key): key for key in keys})
        return keys

    def holds(self, key: Any) -> bool:
        """Tell whether a key was given not long ago."""
        return any(id(key) in keys for keys in tuple(self._given))
