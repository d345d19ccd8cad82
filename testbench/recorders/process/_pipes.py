"""The program's ends of a child's pipes: raw streams of ours under CPython's own buffers and text wrappers.

Each system call on such a pipe is a crossing, so chunk boundaries, end of file and EPIPE come back exactly. While
``communicate`` collects what it sends, or hands out what it received, nothing crosses.
"""

from __future__ import annotations

import errno
import io
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from testbench.inplace import real
from testbench.protocol import Plain
from testbench.recorders.process._child import Name
from testbench.recorders.process._children import Children
from testbench.recorders.process._world import STREAMS

RAISES: Final = (OSError, ValueError)
_AT_ONCE: Final = 1 << 28  # bytes; no event on a tape may be over 1 GiB
_CHUNK: Final = 65_536


_ILLEGAL_SEEK: Final = os.strerror(errno.ESPIPE)


class Pipe(io.RawIOBase):
    """One end of one pipe; looks like the `io.FileIO` whose place it takes.

    Args:
        children: the children of the session.
        fd: its descriptor.
        open_real: opens the stream that reaches the world, as `io.open` does.

    Attributes:
        name: the file descriptor, as for `io.FileIO`.
        stream: which of the child's streams it is.
    """

    closefd = True
    mode: str
    stream = ""
    _child: Name | None = None
    _real: Any = None
    _owned = True
    _exposed = False
    _size = -1

    def __init__(self, children: Children, fd: int, open_real: Callable[..., Any]) -> None:
        self._children, self.name, self._open_real = children, fd, open_real

    def join(self, child: Name, stream: str, size: int) -> None:
        """Belong to a child that is about to start; until then, what is done to this pipe is no crossing.

        Args:
            child: who it is.
            stream: which of its streams.
            size: how much the pipe shall hold, in bytes; not above 0 for what the system gives by itself.
        """
        self._child, self.stream, self._size = child, stream, size

    def reach(self) -> Any:
        """Return the stream that reaches the world; only effects have a use for it."""
        if self._real is None:
            self._real = self._open_real(self.name, self.mode, 0)
        return self._real

    def named(self) -> Plain:
        """Return how requests name this pipe; None once it is closed: its descriptor may be another file's by then."""
        if self.closed or self._child is None:
            return None
        return {"child": self._children.reference(self._child), "stream": self.stream}

    def fileno(self) -> int:
        """Return the descriptor; from now on what the program does with it by its number is a crossing.

        Raises:
            ValueError: it is closed.
        """
        if self.closed:
            raise _closed()
        if not self._exposed and self._child is not None and self._child.taped and not self._children.over:
            self._exposed = True
            if self._child.real_pid:
                self.reach().fileno()  # it may be the pipe of an outer session, which has to know first
            self._children.channels.expose(self.name, self._child, self.stream, self._size)
        return self.name

    def close(self) -> None:
        """Close this end, here and in the world."""
        if not self.closed:
            super().close()
            self.close_real()

    def close_real(self) -> None:
        """Close the real pipe."""
        if self._real is not None:
            self._real.close()
        elif self._owned:
            self._owned = False  # before it is closed: the number may be another file's at once
            real.close(self.name)

    def isatty(self) -> bool:
        """Say that this is no terminal."""
        if self.closed:
            raise _closed()
        return False

    def seekable(self) -> bool:
        """Say that a pipe has no places."""
        if self.closed:
            raise _closed()
        return False

    def seek(self, position: int, whence: int = 0, /) -> int:
        """Raise what the system says of a pipe; ``tell`` does so too."""
        if self.closed:
            raise _closed()
        raise OSError(errno.ESPIPE, _ILLEGAL_SEEK)

    def _reach_of(self, child: Name) -> Any:
        child.check_real()
        return self.reach()

    def _dealloc_warn(self, source: object) -> None:
        # io.BufferedReader asks its raw stream to warn of itself, as io.FileIO does, when it dies unclosed.
        if not self.closed:
            warnings.warn(f"unclosed file {source!r}", ResourceWarning, stacklevel=2, source=source)


