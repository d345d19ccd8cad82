"""The sets of `os` that say what its functions can do: they hold the functions, whose hash a redirect changes."""

from __future__ import annotations

import os
from typing import Final

_SETS: Final = ("supports_dir_fd", "supports_effective_ids", "supports_fd", "supports_follow_symlinks")


def hash_again() -> None:
    """Let these sets find functions that were redirected, or restored; ``os.stat in os.supports_follow_symlinks``."""
    for name in _SETS:
        functions = getattr(os, name)
        members = list(functions)
        functions.clear()
        functions.update(members)
