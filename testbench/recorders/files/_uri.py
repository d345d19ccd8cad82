"""The path in a URI that names a database, as SQLite reads it (https://www.sqlite.org/uri.html)."""

from __future__ import annotations

import os
import re
from typing import Any, Final
from urllib.parse import quote, unquote

import attrs

_FILE: Final = re.compile(r"file:(//(?:localhost)?(?=/))?(?P<path>[^?#]*)(?P<rest>.*)", re.DOTALL)


@attrs.frozen
class Uri:
    """One URI.

    Attributes:
        path: the path in it, as a file is called.
        rest: query and fragment.
    """

    path: str
    rest: str

    @classmethod
    def of(cls, database: Any) -> Uri | None:
        """Return what a name of a database says; None if it is no URI of a file: a path, or memory."""
        if not isinstance(database, str | bytes | os.PathLike):
            return None
        found = _FILE.fullmatch(os.fsdecode(database))
        if found is None or "mode=memory" in found["rest"]:
            return None
        path = unquote(found["path"], errors="surrogateescape")
        return None if path in ("", ":memory:") else cls(path, found["rest"])

    def at(self, path: str) -> str:
        """Return the same with another path."""
        return "file:" + quote(path, errors="surrogateescape") + self.rest
