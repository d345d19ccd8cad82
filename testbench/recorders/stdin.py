"""The kind ``stdin``: what the program reads from its standard input.

Op ``read``: one system call that reads from descriptor 0, by `sys.stdin` and all that stands on it, ``open(0)``,
`os.read`, `os.readv`; the outcome is the bytes, None where there are none yet. Lines that are in a buffer already ask
nobody. Op ``line``: a line that `input` reads from a terminal, where the C library lets the user edit it. Fact
``terminal``: whether it does so.

Left alone is what a debugger reads, so that a replay can be looked at with one, and what `getpass` reads: a secret is
on no tape, and a replay asks for it again. So is a descriptor 0 that the program has put another file on.
"""

from __future__ import annotations

import builtins
import io
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

from testbench.inplace import Redirect, TypeSlot, UndoStack, real
from testbench.protocol import Call, Matcher, Pieces, Place, Plain
from testbench.recorders._buffers import read_into
from testbench.recorders._whose import program_asks

_RAISES: Final = (OSError, ValueError)
_LINE_RAISES: Final = (EOFError, OSError, ValueError)
_SECRET: Final = "getpass"


def _piece(request: Plain, value: Plain) -> Iterator[tuple[str, Place, bool]]:
    """Say that all reads are one stream; it ends with a read that brings nothing."""
    if isinstance(value, bytes):
        yield "stdin", ("outcome",), not value


class Stdin:
    """The recorder of kind ``stdin``."""

    kind = "stdin"
    version = 1
    matchers: Mapping[str, Matcher] = {}
    pieces: Mapping[str, Pieces] = {"read": _piece}
    facts = frozenset({"terminal"})

    @contextmanager
    def install(self, call: Call) -> Iterator[None]:
        """Send every read of it through ``call``; see `testbench.protocol.Recorder`."""
        given = _Given(call)
        with UndoStack() as stack:
            read = Redirect(os.read)
            stack.push(read)
            slots = {name: TypeSlot(io.FileIO, name) for name in ("read", "readall", "readinto")}
            for name, slot in slots.items():
                stack.push(slot)
                slot.to(given.method(name, slot.original, slots["read"].original))
            vector = Redirect(os.readv)
            stack.push(vector)
            read.to(given.function(read.original))
            vector.to(given.vector(vector.original, read.original))
            line = Redirect(builtins.input)
            stack.push(line)
            line.to(given.line(line.original))
            yield


class _Given:
    """What the standard input of one session is, and who reads it."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._file = _file_at(0)

    def method(self, name: str, original: Callable[..., Any], really: Callable[..., Any]) -> Callable[..., Any]:
        """Return what stands for a method of `io.FileIO`."""

        def called(file: Any, /, *args: Any) -> Any:
            if file.closed or file.fileno() != 0 or not self._is_asked():
                return original(file, *args)
            if name == "readinto" and len(args) == 1:
                return read_into(args, lambda size: self._read(size, lambda: really(file, size)))
            size = -1 if name == "readall" or not args or args[0] is None else args[0]
            return self._read(size, lambda: original(file, *args))

        called.__name__ = name
        return called

    def function(self, original: Callable[[int, int], bytes]) -> Callable[..., Any]:
        """Return what stands for `os.read`."""

        def read(fd: Any, length: Any, /) -> Any:
            if fd != 0 or not self._is_asked():
                return original(fd, length)
            return self._read(length, lambda: original(fd, length))

        return read

    def vector(self, original: Callable[..., int], really: Callable[[int, int], bytes]) -> Callable[..., Any]:
        """Return what stands for `os.readv`."""

        def readv(fd: Any, buffers: Any, /) -> Any:
            if fd != 0 or not self._is_asked():
                return original(fd, buffers)
            return read_into(buffers, lambda size: self._read(size, lambda: really(0, size)))

        return readv

    def line(self, original: Callable[..., str]) -> Callable[..., Any]:
        """Return what stands for `input`."""

        def line(prompt: Any = "", /) -> Any:
            if not self._is_asked() or not self._call.fact("terminal", None, _edits):
                return original(prompt)
            text, performed = str(prompt), []

            def effect() -> Plain:
                performed.append(True)
                return original(text)

            try:
                return self._call("line", {"prompt": text}, effect, raises=_LINE_RAISES)
            finally:
                if not performed and not self._call.inside():
                    sys.stdout.write(text)
                    sys.stdout.flush()

        return line

    def _is_asked(self) -> bool:
        """Tell whether the program asks for what came from outside."""
        if self._file is None or self._call.inside() or _file_at(0) != self._file:
            return False
        return program_asks() and not _is_secret()

    def _read(self, size: Any, read: Callable[[], Any]) -> Any:
        return self._call("read", {"size": int(size)}, read, raises=_RAISES)


def _file_at(fd: int) -> tuple[int, int] | None:
    try:
        found = real.fstat(fd)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _edits() -> bool:
    """Tell whether `input` reads a terminal by itself, as ``builtin_input_impl`` of CPython decides."""
    try:
        return sys.stdin.fileno() == 0 and os.isatty(0) and sys.stdout.fileno() == 1 and os.isatty(1)
    except (AttributeError, ValueError, OSError):
        return False


def _is_secret() -> bool:
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_globals.get("__name__") != _SECRET:
        frame = frame.f_back
    return frame is not None
