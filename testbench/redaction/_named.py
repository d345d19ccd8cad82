"""Secrets that are found by the name before them: ``NAME=value``, ``"name": "value"``, ``--name value``, headers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, AnyStr, Final

from testbench.redaction._names import NEEDLES, is_no_secret, is_secret_name
from testbench.redaction._patterns import Patterns, plain
from testbench.redaction._placeholder import is_placeholder
from testbench.redaction._spans import Span

QUOTE: Final = r"(?:'\"'\"'|'\\''|\\{0,3}[\"'])"
"""As it stands in text, within a literal, or within a word that is quoted for a shell."""

_VALUE: Final = (
    rf"(?:(?P<quote>{QUOTE})"
    r"(?P<quoted>(?:(?!(?P=quote))[^\r\n])*)(?P=quote)?"
    r"|(?P<bare>[^\s\"'&;,<>()|\\\x00-\x20\x7f]+))"
)
_ASSIGN: Final = rf"(?P<rest>[A-Za-z0-9_-]{{0,40}})(?P<close>{QUOTE})?[\])]?[ \t]*(?P<sep>=>|:=|==?|:|,)[ \t]*" + _VALUE
_OPTION: Final = r"(?P<rest>[A-Za-z0-9_-]{0,40})(?P<close>)(?P<sep>)[ \t]+" + _VALUE
_SCHEME: Final = r"(?:bearer|basic|token|digest|negotiate|apikey|aws4-hmac-sha256)[ ]+"
_BARE: Final = r"[^\s\"'&;,<>()|\\\x00-\x20\x7f]*"
_TO_LINE_END: Final = r"[^\x00-\x08\x0a-\x1f]*"
_COOKIE: Final = r"[^\s=;]+=(?P<secret>[^\s;\"'\\]+)"
_NETRC: Final = r"\blogin[ \t]+\S+[ \t]+password[ \t]+(?P<secret>\S+)"
_BEARER: Final = r"bearer[ \t]+(?P<secret>[A-Za-z0-9._~+/=-]{1,8192})"

EXAMPLE: Final = re.compile(
    r"(?:my|your|the|some|test|new|old)?[_-]?(?:password|passwd|passw|pass|pw|pwd|secret|token|key|user|value|string)"
    r"\d{0,3}|(?:VALUE|PATH|STRING|NAME|FILE|PASSWORD|TOKEN|KEY|SECRET)\b.*"
    r"|.*(?:\{\w*\}|%s|%\(\w+\)).*",
    re.IGNORECASE,
)
"""What stands for a password in documentation, and what a program fills in later."""

_CODE: Final = re.compile(
    r"[A-Za-z_.]+|[\w.,:+&>(){}\[\]*-]*[\[\]*][\w.,:+&>(){}\[\]*-]*|[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+|0x[0-9A-Fa-f]+\W*"
)
"""What a name is given in source code."""

_NOISE: Final = re.compile(r"(?=[a-z0-9]*[A-Z])(?=[A-Z0-9]*[a-z])(?=[A-Za-z]*\d)[A-Za-z0-9]{6,}")
"""What a part of a generated password looks like, and no word of source code."""

_FIRST_WORDS: Final = ("api ", "access ", "secret ", "private ", "auth ")
_OF_NAMES: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.$-"
_LONGEST: Final = 64


def named(text: AnyStr, low: AnyStr, patterns: Patterns[AnyStr], eager: bool) -> Iterator[Span]:
    """Find the values behind names; ``low`` is the text in lower case."""
    if patterns.like("login") in low:
        for span in _of(patterns.get(_NETRC, re.IGNORECASE), text, "name"):
            value = plain(text[span.start : span.end])
            if eager or (_has_digit(value) and not EXAMPLE.fullmatch(value)):
                yield span
    assign, option = patterns.get(_ASSIGN), patterns.get(_OPTION)
    dashes = patterns.like("--")
    for needle in map(patterns.like, NEEDLES):
        at = low.find(needle)
        while at >= 0:
            found = assign.match(text, at)
            if found is None and dashes in text[max(0, at - _LONGEST) : at]:
                found = option.match(text, at)
            if found is not None:
                yield from _assigned(text, at, found, patterns, eager)
            at = low.find(needle, at + len(needle))


def bearers(text: AnyStr, patterns: Patterns[AnyStr], eager: bool) -> Iterator[Span]:
    """Find the tokens behind ``Bearer`` (RFC 6750 section 2.1)."""
    for span in _of(patterns.get(_BEARER, re.IGNORECASE), text, "bearer"):
        value = plain(text[span.start : span.end])
        if eager or (len(value) >= 8 and _has_digit(value)):
            yield span


def _of(pattern: re.Pattern[AnyStr], text: AnyStr, rule: str) -> Iterator[Span]:
    for found in pattern.finditer(text):
        if not is_placeholder(found["secret"]) and not is_no_secret(plain(found["secret"]), ""):
            yield Span(*found.span("secret"), rule, known=True)


def _assigned(
    text: AnyStr, at: int, found: re.Match[AnyStr], patterns: Patterns[AnyStr], eager: bool
) -> Iterator[Span]:
    start, name = _name(text, at, found)
    if not is_secret_name(name) or (not found["sep"] and not name.startswith("--")):
        return
    if plain(found["sep"]) == "," and not _is_pair(text, start, found):
        return
    begin, end = found.span("bare" if found["quoted"] is None else "quoted")
    low = name.lower()
    if low.endswith("cookie"):
        yield from _cookies(text, begin, low, patterns, eager)
        return
    scheme = patterns.get(_SCHEME, re.IGNORECASE).match(text, begin)
    if scheme is not None and low.endswith("authorization"):
        begin = scheme.end()
        end = end if found["bare"] is None else _end_of(patterns.get(_BARE), text, begin)
    elif found["bare"] is not None and _is_environment(text, start, name, found):
        end = _end_of(patterns.get(_TO_LINE_END), text, begin)
    value = plain(text[begin:end])
    if is_placeholder(value) or is_no_secret(value, name) or not _is_text(text[begin:end]):
        return
    if eager or (text[end : end + 1] not in ("(", b"(") and _looks_secret(value, name, found)):
        yield Span(begin, end, "name", known=True)


def _name(text: AnyStr, at: int, found: re.Match[AnyStr]) -> tuple[int, str]:
    """Return where the name begins of which a telling part stands at a place, and all of it."""
    before = plain(text[max(0, at - _LONGEST) : at])
    size = len(before.rstrip(_OF_NAMES))
    if size == len(before) and before.endswith(" "):
        low = before[-max(map(len, _FIRST_WORDS)) :].lower()
        size -= next((len(words) for words in _FIRST_WORDS if low.endswith(words)), 0)
    return at - len(before) + size, before[size:] + plain(found["rest"])


def _cookies(text: AnyStr, begin: int, name: str, patterns: Patterns[AnyStr], eager: bool) -> Iterator[Span]:
    """Find the values of cookies (RFC 6265): of all that a client sends, of the first where a server sets one."""
    end = _end_of(patterns.get(_TO_LINE_END), text, begin)
    for found in patterns.get(_COOKIE).finditer(text, begin, end):
        value = plain(found["secret"])
        if not is_placeholder(value) and (eager or (len(value) > 7 and _has_digit(value))):
            yield Span(*found.span("secret"), "cookie", known=True)
        if name.startswith("set"):
            return


def _end_of(pattern: re.Pattern[AnyStr], text: AnyStr, begin: int) -> int:
    found = pattern.match(text, begin)
    return begin if found is None else found.end()


def _is_environment(text: AnyStr, start: int, name: str, found: re.Match[AnyStr]) -> bool:
    """Tell whether this is a line ``NAME=value`` as ``env`` prints it: the value goes on to its end."""
    first = start == 0 or plain(text[start - 1 : start]) == "\n"
    return first and plain(found["sep"]) == "=" and name.isupper()


def _is_pair(text: AnyStr, start: int, found: re.Match[AnyStr]) -> bool:
    """Tell whether these are two arguments, or a pair: ``("NAME", "value"``."""
    quote = found["close"]
    return (
        quote is not None
        and found["quote"] == quote
        and plain(text[max(0, start - 8) : start]).endswith("(" + plain(quote))
    )


def _looks_secret(value: str, name: str, found: re.Match[Any]) -> bool:
    quoted = found["quote"] is not None
    if quoted and found["close"] and plain(found["sep"]) != ",":
        return True  # "name": "value", as in JSON
    if EXAMPLE.fullmatch(value) or (quoted and any(letter.isspace() for letter in value)):
        return False
    if name.isupper() and not quoted and plain(found[0])[len(found["rest"]) :].startswith(f"={value[:1]}"):
        return len(value) > 2  # as ``env`` prints it; less is a switch
    return (
        len(value) > 4
        and _has_digit(value)
        and (quoted or not _CODE.fullmatch(value) or _NOISE.search(value) is not None)
    )


def _is_text(value: str | bytes) -> bool:
    """Tell whether bytes are text; in a megabyte of noise there is a name before something."""
    if isinstance(value, str) or value.isascii():
        return True
    try:
        return bool(value.decode())
    except UnicodeDecodeError:
        return False


def _has_digit(value: str) -> bool:
    return any(letter.isdigit() for letter in value)
