"""How long a call is to wait, as CPython reads it: a float or an integer, and nothing that merely could become one.

So does ``_PyTime_FromSecondsObject`` of ``Python/pytime.c``, by which locks and queues take their timeouts.
"""

from __future__ import annotations

import operator
import sys
import threading
from collections.abc import Mapping
from typing import Any, Final

import attrs

FOR_EVER: Final = -1.0


@attrs.frozen
class Asking:
    """How a method is told how long to wait.

    Attributes:
        names: its parameters, the timeout last, whether to wait at all before that.
        never: the timeout by which it waits for ever; the default.
    """

    names: tuple[str, ...]
    never: int | None

    def seconds(self, args: tuple[Any, ...], options: Mapping[str, Any]) -> float | None:
        """Return for how many seconds a call waits, `FOR_EVER` and 0 included; None for what the method refuses.

        What it is given is without self.
        """
        if not (args or options):
            return FOR_EVER
        names = self.names
        given = dict(zip(names, args, strict=False))
        if len(args) > len(names) or not options.keys() <= {*names} - given.keys():
            return None
        given.update(options)
        blocks = _flag(given.get(names[0], True)) if len(names) > 1 else True
        timeout = given.get(names[-1], self.never)
        if timeout == self.never:
            return FOR_EVER if blocks else None if blocks is None else 0
        seconds = _number(timeout)
        return seconds if blocks and seconds is not None and 0 <= seconds <= threading.TIMEOUT_MAX else None


def _flag(blocks: Any) -> bool | None:
    """Return whether to wait at all; None for what is no integer, which locks refuse up to CPython 3.11."""
    return None if sys.version_info < (3, 12) and not hasattr(blocks, "__index__") else bool(blocks)


def _number(timeout: Any) -> float | None:
    try:
        return timeout if isinstance(timeout, float) else operator.index(timeout)
    except TypeError:
        return None


LOCK: Final = Asking(("blocking", "timeout"), -1)
"""``acquire`` of locks."""

QUEUE: Final = Asking(("block", "timeout"), None)
"""``get`` of queues."""

JOIN: Final = Asking(("timeout",), None)
"""``join`` of threads, since CPython 3.13."""
