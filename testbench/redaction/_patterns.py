"""Regular expressions that search text and bytes alike, compiled when they are first needed."""

from __future__ import annotations

import re
from typing import AnyStr, Final, Generic, cast


class Patterns(Generic[AnyStr]):
    """The regular expressions, for text or for bytes; compiled when they are first needed.

    Args:
        empty: the empty text, or no bytes.
    """

    def __init__(self, empty: AnyStr) -> None:
        self._text = isinstance(empty, str)
        self._compiled: dict[tuple[str, int], re.Pattern[AnyStr]] = {}

    def like(self, text: str) -> AnyStr:
        """Return ASCII text as what is searched."""
        return cast("AnyStr", text if self._text else text.encode())

    def get(self, pattern: str, flags: int = 0) -> re.Pattern[AnyStr]:
        """Return a compiled pattern."""
        found = self._compiled.get((pattern, flags))
        if found is None:
            found = self._compiled[pattern, flags] = re.compile(self.like(pattern), flags | re.ASCII)
        return found


TEXT: Final = Patterns("")
BYTES: Final = Patterns(b"")


def patterns_for(text: AnyStr) -> Patterns[AnyStr]:
    """Return the patterns for what kind of text this is."""
    return TEXT if isinstance(text, str) else BYTES


def plain(text: str | bytes) -> str:
    """Return text as it is, and bytes as text of the same length."""
    return text if isinstance(text, str) else text.decode("latin-1")
