"""Comparing what a program asks on replay with what a tape holds: by the matcher of the op, and never by secrets."""

from __future__ import annotations

from collections.abc import Mapping

from testbench.protocol import Matcher, Pieces, Plain
from testbench.redaction import Fitting, Redactor
from testbench.sessions._matching import exact
from testbench.sessions._places import at, replaced
from testbench.sessions._rules import Rules
from testbench.values import same


class Comparing:
    """Says why two requests differ.

    Args:
        matchers: per kind and op, its matcher; what is not named needs equality.
        redactor: lets other secrets than the recorded ones match; None if secrets are compared like all else.
        pieces: per kind and op, which bytes of its events are pieces of streams.
        rules: what the user wants compared; None for all.
    """

    def __init__(
        self,
        matchers: Mapping[str, Matcher],
        redactor: Redactor | None = None,
        pieces: Mapping[str, Pieces] | None = None,
        rules: Rules | None = None,
    ) -> None:
        self._rules = rules
        self._matchers = matchers
        self._redactor = redactor
        self._pieces = {} if redactor is None else pieces or {}
        self._streams: dict[str, Fitting] = {}

    def difference(self, name: str, recorded: Plain, live: Plain) -> str | None:
        """Say in words why the next request of a program is not the one on the tape; None if it is.

        Args:
            name: kind and op.
            recorded: what the tape holds.
            live: what is asked.
        """
        if name in self._pieces:
            live = self._fitted(name, recorded, live)
        if self._is_same(name, recorded, live):
            return None
        if self._redactor is not None:
            recorded = self._redactor.value(recorded)
            live = self._redactor.live(recorded, live)
        return self.unlike(name, recorded, live)

    def unlike(self, name: str, recorded: Plain, live: Plain) -> str | None:
        """Say in words why two requests differ whose secrets are replaced already; None if they do not."""
        if self._is_same(name, recorded, live):
            return None
        matcher = self._matchers.get(name, exact)
        return (matcher if self._rules is None else self._rules.matcher(name, matcher))(recorded, live)

    def _is_same(self, name: str, recorded: Plain, live: Plain) -> bool:
        return same(recorded, live) and (self._rules is None or not self._rules.asks_always(name))

    def _fitted(self, name: str, recorded: Plain, live: Plain) -> Plain:
        """Return a live request with the recorded pieces of streams, where a placeholder is cut in two and they fit."""
        for stream, place, _ in self._pieces[name](recorded, None):
            ours, theirs = at(place, recorded, None), at(place, live, None)
            if isinstance(ours, bytes) and isinstance(theirs, bytes):
                fitting = self._streams.setdefault(stream, Fitting())
                if fitting.cuts(ours) and fitting.fits(ours, theirs):
                    live = replaced(live, place[1:], ours)
        return live
