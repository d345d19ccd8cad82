"""Who asks for what differs between machines: the program, or somebody who asks for himself."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Final

_ON_BEHALF: Final = frozenset(
    (
        *("os", "posixpath", "genericpath", "pathlib", "pathlib._abc", "pathlib._local", "collections.abc"),
        *("argparse", "getpass", "gettext", "platform", "shutil", "concurrent.futures.thread"),
    )
)
"""Modules of the standard library that ask for whoever called them, each time anew.

The others ask for themselves: import machinery, and modules that look once and keep the answer (`tempfile`,
`multiprocessing`, `sysconfig`), which a second run in the same process would not ask again. For the same reason what
any module asks while it is being imported is nobody's.
"""

_OWN: Final = "testbench."
_PASSING_ON: Final = ("testbench.inplace.", "testbench.sessions.", "testbench.recorders._environ_")


def program_asks() -> bool:
    """Tell whether the caller of the function that calls this asks for the program, or for a package that it uses."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        name = frame.f_globals.get("__name__")
        if not isinstance(name, str) or not _passes_on(name):
            return not (isinstance(name, str) and _asks_for_itself(name)) and not _is_imported(frame)
        if frame.f_code.co_name == "<module>":
            return False  # the module is being imported
        frame = frame.f_back
    return True


def _is_imported(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_globals.get("__name__") == "importlib._bootstrap":
            return True
        frame = frame.f_back
    return False


def _passes_on(name: str) -> bool:
    return name in _ON_BEHALF or name.startswith(_PASSING_ON)


def _asks_for_itself(name: str) -> bool:
    return name.startswith(_OWN) or name.partition(".")[0] in sys.stdlib_module_names
