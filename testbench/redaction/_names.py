"""Names under which secrets are kept: of variables, options, headers, JSON fields and parameters.

Two questions are asked of a name: whether what has it is a secret, so that it is replaced wherever it stands; and
whether it might be one, so that it is better not told at all: rather too many, where nothing is lost by it.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

NEEDLES: Final = ("pass", "pwd", "secret", "token", "key", "auth", "credential", "signature", "cookie")
"""Each of the names holds one of these, in lower case: a text without any has no secret under a name."""

_KEYS: Final = (
    "api|access|secret|private|encryption|encrypt|signing|sign|auth|ssh|master|session|account|shared|client|service|"
    "deploy|license|storage|subscription|consumer|application|app|aes|hmac|jwt|webhook|admin|root|ingest|write"
)

_NAME: Final = (
    r"-{0,2}(?:"
    r"[\w.$-]*?(?:"
    r"pass(?:word|wd|phrase|code)|secret|(?<!public)(?<!public[_-])(?<!key)(?<!key[_-])token|credentials?"
    rf"|(?<![a-z])(?:{_KEYS})[ _-]?key(?:[_-]?id)?|(?<=[_-])(?:pass|pwd)"
    r"|(?:basic|http|proxy|registry|redis|smtp)[_-]?auth"
    r"|x-(?:amz|goog)-(?:signature|credential))"
    r"|(?:pass|pwd|_?auth|authorization|proxy-authorization|cookie|set-cookie))"
    r"(?:[_-]?(?:base|value|dev|prod|test|staging|live|old|new|primary|secondary|\d{1,3}))?"
)
_WHOLE: Final = re.compile(_NAME, re.IGNORECASE | re.ASCII)
_CASED: Final = re.compile(rf"[A-Z0-9_]*_KEY(?:_\w+)?|KEY|[\w-]*[a-z0-9](?:(?:{_KEYS.title()})Key|Pwd|Pass)", re.ASCII)
_NONE: Final = frozenset(
    {"PWD", "OLDPWD", "GPG_KEY", "_PASS"}
)  # directories; the public key that images of Python name
_KEY: Final = re.compile(r"key(?:[_-]?id)?$", re.IGNORECASE)

_LIKELY_PARTS: Final = re.compile(
    "TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|APIKEY|PRIVATE|COOKIE|SIGNATURE|WEBHOOK", re.IGNORECASE
)
_LIKELY_WORDS: Final = frozenset(
    ("KEY", "KEYS", "AUTH", "PASS", "PWD", "PSK", "PIN", "OTP", "JWT", "SALT", "SESSION", "SESSIONID", "CERT", "DSN")
)
"""Words of a name, as ``KEY`` is in ``API_KEY`` and not in ``KEYBOARD``."""

_NO_SECRETS: Final = frozenset({"", "none", "null", "true", "false", "yes", "no", "on", "off", "undefined", "nil", "-"})

_REFERENCE: Final = re.compile(
    r"\$[A-Z_][A-Z0-9_]*|\$?\{\{?[^{}]*\}?\}|\$\([^()]*\)|<[^<>]*>|\[[^\[\]]*\]|%\([\w.]*\)s|%s|\.{2,}|x{3,}|X{3,}"
)
"""What stands for a value and is none: a variable of a shell, a field of a template, a blank in a manual."""


@cache
def is_secret_name(name: str) -> bool:
    """Tell whether what has this name is a secret: ``DB_PASSWORD``, ``apiKey``, ``--token``, ``Authorization``."""
    low = name.lower()
    if len(name) > 128 or name in _NONE or not any(needle in low for needle in NEEDLES):
        return False
    return _WHOLE.fullmatch(name) is not None or _CASED.fullmatch(name) is not None


def looks_secret(name: str) -> bool:
    """Tell whether what has this name might be a secret, so that it is better not told."""
    if is_secret_name(name) or _LIKELY_PARTS.search(name):
        return True
    return name.upper() not in ("PWD", "OLDPWD") and not _LIKELY_WORDS.isdisjoint(re.split(r"[^A-Z0-9]+", name.upper()))


def is_no_secret(value: str, name: str) -> bool:
    """Tell whether a value under such a name is none: nothing, a switch, a reference, or the path of a key's file."""
    if value.lower() in _NO_SECRETS or _REFERENCE.fullmatch(value):
        return True
    return bool(_KEY.search(name)) and value.startswith(("/", "~/", "./", "../"))
