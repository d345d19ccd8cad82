"""All that is in a directory, to be compared."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

Tree = dict[bytes, tuple[Any, ...]]


def tree_of(root: Path | str, *, times: bool = True) -> Tree:
    """Return all that is in a directory: mode and content of everything, and times of change."""
    found: Tree = {}
    waiting = [os.fsencode(root)]
    while waiting:
        path = waiting.pop()
        seen = os.lstat(path)
        content: Any = None
        if stat.S_ISDIR(seen.st_mode):
            names = sorted(os.listdir(path))
            waiting += [os.path.join(path, name) for name in names]
        elif stat.S_ISLNK(seen.st_mode):
            content = os.readlink(path)
        elif stat.S_ISREG(seen.st_mode):
            content = Path(os.fsdecode(path)).read_bytes() if seen.st_size < 1 << 24 else seen.st_size
        kept = (seen.st_mtime_ns,) if times else ()
        found[os.path.relpath(path, os.fsencode(root))] = (seen.st_mode, content, *kept)
    return found
