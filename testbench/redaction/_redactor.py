"""Plain values with placeholders where their secrets were."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache
from marshal import dumps
from typing import Any, AnyStr, Final

from testbench.protocol import Plain
from testbench.redaction._finding import may_hold, spans
from testbench.redaction._names import is_no_secret, is_secret_name
from testbench.redaction._placeholder import is_placeholder, placeholders, stand_ins
from testbench.redaction._programs import ATTACHED, OPTION, PROGRAMS, after_options
from testbench.redaction._rules import Rules
from testbench.redaction._secrets import Secrets
from testbench.redaction._spans import Span, merged
from testbench.redaction._unfinished import unfinished
from testbench.redaction._unifying import unified

_LARGE: Final = 65_536
_SMALL: Final = 256
_PROGRAMS: Final = tuple(program.encode() for program in PROGRAMS)
_SCHEME: Final = re.compile(r"(?:bearer|basic|token|digest|negotiate|apikey|aws4-hmac-sha256)\s+", re.IGNORECASE)
_GIVES: Final = re.compile(r"(?:password|passphrase|secret|credentials?|api_?key|access_token|auth_token)$")


class Redactor:
    """Redacts what is about to be written, or to be shown.

    Args:
        secrets: those of the session.
        rules: the user's own.
        usual: whether names, shapes and URLs are looked for as well.
        found: told of each secret that was replaced.

    Attributes:
        redactions: how many places were replaced so far.
    """

    def __init__(
        self,
        secrets: Secrets,
        rules: Rules = Rules(),  # noqa: B008  # frozen
        *,
        usual: bool = True,
        found: Callable[[tuple[str, ...], Span], None] | None = None,
    ) -> None:
        self.secrets = secrets
        self.redactions = 0
        self._rules = rules
        self._usual = usual
        self._found = found
        self._path: list[str] = []

    def event(self, name: str, request: Plain, outcome: Plain) -> tuple[Plain, Plain]:
        """Return request and outcome of one crossing as they may be written; the very same where nothing is secret.

        Args:
            name: kind and op.
            request: what was asked.
            outcome: what came back: a value, or arguments and attributes of an exception.
        """
        told = type(outcome) in (str, bytes) and self._usual and _gives_secret(name)
        if not told and not self._may_hold((request, outcome)):
            return request, outcome
        told = told or (type(outcome) in (str, bytes) and self._usual and _asks_for_secret(request))
        return self._at("request", request, eager=True), self._at("outcome", outcome, named=told)

    def value(self, value: Plain, *, eager: bool = True) -> Plain:
        """Return a value as it may be written or shown."""
        return self._walk(value, eager, "") if self._may_hold(value) else value

    def text(self, text: str) -> str:
        """Return a text as it may be shown."""
        shown = self.value(text)
        assert isinstance(shown, str)
        return shown

    def live(self, recorded: Plain, live: Plain) -> Plain:
        """Return a live request as it would be on this tape: its secrets stand for those of the recorded one."""
        live = unified(recorded, live, self.secrets)
        self.secrets.expect(stand_in for _, stand_in in placeholders_in(recorded))
        redacted = self.value(live)
        self.secrets.expect_no_more()
        return redacted

    def spans(self, text: AnyStr, *, eager: bool = False) -> list[Span]:
        """Return the secrets in a text, in order: known ones first, then what else looks like one."""
        if len(text) > _SMALL and not self.may_hold(text if isinstance(text, bytes) else dumps(text, 2)):
            return []
        done: list[Span] = stand_ins(text)
        known: list[Span] = merged([span for span in self.secrets.spans(text) if not _overlaps(span, done)])
        further: list[Span] = [*self._rules.spans(text), *(spans(text, eager=eager) if self._usual else ())]
        return merged([*known, *(span for span in further if not _overlaps(span, [*done, *known]))])

    def unfinished(self, data: bytes) -> tuple[int, bool]:
        """Return where a secret begins that may go on behind the end of the data, and whether it surely has."""
        at, sure = unfinished(data) if self._usual else (len(data), False)
        known = self.secrets.unfinished(data)
        if self._rules.patterns or self._rules.finders:
            known = min(known, data.rfind(b"\n", max(0, len(data) - 16_384)) + 1)
        return (at, sure) if at <= known else (known, False)

    def stand_in(self, secret: AnyStr, span: Span) -> AnyStr:
        """Return what stands for a secret, and count it."""
        self.redactions += 1
        made = self.secrets.stand_in(secret)
        if span.known:
            self.secrets.remember(secret)
        if self._found is not None:
            self._found(tuple(self._path), span)
        return made

    def _may_hold(self, value: Any) -> bool:
        """Tell whether any text in a value is worth a look; the serial form of all of them is searched in one go."""
        data = dumps(value, 2)
        if self.may_hold(data):
            return True
        if len(data) < _LARGE and b"-" in data:
            for program in _PROGRAMS:
                if program in data:
                    return True
        return False

    def may_hold(self, data: bytes) -> bool:
        """Tell whether bytes are worth a look; quick, and seldom without reason."""
        if self._rules.search:
            return True
        for literal in self.secrets.literals:
            if literal in data:
                return True
        return self._usual and may_hold(data)

    def _names_secret(self, name: str) -> bool:
        return (self._usual and is_secret_name(name)) or self._rules.names_secret(name)

    def _at(self, key: str, value: Plain, *, eager: bool = False, named: bool = False) -> Plain:
        self._path.append(key)
        try:
            return self._walk(value, eager, "password" if named else "")
        finally:
            self._path.pop()

    def _walk(self, value: Plain, eager: bool, name: str) -> Plain:
        """Return a value redacted; ``name`` is that of the secret that it is, empty if it need not be one."""
        if isinstance(value, str):
            return self._whole(value, name) if name else self._texts(value, eager)
        if isinstance(value, bytes):
            return self._whole(value, name) if name else self._texts(value, False)
        if isinstance(value, list):
            return self._list(value, eager, name)
        return self._dict(value, eager, name) if isinstance(value, dict) else value

    def _texts(self, text: AnyStr, eager: bool) -> AnyStr:
        found = self.spans(text, eager=eager)
        if not found:
            return text
        parts: list[AnyStr] = []
        at = 0
        for span in found:
            parts += [text[at : span.start], self.stand_in(text[span.start : span.end], span)]
            at = span.end
        parts.append(text[at:])
        return text[:0].join(parts)

    def _whole(self, value: AnyStr, name: str) -> AnyStr:
        shown = value if isinstance(value, str) else value.decode("latin-1")
        scheme = _SCHEME.match(shown)
        start = ATTACHED if name == OPTION else 0 if scheme is None else scheme.end()
        if is_no_secret(shown[start:], name) or is_placeholder(value[start:]):
            return value
        if any(span.start == 0 and span.end == len(value) for span in self.secrets.spans(value)):
            start = 0
        span = Span(start, len(value), "name", known=True)
        return value[:start] + self.stand_in(value[start:], span)

    def _list(self, items: list[Plain], eager: bool, name: str) -> Plain:
        named = after_options(items, self._names_secret) if self._usual or self._rules.names else {}
        result = []
        for place, item in enumerate(items):
            self._path.append(str(place))
            result.append(self._walk(item, eager, name or named.get(place, "")))
            self._path.pop()
        return result if any(new is not old for new, old in zip(result, items, strict=True)) else items

    def _dict(self, items: dict[str, Plain], eager: bool, outer: str) -> Plain:
        label = items.get("name", items.get("key"))
        pair = label if isinstance(label, str) and self._names_secret(label) else ""
        result: dict[str, Plain] = {}
        for key, item in items.items():
            self._path.append(key)
            name = key if self._names_secret(key) else pair if key == "value" else outer if key[:1] == "$" else ""
            result[self._texts(key, False)] = self._walk(item, eager, name)
            self._path.pop()
        same = all(map(lambda new, old: new[0] is old[0] and new[1] is old[1], result.items(), items.items()))
        return items if same and len(result) == len(items) else result


def _overlaps(span: Span, others: Iterable[Span]) -> bool:
    return any(span.start < other.end and other.start < span.end for other in others)


@cache
def _gives_secret(name: str) -> bool:
    """Tell whether what comes back is a secret by what was called: ``get_password()``."""
    return _GIVES.search(name.lower()) is not None


def _asks_for_secret(request: Plain) -> bool:
    """Tell whether what comes back is a secret by what was asked: ``getenv("API_KEY")``."""
    asked = list(request.values()) if isinstance(request, dict) else [request]
    return any(isinstance(word, str) and is_secret_name(word) for word in asked)


def placeholders_in(value: Plain) -> Iterable[tuple[int, str]]:
    if isinstance(value, str):
        yield from placeholders(value)
    elif isinstance(value, bytes):
        yield from placeholders(value.decode("latin-1"))
    elif isinstance(value, (list, dict)):
        for item in value if isinstance(value, list) else [part for pair in value.items() for part in pair]:
            yield from placeholders_in(item)


def highest(value: Plain) -> int:
    """Return the highest number of a placeholder in a value, 0 if there is none."""
    return max((number for number, _ in placeholders_in(value)), default=0)
