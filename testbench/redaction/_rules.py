"""What a user wants redacted besides the usual: names, patterns, functions that know their secrets, values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, AnyStr, Final, TypeAlias, Union

import attrs

from testbench.errors import RecordingError, UsageError
from testbench.redaction._spans import Span

Finder: TypeAlias = Callable[[str], Iterable[str]]
"""Is given a text, and returns the secrets that are in it, as they stand there."""

Rule: TypeAlias = Union[str, "re.Pattern[Any]", Finder]
"""A name of secrets (a variable, an option, a field), a regular expression, or a `Finder`.

Of a regular expression the group ``secret`` is redacted, or the first group, or all that matches."""

_NAME: Final = re.compile(r"-{0,2}[\w.$*?-]+")

_NAMED: Final = (
    r"(?<![A-Za-z0-9_])(?:%s)\\{0,3}[\"']?(?:[ \t]*(?:=>|:=|==?|:)[ \t]*)\\{0,3}[\"']?(?P<secret>[^\s\"'&;,<>()|\\]+)"
)


@attrs.frozen
class Rules:
    """The rules of one user.

    Attributes:
        names: in lower case; ``*`` and ``?`` stand for any characters and any one.
        patterns: regular expressions, for text and for bytes.
        finders: functions.
    """

    names: re.Pattern[str] | None = None
    patterns: tuple[tuple[re.Pattern[str], re.Pattern[bytes]], ...] = ()
    finders: tuple[Finder, ...] = ()

    @property
    def search(self) -> bool:
        """Whether texts must be searched that hold none of the usual words."""
        return bool(self.names or self.patterns or self.finders)

    def names_secret(self, name: str) -> bool:
        """Tell whether one of these is the name of a secret."""
        return self.names is not None and self.names.fullmatch(name.lstrip("-").lower()) is not None

    def spans(self, text: AnyStr) -> list[Span]:
        """Return the secrets in a text.

        Raises:
            RecordingError: a function of the user's raised, or returned something else than texts.
        """
        found = []
        for of_text, of_bytes in self.patterns:
            pattern: Any = of_text if isinstance(text, str) else of_bytes
            for match in pattern.finditer(text):
                start, end = match.span(_group(pattern))
                found += [Span(start, end, "pattern", known=True)] if start < end else []
        for finder in self.finders:
            for secret in _ask(finder, text):
                found += _places(text, secret)
        return found


def rules(given: Sequence[Rule]) -> Rules:
    """Return what a user gave as ``redact=``.

    Raises:
        UsageError: one of them is no rule.
    """
    names: list[str] = []
    patterns: list[tuple[re.Pattern[str], re.Pattern[bytes]]] = []
    finders: list[Finder] = []
    for rule in given:
        if isinstance(rule, str) and _NAME.fullmatch(rule):
            names.append(re.escape(rule.lstrip("-").lower()).replace(r"\*", r"[\w.-]*").replace(r"\?", r"[\w.-]"))
        elif isinstance(rule, (str, re.Pattern)):
            patterns.append(_both(rule))
        elif callable(rule):
            finders.append(rule)
        else:
            raise UsageError(
                f"redact= holds {rule!r}; expected the name of a secret, a regular expression, or a function that "
                "returns the secrets in a text"
            )
    if names:
        patterns.append(_both(re.compile(_NAMED % "|".join(names), re.IGNORECASE)))
    return Rules(re.compile("|".join(names)) if names else None, tuple(patterns), tuple(finders))


def _both(rule: str | re.Pattern[Any]) -> tuple[re.Pattern[str], re.Pattern[bytes]]:
    pattern, flags = (rule, 0) if isinstance(rule, str) else (rule.pattern, rule.flags & ~re.UNICODE)
    text = pattern if isinstance(pattern, str) else pattern.decode("latin-1")
    try:
        return re.compile(text, flags), re.compile(text.encode(), flags)
    except re.error as error:
        raise UsageError(f"redact= holds the regular expression {text!r}, which is none: {error}") from error


def _group(pattern: re.Pattern[Any]) -> int | str:
    return "secret" if "secret" in pattern.groupindex else min(pattern.groups, 1)


def _ask(finder: Finder, text: str | bytes) -> list[str]:
    asked = text if isinstance(text, str) else text.decode("utf-8", "surrogateescape")
    try:
        answer = finder(asked)
        secrets = [answer] if isinstance(answer, str) else list(answer)
    except Exception as error:
        raise RecordingError(
            f"the redactor {_named(finder)} raised {type(error).__name__}, so that nobody knows what is secret: "
            "nothing of this event was written. It must return the secrets in a text, for any text."
        ) from error
    if any(type(secret) is not str for secret in secrets):
        raise RecordingError(f"the redactor {_named(finder)} must return a list of texts, the secrets in what it got")
    return [secret for secret in secrets if secret]


def _named(finder: Finder) -> str:
    return getattr(finder, "__qualname__", type(finder).__qualname__)


def _places(text: AnyStr, secret: str) -> list[Span]:
    value: Any = secret if isinstance(text, str) else secret.encode("utf-8", "surrogateescape")
    found, at = [], text.find(value)
    while at >= 0:
        found.append(Span(at, at + len(value), "redactor", known=True))
        at = text.find(value, at + len(value))
    return found
