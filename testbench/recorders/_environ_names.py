"""Which variables of the environment may stand on a tape: those that are named, and look like no secret."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fnmatch import translate
from functools import lru_cache
from typing import Final

from testbench.errors import UsageError

SAFE: Final = (
    *("LANG", "LANGUAGE", "LC_*", "TZ"),
    *("TERM", "COLORTERM", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "PY_COLORS"),
    *("LOGNAME", "USER", "LNAME", "USERNAME"),  # those that `getpass.getuser` asks for
    *("CI", "SOURCE_DATE_EPOCH", "PYTHON*"),
)
"""Patterns of the names that are always told."""

_SECRET_PART: Final = re.compile(r"TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|API_?KEY|PRIVATE|COOKIE|SIGNATURE|WEBHOOK")
_SECRET_WORDS: Final = frozenset(("KEY", "KEYS", "AUTH", "PASS", "PSK", "PIN", "OTP", "JWT", "SALT", "SESSION", "CERT"))
_PASSWORD_WORD: Final = "PWD"  # but not the working directory, which the shell calls so
_USER_AND_PASSWORD: Final = re.compile(r"://[^/\s@]*:[^/\s@]+@")


def looks_secret(name: str) -> bool:
    """Tell whether a variable of this name is likely to hold a secret."""
    upper = name.upper()
    words = re.split(r"[^A-Z0-9]+", upper)
    return (
        _SECRET_PART.search(upper) is not None
        or not _SECRET_WORDS.isdisjoint(words)
        or (_PASSWORD_WORD in words and upper not in ("PWD", "OLDPWD"))
    )


def holds_password(value: str) -> bool:
    """Tell whether a value is an address with a password in it."""
    return _USER_AND_PASSWORD.search(value) is not None


def tellable(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Return what tells whether a variable may stand on the tape.

    Args:
        patterns: names, or patterns with ``*``, beside `SAFE`.
    """
    wanted = re.compile("|".join(map(translate, (*SAFE, *patterns))))

    @lru_cache(maxsize=4096)
    def may_be_told(name: str) -> bool:
        return wanted.match(name) is not None and not looks_secret(name)

    return may_be_told


def check_patterns(patterns: Sequence[str]) -> None:
    """Refuse what can never be told.

    Raises:
        UsageError: a name is no text, or looks like that of a secret.
    """
    for pattern in patterns:
        if not isinstance(pattern, str) or not pattern:
            raise UsageError(f"environ={pattern!r} is no name of a variable; expected text, with * for any characters")
        if "*" not in pattern and looks_secret(pattern):
            raise UsageError(
                f"environ={pattern!r} looks like the name of a secret, and secrets are never put on a tape; the "
                "program reads the variable live, so set it for the replay too, to any value"
            )
