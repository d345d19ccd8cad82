"""The numbers of the exit statuses. Imported inside recorded programs, so it imports nothing."""

from __future__ import annotations

from typing import Final

SAME: Final = 0
DIFFERS: Final = 1
USAGE: Final = 2
UNREADABLE: Final = 3

PROBLEM: Final = 70
"""Added to the numbers above by the commands that otherwise pass on the status of the program they run."""

NOT_EXECUTABLE: Final = 126
NOT_FOUND: Final = 127

SIGNALLED: Final = 128
"""Plus the number of the signal that ended the program: how a shell says it."""
