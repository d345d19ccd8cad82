"""Which variables of the environment may stand on a tape."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Final

from testbench.errors import UsageError
from testbench.protocol import Plain
from testbench.redaction import Redactor, looks_secret, redactor

ALWAYS: Final = (
    *("LANG", "LANGUAGE", "LC_*", "TZ", "USER", "LOGNAME", "CI", "SOURCE_DATE_EPOCH"),
    *("TERM", "COLORTERM", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "PY_COLORS"),
)
"""Patterns of the names that are told when a program goes through all variables."""

_NOT: Final = "!"


class Names:
    """What the user has said about names.

    Args:
        given: names, or patterns with ``*``; with ``!`` in front, what is never told.

    Attributes:
        patterns: what is told when a program goes through all variables.

    Raises:
        UsageError: a name is no text, or looks like that of a secret.
    """

    def __init__(self, given: Sequence[str]) -> None:
        for pattern in given:
            _check(pattern)
        self.patterns: list[str] = [*ALWAYS, *(pattern for pattern in given if not pattern.startswith(_NOT))]
        self._never = [pattern.removeprefix(_NOT) for pattern in given if pattern.startswith(_NOT)]

    def is_withheld(self, name: str) -> bool:
        """Tell whether the value of a variable may never be told."""
        return looks_secret(name) or matches(name, self._never)

    def holds_secret(self, name: str, value: str) -> bool:
        """Tell whether the value of a variable is, or has in it, what is kept off tapes."""
        given: Plain = {name: value}
        return self._redactor.value(given) != given

    @cached_property
    def _redactor(self) -> Redactor:
        made = redactor(True, ())
        assert made is not None
        return made


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Tell whether a name is one of those."""
    return any(name == pattern or ("*" in pattern and fnmatchcase(name, pattern)) for pattern in patterns)


def _check(pattern: object) -> None:
    if not isinstance(pattern, str) or not pattern.removeprefix(_NOT):
        raise UsageError(f"environ={pattern!r} is no name of a variable; expected text, with * for any characters")
    if "*" not in pattern and not pattern.startswith(_NOT) and looks_secret(pattern):
        raise UsageError(
            f"environ={pattern!r} looks like the name of a secret, and secrets are never put on a tape; the program "
            "reads the variable live, so set it for the replay too, to any value"
        )
