"""Who makes a crossing: the frames around an audit event, without ours."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Final

from testbench.recorders.audit import _hook

_IMPORT: Final = "<frozen importlib._bootstrap"


def crossing_frame(*, beside: frozenset[str] = frozenset()) -> FrameType | None:
    """Return the frame that made the event that is looked at now; None if there is none.

    Args:
        beside: names of modules that do it for whoever calls them.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code is not _hook.CODE:
        frame = frame.f_back
    frame = None if frame is None else frame.f_back
    while frame is not None and frame.f_globals.get("__name__") in beside:
        frame = frame.f_back
    return frame


def is_importing(frame: FrameType | None) -> bool:
    """Tell whether a module is being imported there: what that asks is asked wherever it is imported first, by luck."""
    while frame is not None:
        if frame.f_code.co_filename.startswith(_IMPORT):
            return True
        frame = frame.f_back
    return False
