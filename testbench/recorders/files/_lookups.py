"""Looking for programs: op ``which`` for ``shutil.which``; ``stat``, ``lstat``, ``access``, ``readlink`` in PATH.

A program that looks for ``git`` before it starts it, finds it on replay where it was, though there is none. Whatever
it asks of a path right in one of the directories of PATH, or of one that ``shutil.which`` has found, is an event. PATH
itself stands in the header of the tape, and is on replay what it was.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from testbench.inplace import Code, Redirect
from testbench.protocol import Call, Plain
from testbench.recorders.files._answers import ask_stat, asking, said
from testbench.recorders.files._given import RAISES, as_given, number


def _calling_which(cmd: Any, mode: Any = os.F_OK | os.X_OK, path: Any = None) -> Any:
    return _testbench_which(cmd, mode, path)  # type: ignore[name-defined]  # noqa: F821  # a global of shutil


class Lookups:
    """Look-ups of programs, for one session.

    Args:
        call: the waist.
        path: PATH, as it is recorded; None if there is none.
    """

    def __init__(self, call: Call, path: str | None) -> None:
        self._call = call
        self._path = path
        folders = [folder for folder in (path or "").split(os.pathsep) if os.path.isabs(folder)]
        self._folders = {folder.rstrip("/") for folder in folders}
        self._found: set[str] = set()

    def install(self, stack: ExitStack) -> None:
        """Redirect the functions until the stack is closed.

        Raises:
            UsageError: ``shutil.which`` is another function than that of the standard library.
        """
        self._set_path(stack)
        which = Code(shutil.which, _calling_which, "_testbench_which")
        stack.push(which)
        which.to(self._which(which.original))
        bodies = {"stat": self._stat, "lstat": self._stat, "access": self._asking, "readlink": self._asking}
        for name, body in bodies.items():
            redirect = Redirect(getattr(os, name))
            stack.push(redirect)
            redirect.to(as_given(self._known(redirect.original, body)))

    def _set_path(self, stack: ExitStack) -> None:
        """Let PATH be what it was; so it is while recording."""
        before = os.environ.get("PATH")
        if self._path is not None and before != self._path:
            os.environ["PATH"] = self._path
            stack.callback(_put_back, before)

    def _which(self, original: Callable[..., Any]) -> Callable[..., Any]:
        call = self._call

        def which(cmd: Any, mode: Any, path: Any) -> Any:
            if not call.follows() or call.inside():
                return original(cmd, mode, path)
            request: Plain = {"program": _plain(cmd), "mode": mode, "path": None if path is None else _plain(path)}
            found: Any = call("which", request, lambda: original(cmd, mode, path), raises=(TypeError,))
            if found is not None:
                self._found.add(os.fsdecode(found))
            return found

        return which

    def _known(self, original: Callable[..., Any], body: Callable[..., Any]) -> Callable[..., Any]:
        found, folders, call, op = self._found, self._folders, self._call, original.__name__

        def known(path: Any, *args: Any, **options: Any) -> Any:
            name = path if type(path) is str else _named(path)
            asked = name.rpartition("/")[0] in folders or name in found
            if asked and call.follows() and options.get("dir_fd") is None:
                return body(op, original, os.fspath(path), *args, **options)
            return original(path, *args, **options)

        return known

    def _stat(self, op: str, original: Callable[..., Any], path: Any, **options: Any) -> Any:
        return ask_stat(asking(self._call), original, path, path, options)

    def _asking(self, op: str, original: Callable[..., Any], path: Any, *mode: Any, **options: Any) -> Any:
        request: Plain = {"path": path, "mode": number(mode[0]) if mode else None, "options": said(options)}
        return self._call(op, request, lambda: original(path, *mode, **options), raises=RAISES)


def _put_back(path: str | None) -> None:
    if path is None:
        os.environ.pop("PATH", None)
    else:
        os.environ["PATH"] = path


def _named(path: Any) -> str:
    """Return the path that was given as text; none for what is none, a descriptor say."""
    return os.fsdecode(path) if isinstance(path, bytes | os.PathLike) else ""


def _plain(given: Any) -> Plain:
    """Return a path or list of paths as text or bytes; what is neither is named by its type, and CPython raises."""
    try:
        value = os.fspath(given)
    except TypeError:
        return {"unfit": type(given).__name__}
    return str(value) if isinstance(value, str) else bytes(value)
