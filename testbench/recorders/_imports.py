"""Modules that make generators when they are imported: whether that falls into a session is a matter of luck.

So what the import of ``numpy.random`` takes from the operating system is not on the tape; its generators are asked for
their states when they are used, like those of a numpy that was there before.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import attrs


class Importing(threading.local):
    """Whether the running thread is importing such a module.

    Attributes:
        depth: how many at once.
    """

    depth = 0


@attrs.frozen(eq=False)
class _Finder:
    """Finds one module as everybody else does, and is told when its code has run.

    Attributes:
        name: the module.
        importing: says that it is being imported.
        tell: called with it afterwards.
    """

    name: str
    importing: Importing
    tell: Callable[[ModuleType], None]

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Answer the import system; see ``importlib.abc.MetaPathFinder``."""
        if name != self.name:
            return None
        others = (finder for finder in sys.meta_path if not isinstance(finder, _Finder))
        spec = next((found for finder in others if (found := finder.find_spec(name, path, target))), None)
        if spec is not None and spec.loader is not None:
            spec.loader.exec_module = self._told(spec.loader.exec_module)  # type: ignore[assignment]  # of this one
        return spec

    def _told(self, execute: Callable[[ModuleType], Any]) -> Callable[[ModuleType], None]:
        def exec_module(module: ModuleType) -> None:
            self.importing.depth += 1
            try:
                execute(module)
            finally:
                self.importing.depth -= 1
            if self in sys.meta_path:  # the session may be over
                self.tell(module)

        return exec_module


def when_imported(name: str, stack: ExitStack, importing: Importing, tell: Callable[[ModuleType], None]) -> None:
    """Call ``tell`` with a module: now if it is loaded, else once it is, until the stack unwinds."""
    loaded = sys.modules.get(name)
    if loaded is not None:
        tell(loaded)
        return
    finder: Any = _Finder(name, importing, tell)
    sys.meta_path.insert(0, finder)
    stack.callback(lambda: sys.meta_path.remove(finder) if finder in sys.meta_path else None)
