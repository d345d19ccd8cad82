"""Where the secrets are in one text: by their looks, by names, in URLs and headers, as blocks of keys."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import AnyStr, Final

from testbench.redaction._named import EXAMPLE, bearers, named
from testbench.redaction._names import NEEDLES, is_no_secret
from testbench.redaction._patterns import BYTES, Patterns, patterns_for, plain
from testbench.redaction._placeholder import is_placeholder
from testbench.redaction._shapes import (
    ANCHOR,
    BEFORE,
    CAPITAL_STARTS,
    LONE_STARTS,
    LONGEST_START,
    SHORTEST,
    STARTS,
    TOKEN_CHARACTERS,
)
from testbench.redaction._spans import Span, merged
from testbench.redaction._surroundings import CONTEXTS, has_token, surrounded

PEM_BEGIN: Final = "-----BEGIN "
_PEM: Final = (
    r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----(?P<secret>[^-]{1,65536}?)"
    r"(?:-----END (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----|(?=[^A-Za-z0-9+/=:,.\s\\-]|\Z))"
)
_URL: Final = r"://[^\s/@:'\"<>\\?#\x00-\x20\x7f-\xff]{0,256}:(?P<secret>[^\s/@'\"<>\\\x00-\x20\x7f-\xff]{1,512})@"
_CONTEXTS: Final = (*(needle.encode() for needle in (*NEEDLES, *CONTEXTS)), b"://", b"bearer")
"""A text without any of these, in lower case, has no secret but by its looks."""

_LONE_STARTS: Final = tuple(start.encode() for start in LONE_STARTS)
_RUNS: Final = bytes(0x61 if chr(byte) in TOKEN_CHARACTERS else 0x20 for byte in range(256))
_RUN: Final = b"a" * SHORTEST
"""No token is shorter, so that much text needs no further look."""

_LARGE: Final = 65_536
_SAME: Final = 256  # bytes; longer than anything that is looked for


def may_hold(data: bytes) -> bool:
    """Tell whether a text is worth a look; quick, and seldom without reason."""
    if len(data) > _LARGE:
        data = _period(data)
    low = data.lower()
    for needle in _CONTEXTS:
        if needle in low:
            return True
    if _RUN not in data.translate(_RUNS):
        return False
    for start in _LONE_STARTS:
        if start in data:
            return True
    return BYTES.get(ANCHOR).search(data) is not None or has_token(data)


def _period(data: bytes) -> bytes:
    """Return what of a text is worth a look where it is one piece again and again: ``yes``, zeros."""
    period = data.find(data[:_SAME], 1, _LARGE)
    if period < 0:
        return data
    return data[: period + _SAME] if data.startswith(data[period:]) else data


def spans(text: AnyStr, *, eager: bool) -> list[Span]:
    """Return the secrets in a text, in order; they do not overlap.

    Args:
        text: what is searched.
        eager: take every value under a secret's name; else only those that look like one, for texts in which the words
            for secrets are more usual than secrets: documentation, source code.
    """
    patterns, low = patterns_for(text), lowered(text)
    found = list(_shaped(text, patterns))
    found += _urls(text, patterns, eager)
    if patterns.like("private key") in low:
        found += _blocks(text, patterns)
    if patterns.like("bearer") in low:
        found += bearers(text, patterns, eager)
    found += named(text, low, patterns, eager)
    found += surrounded(text, low, patterns, eager)
    return merged(found)


def lowered(text: AnyStr) -> AnyStr:
    """Return a text in lower case, character by character, so that places in it stay the same."""
    low = text.lower()
    if isinstance(text, str) and len(low) != len(text):
        return "".join(letter.lower() if letter.isascii() else letter for letter in text)
    return low


def _shaped(text: AnyStr, patterns: Patterns[AnyStr]) -> Iterator[Span]:
    found = [(start, at) for start in LONE_STARTS for at in _all(text, patterns.like(start))]
    for anchor in patterns.get(ANCHOR).finditer(text):
        at, end = anchor.span()
        found += [(start, at) for start in CAPITAL_STARTS if text.startswith(patterns.like(start), at)]
        before = plain(text[max(0, end - LONGEST_START) : end])
        found += [(start, end - len(start)) for start in STARTS if before.endswith(start)]
    for start, at in found:
        match = patterns.get(BEFORE + re.escape(start) + STARTS[start].pattern()).match(text, at)
        if match is not None:
            yield Span(at, match.end(), STARTS[start].name)


def _all(text: AnyStr, literal: AnyStr) -> Iterator[int]:
    at = text.find(literal)
    while at >= 0:
        yield at
        at = text.find(literal, at + 1)


def _urls(text: AnyStr, patterns: Patterns[AnyStr], eager: bool) -> Iterator[Span]:
    for found in patterns.get(_URL).finditer(text):
        if eager or not EXAMPLE.fullmatch(plain(found["secret"])):
            yield from _span(found, "url")


def _blocks(text: AnyStr, patterns: Patterns[AnyStr]) -> Iterator[Span]:
    begin, at = patterns.like(PEM_BEGIN), -1
    while (at := text.find(begin, at + 1)) >= 0:
        found = patterns.get(_PEM).match(text, at)
        if found is not None and len(found["secret"].strip()) > 16 and not is_placeholder(found["secret"].strip()):
            yield _stripped(text, *found.span("secret"))


def _stripped(text: AnyStr, start: int, end: int) -> Span:
    secret = text[start:end]
    return Span(end - len(secret.lstrip()), start + len(secret.rstrip()), "private-key")


def _span(found: re.Match[AnyStr], rule: str) -> Iterator[Span]:
    secret = found["secret"]
    if not is_placeholder(secret) and not is_no_secret(plain(secret), ""):
        yield Span(*found.span("secret"), rule, known=True)
