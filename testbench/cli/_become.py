"""Turns this interpreter into a program, as CPython's own start does (``pymain_run_python`` in ``Modules/main.c``)."""

from __future__ import annotations

import builtins
import importlib.machinery
import io
import os
import pkgutil
import runpy
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any


def become(how: str, command: list[str], at: int) -> Callable[[], None]:
    """Set ``sys.argv``, ``sys.path[0]`` and ``__main__`` for a program and return what runs it.

    Args:
        how: ``"script"``, ``"module"`` or ``"code"``.
        command: the words of the whole command, interpreter and program.
        at: where in it the program stands: the path of a script, a directory or a zip file, the name of a module, or
            the code itself. The program's arguments follow.

    Raises:
        SystemExit: the script cannot be read; said on stderr in the interpreter's own words.
        SyntaxError: it is not Python.
    """
    main = ModuleType("__main__")
    main.__dict__.update(__builtins__=builtins, __annotations__={}, __loader__=importlib.machinery.BuiltinImporter)
    sys.orig_argv[:] = command
    target, *arguments = command[at:]
    sys.argv[:] = [{"script": target, "module": "-m", "code": "-c"}[how], *arguments]
    sys.modules["__main__"] = main
    return {"script": _script, "module": _module, "code": _code}[how](target, main)


def _script(path: str, main: ModuleType) -> Callable[[], None]:
    full = os.path.join(os.getcwd(), path)  # absolute and not normalised, as the interpreter does it
    if pkgutil.get_importer(full) is not None:  # a directory or a zip file
        sys.path.insert(0, full)
        return lambda: _run_module("__main__", alter_argv=False)
    _first_on_path(os.path.dirname(os.path.realpath(path)))
    try:
        with io.open_code(full) as file:
            source = file.read()
    except OSError as error:
        print(f"{sys.executable}: can't open file {full!r}: [Errno {error.errno}] {error.strerror}", file=sys.stderr)
        sys.exit(2)
    loader = importlib.machinery.SourceFileLoader("__main__", full)
    main.__dict__.update(__file__=full, __cached__=None, __loader__=loader)
    return _runner(source, full, main)


def _code(source: str, main: ModuleType) -> Callable[[], None]:
    _first_on_path("")
    return _runner(source.encode("utf-8", "surrogateescape"), "<string>", main)


def _module(name: str, main: ModuleType) -> Callable[[], None]:
    _first_on_path(os.getcwd())
    return lambda: _run_module(name, alter_argv=True)


def _runner(source: bytes, filename: str, main: ModuleType) -> Callable[[], None]:
    code = compile(source, filename, "exec", dont_inherit=True)
    return lambda: exec(code, main.__dict__)


def _run_module(name: str, *, alter_argv: bool) -> None:
    # Private, and exactly what the interpreter itself calls for -m: public run_module takes __main__ away afterwards,
    # when exit handlers and threads still need it.
    run: Any = runpy._run_module_as_main  # type: ignore[attr-defined]
    run(name, alter_argv)


def _first_on_path(folder: str) -> None:
    if not sys.flags.safe_path:
        sys.path.insert(0, folder)
