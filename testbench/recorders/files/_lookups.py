"""Looking for programs: op ``which`` for ``shutil.which``, and ``stat`` and ``access`` of what that has found.

A program that looks for ``git`` before it starts it, finds it on replay where it was, though there is none.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any, Final

from testbench.inplace import Code, Redirect
from testbench.protocol import Call, Plain

_RAISES: Final = (OSError, ValueError)


def _calling_which(cmd: Any, mode: Any = os.F_OK | os.X_OK, path: Any = None) -> Any:
    return _testbench_which(cmd, mode, path)  # type: ignore[name-defined]  # noqa: F821  # a global of shutil


class Lookups:
    """Look-ups of programs, for one session.

    Args:
        call: the waist.
    """

    def __init__(self, call: Call) -> None:
        self._call = call
        self._found: set[str | bytes] = set()

    def install(self, stack: ExitStack) -> None:
        """Redirect the functions until the stack is closed.

        Raises:
            UsageError: ``shutil.which`` is another function than that of the standard library.
        """
        which = Code(shutil.which, _calling_which, "_testbench_which")
        stack.callback(which.restore)
        which.to(self._which(which.original))
        for function, body in ((os.stat, self._stat), (os.access, self._access)):
            redirect = Redirect(function)
            stack.callback(redirect.restore)
            redirect.to(self._known(redirect.original, body))

    def _which(self, original: Callable[..., Any]) -> Callable[..., Any]:
        call = self._call

        def which(cmd: Any, mode: Any, path: Any) -> Any:
            if not call.follows() or call.inside():
                return original(cmd, mode, path)
            request: Plain = {"program": _plain(cmd), "mode": mode, "path": None if path is None else _plain(path)}
            found: Any = call("which", request, lambda: original(cmd, mode, path), raises=(TypeError,))
            if found is not None:
                self._found.add(found)
            return found

        return which

    def _known(self, original: Callable[..., Any], body: Callable[..., Any]) -> Callable[..., Any]:
        found, call = self._found, self._call

        def known(path: Any, *args: Any, **options: Any) -> Any:
            if found and call.follows() and (name := _named(path)) in found and options.get("dir_fd") is None:
                return body(original, name, *args, **options)
            return original(path, *args, **options)

        return known

    def _stat(self, original: Callable[..., Any], path: Any, **options: Any) -> os.stat_result:
        request: Plain = {"path": path, "options": _said(options)}

        def effect() -> Plain:
            _, (fields, more) = original(path, **options).__reduce__()
            return {"fields": list(fields), "more": more}

        outcome: Any = self._call("stat", request, effect, raises=_RAISES)
        return os.stat_result(outcome["fields"], outcome["more"])

    def _access(self, original: Callable[..., Any], path: Any, mode: Any, **options: Any) -> Any:
        request: Plain = {"path": path, "mode": mode, "options": _said(options)}
        return self._call("access", request, lambda: original(path, mode, **options), raises=_RAISES)


def _named(path: Any) -> str | bytes | None:
    """Return the path that was given; None for what is none, a descriptor for one."""
    if type(path) is str or type(path) is bytes:
        return path
    return os.fspath(path) if isinstance(path, os.PathLike) else None


def _said(options: Mapping[str, Any]) -> dict[str, Plain]:
    """Return the options that differ from what they are by default."""
    return {name: bool(value) for name, value in options.items() if bool(value) != (name == "follow_symlinks")}


def _plain(given: Any) -> Plain:
    """Return a path or list of paths as text or bytes; what is neither is named by its type, and CPython raises."""
    try:
        value = os.fspath(given)
    except TypeError:
        return {"unfit": type(given).__name__}
    return str(value) if isinstance(value, str) else bytes(value)
