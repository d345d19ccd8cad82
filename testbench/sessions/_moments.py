"""How a tape tells when a signal handler ran: the words of the events of kind ``signal``.

``signal.handled`` comes before everything that the handler does. Its request is the number of the signal, the moment,
and the crossing that the moment refers to:

* ``inside``: within the effect of that crossing, whose own event comes later;
* ``before``, ``after``: right before or after that crossing, because no handler could run within our own code;
* ``sent``: the program sent the signal to itself, and the handler ran before it went on;
* ``between``: anywhere else. A replay finds the handler's place among the events, not among the program's lines.

``signal.interrupted`` says that what a handler raised went on out of the effect, so that the crossing ended there.
"""

from __future__ import annotations

from typing import Final

HANDLED: Final = "signal.handled"
INTERRUPTED: Final = "signal.interrupted"

INSIDE: Final = "inside"
BEFORE: Final = "before"
AFTER: Final = "after"
SENT: Final = "sent"
BETWEEN: Final = "between"
