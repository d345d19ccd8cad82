"""What the standard library keeps of files that it has read, whichever session that was in: forgotten as one begins.

Else the first of two runs in a process reads a file, and the second does not.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

_LINES_OF_A_FILE = 4
"""So many things `linecache` keeps of a file; the second, a time, is None for a text that comes from none."""


def forget(covers: Callable[[str], bool]) -> None:
    """Forget what the program's files held.

    Args:
        covers: tells whether reads of a path are recorded.
    """
    lines = sys.modules.get("linecache")
    for name, kept in list(getattr(lines, "cache", {}).items()):
        if len(kept) == _LINES_OF_A_FILE and kept[1] is not None and covers(kept[3]):
            lines.cache.pop(name, None)  # type: ignore[union-attr]  # a module that has a cache
    compared = sys.modules.get("filecmp")
    if compared is not None:
        compared.clear_cache()
