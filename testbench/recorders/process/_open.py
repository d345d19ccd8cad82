"""What ``Popen.__init__`` opens for its ends of the pipes: raw streams of ours, under CPython's own buffers."""

from __future__ import annotations

import functools
import io
import os
import types
import warnings
from typing import Any, Final

from testbench.inplace import real
from testbench.recorders.process._children import Children
from testbench.recorders.process._pipes import Sink, Source

_KINDS: Final[dict[str, Any]] = {"rb": (Source, io.BufferedReader), "wb": (Sink, io.BufferedWriter)}


class Opening(types.ModuleType):
    """Stands for the module io in the module subprocess, where nothing but the pipes of a new child is opened.

    Args:
        children: the children of the session.
        original: what stood there before: the module, or what an outer session has put there.
    """

    def __init__(self, children: Children, original: Any) -> None:
        super().__init__("io")
        self._children, self._original = children, original

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)

    def open(self, file: Any, mode: str = "r", buffering: int = -1, *rest: Any, **named: Any) -> Any:
        """Open what `io.open` opens, with a raw stream of ours where it is a pipe of a child that may be recorded."""
        if self._children.passing() or mode not in _KINDS or type(file) is not int:
            return self._original.open(file, mode, buffering, *rest, **named)
        kind, buffered = _KINDS[mode]
        pipe = kind(self._children, file, self._original.open)
        if buffering == 1:
            warnings.warn(_NO_LINES, RuntimeWarning, stacklevel=2)
        return buffered(pipe, buffering if buffering > 1 else _usual_size()) if buffering else pipe


_NO_LINES: Final = "line buffering (buffering=1) isn't supported in binary mode, the default buffer size will be used"
"""The words of `io.open`."""


@functools.cache
def _usual_size() -> int:
    """Return the size of the buffer that `io.open` gives a pipe, bytes."""
    ends = real.pipe()
    real.close(ends[1])
    with os.fdopen(ends[0], "rb") as stream:
        return stream.__sizeof__() - io.BufferedReader.__basicsize__  # CPython tells it nowhere else
