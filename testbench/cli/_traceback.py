"""Show an exception that nobody caught as the interpreter would, without the frames that are ours."""

from __future__ import annotations

import os
import sys
from types import TracebackType
from typing import Final

from testbench.errors import TestbenchError

_OURS: Final = os.path.dirname(os.path.dirname(__file__)) + os.sep


def show(error: BaseException) -> None:
    """Print an exception through the program's own ``sys.excepthook``."""
    seen: set[int] = set()
    rest: list[BaseException | None] = [error]
    while rest:
        link = rest.pop()
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        rest += [link.__cause__, link.__context__]
        if not isinstance(link, TestbenchError):  # there our frames are the news
            link.__traceback__ = _without_ours(link.__traceback__)
    sys.excepthook(type(error), error, error.__traceback__)


def _without_ours(trace: TracebackType | None) -> TracebackType | None:
    """Unlink the frames of this package."""
    frames = []
    while trace is not None:
        if not trace.tb_frame.f_code.co_filename.startswith(_OURS):
            frames.append(trace)
        trace = trace.tb_next
    for frame, after in zip(frames, [*frames[1:], None], strict=False):
        frame.tb_next = after
    return frames[0] if frames else None
