"""When the program starts its first thread: the same moment on record and replay, as it is the program that does it."""

from __future__ import annotations

import _thread
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final

from testbench.inplace import Redirect

_STARTERS: Final = tuple(
    getattr(_thread, name) for name in ("start_new_thread", "start_joinable_thread") if hasattr(_thread, name)
)


def before_each_thread(stack: ExitStack, tell: Callable[[], None]) -> None:
    """Call ``tell`` before each thread that Python code starts, until the stack unwinds."""
    for starter in _STARTERS:
        redirect = Redirect(starter)
        stack.push(redirect)
        redirect.to(_telling(redirect.original, tell))


def _telling(original: Callable[..., Any], tell: Callable[[], None]) -> Callable[..., Any]:
    def start(*args: Any, **kwargs: Any) -> Any:
        tell()
        return original(*args, **kwargs)

    return start
