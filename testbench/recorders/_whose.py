"""Whose read it is: the program's, or one that the interpreter, its library, or whoever runs the program makes."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Final

_FOR_THEMSELVES: Final = frozenset(
    (
        *("importlib", "_frozen_importlib", "_frozen_importlib_external", "zipimport", "pkgutil", "runpy", "site"),
        *("sysconfig", "py_compile", "compileall", "encodings", "idlelib", "ensurepip", "venv"),
        *("traceback", "warnings", "inspect", "pdb", "bdb", "trace", "pydoc", "cProfile", "profile", "tracemalloc"),
        *("zoneinfo", "mimetypes", "gettext", "locale", "_strptime", "calendar", "platform", "ssl", "ctypes"),
        *("subprocess", "multiprocessing"),
    )
)
"""Packages of the standard library that read for their own sake, many of them once in a process."""

_RUNNERS: Final = frozenset(
    ("_pytest", "pytest", "pluggy", "coverage", "xdist", "execnet", "hypothesis", "unittest", "doctest", "pytest_cov")
)
"""Packages that run the program; what they read is not what it reads."""

_OURS_FOR_THEMSELVES: Final = ("testbench.cli", "testbench.pytest_plugin", "testbench.overlay")
_PASSING: Final = ("testbench.", "importlib.resources")
_PRINTS: Final = ("threading", "invoke_excepthook")
"""The function by which a traceback is printed in C, with the lines of the source."""

_ASKS, _PASSES, _OWN = "asks", "passes", "own"
_verdicts: dict[str, str] = {}
"""By the name of a module, what its asking means."""


def program_asks() -> bool:
    """Tell whether the caller of this reads for the program, or for a package that the program uses.

    The first caller counts that is no part of the standard library, which reads for whoever called it.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        name = frame.f_globals.get("__name__")
        verdict = _verdicts.get(name) or _learn(name)  # type: ignore[arg-type]
        if verdict != _PASSES:
            return verdict == _ASKS
        function = frame.f_code.co_name
        if function == "<module>" or (name, function) == _PRINTS:
            return False  # a module of the library is being imported
        frame = frame.f_back
    return True


def _learn(name: object) -> str:
    if not isinstance(name, str):
        return _ASKS
    package = name.partition(".")[0]
    if name.startswith(_OURS_FOR_THEMSELVES) or package in _RUNNERS:
        verdict = _OWN
    elif name.startswith(_PASSING):
        verdict = _PASSES
    elif package in _FOR_THEMSELVES:
        verdict = _OWN
    else:
        verdict = _PASSES if package in sys.stdlib_module_names else _ASKS
    _verdicts[name] = verdict
    return verdict
