"""Ways to start a process that are seen and cannot be recorded: they are reported, and refused on replay.

An ``exec`` is the end of the program, and of what could record it. A server of multiprocessing forks out of sight.
"""

from __future__ import annotations

import _posixsubprocess
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final

from testbench.inplace import Attribute, Redirect
from testbench.protocol import Plain
from testbench.recorders.process._children import Children
from testbench.recorders.process._spawn import as_plain

_FUNCTIONS: Final[dict[str, Any]] = {
    "execv": os,
    "execve": os,
}
"""Builtins by name; ``os.execl`` and its kin, are built on these."""

_BOUNDARY: Final = "mark the function that has the work done elsewhere with @testbench.boundary"
_ADVICE: Final = {
    "execv": "start the program with subprocess.run and exit with its returncode",
    "execve": "start the program with subprocess.run and exit with its returncode",
    "fork_exec": f"start programs with subprocess; for multiprocessing, use the start method fork; or {_BOUNDARY}",
    "multiprocessing": f"use the start method fork, or threads; or {_BOUNDARY}",
}


def install_beyond(children: Children, stack: ExitStack) -> None:
    """Redirect all of them until the stack is closed."""
    for name, module in _FUNCTIONS.items():
        if hasattr(module, name):
            redirect = Redirect(getattr(module, name))
            stack.push(redirect)
            redirect.to(_reporting(children, name, redirect.original))
    fork_exec = Redirect(_posixsubprocess.fork_exec)
    stack.push(fork_exec)
    fork_exec.to(_fork_exec(children, fork_exec.original))
    if "multiprocessing.forkserver" in sys.modules:
        _install_forkserver(children, stack)


def _install_forkserver(children: Children, stack: ExitStack) -> None:
    """See to it that a server which runs already forks nobody unseen: that happens in another process."""
    from multiprocessing.popen_forkserver import Popen

    redirect = Attribute(Popen, "_launch")
    original = redirect.original

    def launch(popen: Any, process: Any) -> Any:
        if children.passing():
            return original(popen, process)
        request: Plain = {"start_method": "forkserver"}
        return children.leak(
            "multiprocessing", request, lambda: original(popen, process), instead=_ADVICE["multiprocessing"]
        )

    stack.push(redirect)
    redirect.to(launch)


def _reporting(children: Children, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    """Return what stands in the place of one of these functions.

    Args:
        children: the children of the session.
        name: the op of the leak.
        original: the function.
    """

    def function(*args: Any, **kwargs: Any) -> Any:
        if children.passing():
            return original(*args, **kwargs)
        asked = _asked(args)
        return children.leak(name, asked, lambda: original(*args, **kwargs), instead=_ADVICE[name])

    return function


def _fork_exec(children: Children, original: Callable[..., Any]) -> Callable[..., Any]:
    """Return what stands in the place of the function below subprocess: that it fails can be recorded, and is."""

    def function(*args: Any) -> Any:
        if children.passing():
            return original(*args)
        asked = _argv(args[0] if args else ())
        outcome = children.cross("fork_exec", asked, lambda: {"pid": original(*args)}, raises=(Exception,))
        return children.leak("fork_exec", asked, lambda: outcome["pid"], instead=_ADVICE["fork_exec"])

    return function


def _asked(args: tuple[Any, ...]) -> Plain:
    return _argv(args[1] if len(args) > 1 else ()) if args else {}


def _argv(argv: Any) -> Plain:
    return {"argv": [as_plain(arg) for arg in argv] if isinstance(argv, (list, tuple)) else []}
