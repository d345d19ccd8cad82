"""Secrets that are known by what stands around or within them, where they have neither a beginning nor a name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import AnyStr, Final

import attrs

from testbench.redaction._named import EXAMPLE, QUOTE
from testbench.redaction._names import NEEDLES, is_no_secret
from testbench.redaction._patterns import BYTES, Patterns, plain
from testbench.redaction._placeholder import is_placeholder
from testbench.redaction._spans import Span

_WORD: Final = "[A-Za-z0-9_-]"
_ARGUMENTS: Final = r"\b[^\n|;&]{0,500}?\s"
_QUOTED: Final = rf"[ \t]+(?P<quote>{QUOTE})(?P<secret>[^'\"\s]{{4,256}})(?P=quote)"


@attrs.frozen
class Rule:
    """One way to know a secret.

    Attributes:
        name: whose it is, or where it stands.
        literal: what is in any such text, in lower case.
        pattern: a regular expression; its group ``secret`` is the secret, or the end of it.
        before: so many characters before the group are of the secret too.
        folded: whether it is in lower case, and capitals do not count.
    """

    name: str
    literal: str
    pattern: str
    before: int = 0
    folded: bool = False


TOKENS: Final = (
    Rule("telegram", ":aa", rf":(?<=\d{{8}}:)(?P<secret>AA{_WORD}{{32,35}})(?!{_WORD})"),
    Rule("mailchimp", "-us", r"-(?<=[a-f0-9]{32}-)(?P<secret>us\d{1,2})(?![A-Za-z0-9])", before=33),
    Rule(
        "discord",
        ".",
        rf"\.(?={_WORD}{{6}}\.)(?:(?<=[MNO]{_WORD}{{23}}\.)|(?<=[MNO]{_WORD}{{25}}\.))"
        rf"(?P<secret>{_WORD}{{6}}\.{_WORD}{{27,38}})(?!{_WORD})",
    ),
)
"""Known by their looks. Each pattern begins with a character, which is what makes a search quick."""

_QUICK: Final = tuple(rule.pattern.rpartition("(?!")[0] for rule in TOKENS)
"""For what follows in a serial form, which may be a letter."""

PLACES: Final = (
    Rule("azure", "sig=", r"sig=(?P<secret>[A-Za-z0-9%+/=]{40,256})"),
    Rule("curl", "curl", rf"curl{_ARGUMENTS}(?:-u|--user|-U|--proxy-user)[ =]?['\"]?[^\s:'\"]+:(?P<secret>[^\s'\"]+)"),
    Rule("mysql", "mysql", rf"mysql(?:dump|admin)?{_ARGUMENTS}-p(?P<secret>[^\s'\"=-][^\s'\"]*)"),
    Rule("mysql", "mariadb", rf"mariadb{_ARGUMENTS}-p(?P<secret>[^\s'\"=-][^\s'\"]*)"),
    Rule("sshpass", "sshpass", r"sshpass[ \t]+-p[ \t]*['\"]?(?P<secret>[^\s'\"]+)"),
    Rule("sql", "identified", rf"identified[ \t]+(?:with[ \t]+\S+[ \t]+)?by{_QUOTED}", folded=True),
    Rule("sql", "password", rf"password{_QUOTED}", folded=True),
)
"""Known by where they stand."""

CONTEXTS: Final = tuple(rule.literal for rule in PLACES if not any(needle in rule.literal for needle in NEEDLES))
"""A text without any of these, in lower case, has no secret of the second sort but under a name."""

_UNFINISHED: Final = re.compile(
    rf"(?<!\d)\d{{8,10}}(?::(?:A(?:A{_WORD}{{0,35}})?)?)?\Z"
    r"|(?<![A-Za-z0-9])(?:[a-f0-9]{1,31}|[a-f0-9]{32}(?:-(?:u(?:s\d{0,2})?)?)?)\Z"
    rf"|(?<!{_WORD})[MNO]{_WORD}{{0,25}}(?:\.{_WORD}{{0,6}}(?:\.{_WORD}{{0,38}})?)?\Z"
)
"""What may go on to be one of the tokens among them."""


def surrounded(text: AnyStr, low: AnyStr, patterns: Patterns[AnyStr], eager: bool) -> Iterator[Span]:
    """Find them; ``low`` is the text in lower case, and those that may be no secrets are taken only if ``eager``."""
    for rule, found in _found(TOKENS, text, low, patterns):
        yield Span(found.start("secret") - rule.before, found.end("secret"), rule.name)
    for rule, found in _found(PLACES, text, low, patterns):
        value = plain(text[found.start("secret") : found.end("secret")])
        likely = eager or any(letter.isdigit() for letter in value)
        if likely and not is_placeholder(value) and not is_no_secret(value, "") and not EXAMPLE.fullmatch(value):
            yield Span(*found.span("secret"), rule.name, known=True)


def _found(
    rules: tuple[Rule, ...], text: AnyStr, low: AnyStr, patterns: Patterns[AnyStr]
) -> Iterator[tuple[Rule, re.Match[AnyStr]]]:
    for rule in rules:
        if patterns.like(rule.literal) in low:
            for found in patterns.get(rule.pattern).finditer(low if rule.folded else text):
                yield rule, found


def has_token(data: bytes) -> bool:
    """Tell whether there is one that is known by its looks."""
    return any(BYTES.get(pattern).search(data) for pattern in _QUICK)


def begun(tail: str) -> int | None:
    """Return where a token may begin that goes on behind the end of a text; None if none does."""
    found = _UNFINISHED.search(tail)
    return None if found is None else found.start()
