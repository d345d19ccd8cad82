"""Whether a live piece of a stream is what a tape holds, where a placeholder is cut in two.

A whole placeholder in a request is compared by name. One that begins in one piece and ends in a later one cannot be:
the live secret is not whole yet when its first piece must be answered. So its place fits any bytes of equal number, and
what looked like the beginning of one and was none is compared as soon as the next piece shows that.
"""

from __future__ import annotations

import re
from typing import Final

from testbench.redaction._placeholder import stand_ins

_BEGUN: Final = re.compile(
    rb"\$(?:\{(?:S(?:E(?:C(?:R(?:E(?:T(?::(?:\d{1,9}[.\r\n]*)?)?)?)?)?)?)?|\d{1,9}[.\r\n]*)?)?\Z"
)

_MOST: Final = 1 << 20  # bytes of one placeholder


class Fitting:
    """One stream of a replay: compares the pieces that a program sends with the recorded ones."""

    def __init__(self) -> None:
        self._recorded = b""  # the beginning of a placeholder, so far
        self._live = b""  # what the program sent in its place

    def cuts(self, recorded: bytes) -> bool:
        """Tell whether the next recorded piece holds a part of a placeholder; only such pieces need to be compared."""
        return bool(self._recorded) or _BEGUN.search(recorded) is not None

    def fits(self, recorded: bytes, live: bytes) -> bool:
        """Compare the next piece; the two are of equal length where they fit."""
        if len(recorded) != len(live):
            return False
        ours, theirs = self._recorded + recorded, self._live + live
        begun = _BEGUN.search(ours)
        start = len(ours) if begun is None else begun.start()
        self._recorded, self._live = ours[start : start + _MOST], theirs[start : start + _MOST]
        places = [*((span.start, span.end) for span in stand_ins(ours)), (start, len(ours))]
        at = 0
        for begin, end in places:
            if ours[at:begin] != theirs[at:begin]:
                return False
            at = max(at, end)
        return True
