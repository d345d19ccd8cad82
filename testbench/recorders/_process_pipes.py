"""The program's ends of a child's pipes: raw streams of ours under CPython's own buffers and text wrappers.

Each system call on such a pipe is a crossing, so chunk boundaries, end of file and EPIPE come back exactly. While
``communicate`` collects what it sends, or hands out what it received, nothing crosses.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from testbench.errors import UnsupportedError
from testbench.protocol import Plain
from testbench.recorders._process_child import Name
from testbench.recorders._process_children import Children

RAISES: Final = (OSError, ValueError)

_OF_TEXT: Final = ("encoding", "errors", "line_buffering", "write_through")
"""Attributes of a text wrapper with which another like it can be made."""


class _Pipe(io.RawIOBase):
    """One end of one pipe; looks like the `io.FileIO` whose place it takes.

    Args:
        children: the children of the session.
        child: who is at the other end.
        stream: which of the child's streams it is.

    Attributes:
        name: the file descriptor, as for `io.FileIO`.
        real: the stream that reaches the world. Once the child has started, it is what the world's half has for it.
    """

    closefd = True
    name = -1
    real: Any = None

    def __init__(self, children: Children, child: Name, stream: str) -> None:
        self._children, self._child, self.stream = children, child, stream

    def slip_under(self, outer: Any) -> Any:
        """Take the place of the raw stream under a buffer and text wrapper of CPython's; return what is outermost."""
        kind: Any = type(outer)
        if kind is io.TextIOWrapper:
            options: dict[str, Any] = {name: getattr(outer, name) for name in _OF_TEXT}
            return io.TextIOWrapper(self.slip_under(outer.detach()), **options)
        if kind is io.BufferedReader or kind is io.BufferedWriter:
            size = outer.__sizeof__() - kind.__basicsize__  # CPython counts the buffer, and tells its size nowhere else
            self.slip_under(outer.detach())
            return kind(self, size if size > 0 else io.DEFAULT_BUFFER_SIZE)
        self.real, self.name = outer, outer.fileno()
        return self

    def named(self) -> Plain:
        """Return how requests name this pipe; None once it is closed: its descriptor may be another file's by then."""
        if self.closed:
            return None
        return {"child": self._children.reference(self._child), "stream": self.stream}

    def fileno(self) -> int:
        """Refuse: bytes moved by file descriptor would be missing on the tape.

        Raises:
            UnsupportedError: always, for a child that is on the tape.
        """
        if self._child.taped and not self._children.over:
            raise UnsupportedError(
                f"the {self.stream} of a recorded child was asked for its fileno(); what os.read, select, poll or "
                "asyncio do with it cannot be recorded yet. Use communicate(), or read(), readline() and write() of "
                "the stream; as stdin= or stdout= of another Popen the stream itself can be given."
            )
        return self.name

    def close(self) -> None:
        """Close this end, here and in the world."""
        if not self.closed:
            super().close()
            self.close_real()

    def close_real(self) -> None:
        """Close the real pipe."""
        self.real.close()

    def _cross(self, op: str, details: dict[str, Plain], step: Callable[[], Plain]) -> Any:
        children, child = self._children, self._child

        def effect() -> Plain:
            child.check_real()
            return step()

        return children.cross(op, {"child": children.reference(child), **details}, effect, raises=RAISES)

    def _dealloc_warn(self, source: object) -> None:
        # io.BufferedReader asks its raw stream to warn of itself, as io.FileIO does, when it dies unclosed.
        if not self.closed:
            warnings.warn(f"unclosed file {source!r}", ResourceWarning, stacklevel=2, source=source)


class Source(_Pipe):
    """The program's end of the child's stdout or stderr."""

    mode = "rb"
    _received: bytes | None = None

    def readable(self) -> bool:
        """Say that this end is read."""
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        """Read once, as ``read(2)`` does; None when a non-blocking pipe is empty."""
        view = memoryview(buffer).cast("B")
        data = self._read(len(view))
        if data is None:
            return None
        view[: len(data)] = data
        return len(data)

    def readall(self) -> Any:
        """Read to the end of file, in one crossing."""
        if self._received is not None:
            data, self._received = self._received, b""
            return data
        return self._read(-1)

    def receive(self, data: bytes) -> None:
        """Let ``data`` be all that is left to read; `readall` gives it out and nothing crosses any more."""
        self._received = data

    def _read(self, size: int) -> Any:
        self._checkClosed()
        if self._received is not None:
            data, self._received = self._received[:size], self._received[size:]
            return data
        return self._cross("read", {"stream": self.stream, "size": size}, lambda: self.real.read(size))


class Sink(_Pipe):
    """The program's end of the child's stdin."""

    mode = "wb"
    _collected: list[bytes] | None = None

    def writable(self) -> bool:
        """Say that this end is written."""
        return True

    def write(self, data: Any, /) -> Any:
        """Write once, as ``write(2)`` does; None when a non-blocking pipe is full."""
        self._checkClosed()
        copy = _bytes_of(data)
        if self._collected is not None:
            self._collected.append(copy)
            return len(copy)
        return self._cross("write", {"data": copy}, lambda: self.real.raw.write(copy))

    @contextmanager
    def collecting(self) -> Iterator[list[bytes]]:
        """Keep what is written meanwhile instead of sending it; the real pipe stays open even if this end closes."""
        self._collected = []
        try:
            yield self._collected
        finally:
            self._collected = None

    def close_real(self) -> None:
        """Close the real pipe, except while collecting."""
        if self._collected is None:
            super().close_real()


def _bytes_of(data: Any) -> bytes:
    """Return a copy of what is written, or raise TypeError as `io.FileIO` does."""
    if isinstance(data, bytes):
        return bytes(data)
    buffer = io.BytesIO()
    buffer.write(data)
    return buffer.getvalue()


def handed_on(stream: Any) -> Any:
    """Return what to give `Popen` for a stream: the descriptor of a pipe of ours, which refuses it to the program."""
    if stream is None or type(stream) is int:
        return stream
    raw = _raw_of(stream)
    return raw.name if isinstance(raw, _Pipe) else stream


def _raw_of(stream: Any) -> Any:
    try:
        if isinstance(stream, io.TextIOWrapper):
            stream = stream.buffer
        return stream.raw if isinstance(stream, (io.BufferedReader, io.BufferedWriter)) else stream
    except ValueError:
        return stream  # detached from what was under it
