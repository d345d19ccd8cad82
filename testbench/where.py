"""Where in the user's code a crossing was made."""

from __future__ import annotations

import os
import sys
import sysconfig
from types import FrameType
from typing import Final

_OURS: Final = os.path.dirname(__file__) + os.sep
_STDLIB: Final = sysconfig.get_paths()["stdlib"] + os.sep


def user_frame(frame: FrameType | None) -> FrameType | None:
    """Return the innermost frame that is neither ours nor the standard library's.

    Where there is none (a test runner's internals), the innermost that is not ours; None if all are.
    """
    fallback = None
    while frame is not None:
        if is_users(frame):
            return frame
        if not _is_ours(frame):
            fallback = fallback or frame
        frame = frame.f_back
    return fallback


def is_users(frame: FrameType) -> bool:
    """Tell whether a frame is neither ours nor the standard library's."""
    return not _is_ours(frame) and not _is_library(frame)


def user_line(frame: FrameType | None = None) -> str:
    """Return ``file:line in function`` of the user's code that a frame belongs to; by default, of what runs now."""
    found = user_frame(frame or sys._getframe(1))
    return "unknown" if found is None else place(found)


def place(frame: FrameType) -> str:
    """Return ``file:line in function`` of a frame."""
    return f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_qualname}"


def library_function(frame: FrameType | None) -> str:
    """Return the function of the standard library that the user's code has called, empty if none."""
    called = ""
    while frame is not None and (_is_ours(frame) or _is_library(frame)):
        called = called if _is_ours(frame) else frame.f_code.co_qualname
        frame = frame.f_back
    return called if frame is not None else ""


def _is_ours(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith((_OURS, "<frozen "))


def _is_library(frame: FrameType) -> bool:
    name = frame.f_code.co_filename
    return name.startswith(_STDLIB) and f"{os.sep}site-packages{os.sep}" not in name
