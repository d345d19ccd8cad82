"""Who has to know that a function marked as a boundary is called: code of the program runs in it, or does not.

While recording, that code may change what lives in this process (a random number generator); on replay it is not run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

BEFORE_MARKED: Final[list[Callable[[], None]]] = []
"""Called in the thread that calls a marked function, before it does, on record and replay alike."""


def about_to_call_marked() -> None:
    """Tell all who have to know."""
    for tell in BEFORE_MARKED:
        tell()
