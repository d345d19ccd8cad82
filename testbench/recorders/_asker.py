"""Who asks for what differs between machines: the program, or somebody who asks for himself."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Final

_PASSING: Final = frozenset(
    (
        *("os", "posixpath", "genericpath", "pathlib", "pathlib._abc", "pathlib._local", "glob", "shutil"),
        *("collections.abc", "_collections_abc", "collections", "contextlib", "getpass", "platform", "locale"),
    )
)
"""Modules that ask for whoever called them."""

_OURS_PASSING: Final = ("testbench.inplace.", "testbench.sessions.", "testbench.recorders.environ.")

_RUNNERS: Final = frozenset(
    ("testbench", "_pytest", "pytest", "pluggy", "coverage", "xdist", "execnet", "hypothesis", "unittest", "doctest")
)
"""Packages that run the program: they ask for themselves."""

_FOR_THEMSELVES: Final = frozenset(
    (
        *("importlib", "_frozen_importlib", "_frozen_importlib_external", "zipimport", "pkgutil", "runpy", "site"),
        *("sysconfig", "linecache", "inspect", "traceback", "tokenize", "warnings", "pdb", "bdb", "pydoc", "trace"),
        *("tempfile", "multiprocessing", "subprocess", "ctypes", "ssl", "_strptime", "calendar"),
    )
)
"""Packages of the standard library that find files, compare processes, or look once and keep the answer."""

_PARTS_FOR_THEMSELVES: Final = frozenset(
    ("asyncio.coroutines", "asyncio.events", "asyncio.unix_events", "concurrent.futures.process")
)
"""The same in packages whose other modules are not like that."""

_ASKING: Final = frozenset({("multiprocessing.process", "ident")})
"""Functions of those that ask for the program after all."""


def program_asks(frame: FrameType | None = None, *, of_machine: bool = False) -> bool:
    """Tell whether somebody asks for the program, or for a package that it uses.

    Args:
        frame: who asks; None for the caller of the function that calls this.
        of_machine: it asks what the machine is; the standard library has no use for that of its own.
    """
    frame = frame or sys._getframe(2)
    while frame is not None:
        name = frame.f_globals.get("__name__")
        if not isinstance(name, str):
            return True
        if name not in _PASSING and not name.startswith(_OURS_PASSING):
            return _is_programs(name, frame.f_code.co_name, of_machine)
        if frame.f_code.co_name == "<module>":
            return False  # the module is being imported
        frame = frame.f_back
    return True


def _is_programs(name: str, function: str, of_machine: bool) -> bool:
    package = name.partition(".")[0]
    if package in _RUNNERS:
        return False
    if function == "<module>" and package in sys.stdlib_module_names:
        return False
    if of_machine or (name, function) in _ASKING:
        return True
    return package not in _FOR_THEMSELVES and name not in _PARTS_FOR_THEMSELVES
