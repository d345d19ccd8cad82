"""Which variables are likely to hold a secret, by their names: rather too many, because nothing is lost by it."""

from __future__ import annotations

import re
from typing import Final

_PARTS: Final = (
    *("TOKEN", "SECRET", "PASSW", "PASSPHRASE", "CREDENTIAL", "APIKEY", "PRIVATE", "COOKIE", "SIGNATURE", "WEBHOOK"),
)
"""Stand for a secret anywhere in a name."""

_WORDS: Final = frozenset(
    ("KEY", "KEYS", "AUTH", "PASS", "PSK", "PIN", "OTP", "JWT", "SALT", "SESSION", "SESSIONID", "CERT", "DSN")
)
"""Stand for a secret as a word of a name: ``API_KEY``, not ``KEYBOARD``."""

_PASSWORD_WORD: Final = "PWD"  # but not the working directory, which the shell calls so


def looks_secret(name: str) -> bool:
    """Tell whether something of this name is likely to hold a secret."""
    upper = name.upper()
    words = re.split(r"[^A-Z0-9]+", upper)
    return (
        any(part in upper for part in _PARTS)
        or not _WORDS.isdisjoint(words)
        or (_PASSWORD_WORD in words and upper not in ("PWD", "OLDPWD"))
    )
