"""Ways to start a process that are seen and cannot be recorded yet: they are reported, and refused on replay."""

from __future__ import annotations

import _posixsubprocess
import os
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final

from testbench.inplace import Redirect
from testbench.protocol import Plain
from testbench.recorders._process_children import Children
from testbench.recorders._process_spawn import as_plain

_FUNCTIONS: Final[dict[str, Any]] = {
    "fork": os,
    "forkpty": os,
    "execv": os,
    "execve": os,
    "fork_exec": _posixsubprocess,
}
"""Builtins by name; ``os.execl`` and its kin, and ``pty.fork``, are built on these."""


def install_beyond(children: Children, stack: ExitStack) -> None:
    """Redirect all of them until the stack is closed."""
    for name, module in _FUNCTIONS.items():
        if hasattr(module, name):
            redirect = Redirect(getattr(module, name))
            stack.callback(redirect.restore)
            redirect.to(_reporting(children, name, redirect.original))


def _reporting(children: Children, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    def function(*args: Any, **kwargs: Any) -> Any:
        if children.passing():
            return original(*args, **kwargs)
        return children.leak(name, _asked(name, args), lambda: original(*args, **kwargs))

    return function


def _asked(name: str, args: tuple[Any, ...]) -> Plain:
    if not args:
        return {}
    argv = args[0] if name == "fork_exec" else args[1] if len(args) > 1 else ()
    return {"argv": [as_plain(arg) for arg in argv] if isinstance(argv, (list, tuple)) else []}