class Source(Pipe):
    """The program's end of the child's stdout or stderr."""

    mode = "rb"
    _received: bytes | None = None

    def readable(self) -> bool:
        """Say that this end is read."""
        if self.closed:
            raise _closed()
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
        """Read to the end of file, in one crossing, or several of which each but the last brings 256 MiB."""
        if self._received is not None:
            data, self._received = self._received, b""
            return data
        parts = [self._read(-1)]
        while parts[-1] is not None and len(parts[-1]) >= _AT_ONCE:
            parts.append(self._read(-1))
        return parts[0] if len(parts) == 1 else b"".join(part for part in parts if part)

    def receive(self, data: bytes) -> None:
        """Let ``data`` be all that is left to read; `readall` gives it out and nothing crosses any more."""
        self._received = data

    def _read(self, size: int) -> Any:
        if self.closed:
            raise _closed()
        if self._received is not None:
            data, self._received = self._received[:size], self._received[size:]
            return data
        children, child = self._children, self._child
        if child is None:
            return self.reach().read(size)
        request: Plain = {"child": children.reference(child), "stream": self.stream, "size": size}
        read = _read_much if size == -1 else lambda stream: stream.read(size)
        found = children.cross("read", request, lambda: read(self._reach_of(child)), raises=RAISES)
        children.births.seen(child)
        return found


class Sink(Pipe):
    """The program's end of the child's stdin."""

    mode = "wb"
    _collected: list[bytes] | None = None

    def writable(self) -> bool:
        """Say that this end is written."""
        if self.closed:
            raise _closed()
        return True

    def write(self, data: Any, /) -> Any:
        """Write once, as ``write(2)`` does; None when a non-blocking pipe is full."""
        if self.closed:
            raise _closed()
        copy = _bytes_of(data)
        if self._collected is not None:
            self._collected.append(copy)
            return len(copy)
        children, child = self._children, self._child
        if child is None:
            return self.reach().write(copy)
        request: Plain = {"child": children.reference(child), "data": copy}
        return children.cross("write", request, lambda: self._reach_of(child).write(copy), raises=RAISES)

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


def _read_much(stream: Any) -> bytes | None:
    """Read to the end of file, or so much as one event brings, or what is there; None when a pipe is empty."""
    parts: list[bytes] = []
    left = _AT_ONCE
    while left > 0:
        part = stream.read(min(left, _CHUNK))
        if not part:
            return part if not parts else b"".join(parts)
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _closed() -> ValueError:
    return ValueError("I/O operation on closed file")  # the words of `io.FileIO`


def _bytes_of(data: Any) -> bytes:
    """Return a copy of what is written, or raise TypeError as `io.FileIO` does."""
    if type(data) is memoryview and data.c_contiguous:
        return data.tobytes()  # what a buffer writes
    if isinstance(data, bytes):
        return bytes(data)
    buffer = io.BytesIO()
    buffer.write(data)
    return buffer.getvalue()


def pipes_of(face: Any, children: Children) -> dict[str, Pipe] | None:
    """Return the pipes of this session under the streams of a Popen, by name; None if one of them is something else."""
    pipes: dict[str, Pipe] = {}
    for name in STREAMS:
        stream = getattr(face, name)
        if stream is not None:
            pipe = pipes[name] = _raw_of(stream)
            if not isinstance(pipe, Pipe) or pipe._children is not children:
                return None
    return pipes


def _raw_of(stream: Any) -> Any:
    try:
        if isinstance(stream, io.TextIOWrapper):
            stream = stream.buffer
        return stream.raw if isinstance(stream, (io.BufferedReader, io.BufferedWriter)) else stream
    except ValueError:
        return stream  # detached from what was under it


def handed_on(stream: Any) -> Any:
    """Return what to give `Popen` for a stream: the descriptor of a pipe of ours, which refuses it to the program."""
    if stream is None or type(stream) is int:
        return stream
    raw = _raw_of(stream)
    return raw.name if isinstance(raw, Pipe) else stream
