"""Where in the user's code a crossing was made."""

from __future__ import annotations

import os
import sys
import sysconfig
from types import FrameType
from typing import Final

_OURS: Final = os.path.dirname(os.path.dirname(__file__)) + os.sep
_STDLIB: Final = sysconfig.get_paths()["stdlib"] + os.sep


def user_line() -> str:
    """Return ``file:line in function`` of the innermost frame that is neither ours nor the standard library's.

    Code that has only library frames (a test runner's internals) is named by the innermost frame that is not ours.
    """
    frame: FrameType | None = sys._getframe(1)
    fallback = "unknown"
    while frame is not None:
        name = frame.f_code.co_filename
        if not name.startswith(_OURS) and not name.startswith("<frozen "):
            line = f"{name}:{frame.f_lineno} in {frame.f_code.co_qualname}"
            if not name.startswith(_STDLIB) or f"{os.sep}site-packages{os.sep}" in name:
                return line
            fallback = line if fallback == "unknown" else fallback
        frame = frame.f_back
    return fallback
