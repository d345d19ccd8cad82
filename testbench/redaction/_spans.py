"""A secret in a text, by its place."""

from __future__ import annotations

import attrs


@attrs.frozen
class Span:
    """A secret in a text.

    Attributes:
        start: where it begins.
        end: where it has ended.
        rule: what found it.
        known: whether it is to be looked for wherever it stands, since no rule would find it alone.
    """

    start: int
    end: int
    rule: str
    known: bool = False


def merged(found: list[Span]) -> list[Span]:
    """Return spans in order; those that overlap become one."""
    result: list[Span] = []
    for span in sorted(found, key=lambda span: (span.start, -span.end)):
        if not result or span.start >= result[-1].end:
            result.append(span)
        elif span.end > result[-1].end:
            last = result[-1]
            result[-1] = Span(last.start, span.end, last.rule, last.known)
    return result
