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

import attrs

from testbench.errors import UnsupportedError
from testbench.protocol import Plain

RAISES: Final = (OSError, ValueError)


@attrs.frozen(eq=False)
class Line:
    """What a pipe needs to know of its child.

    Attributes:
        child: names the child in a request.
        cross: makes a crossing of ours: op, request, effect, raises.
        on_tape: whether bytes that bypass us would be missing on a tape.
        world: the world's half, which holds the real pipes.
    """

    child: Callable[[], Plain]
    cross: Callable[..., Plain]
    on_tape: Callable[[], bool]
    world: Any


class _Pipe(io.RawIOBase):
    """One end of one pipe; looks like the `io.FileIO` whose place it takes.

    Attributes:
        stream: which of the child's streams it is.
        name: the file descriptor, as for `io.FileIO`.
    """

    closefd = True

    def __init__(self, line: Line, stream: str, fd: int) -> None:
        self._line, self.stream, self.name = line, stream, fd

    def fileno(self) -> int:
        """Refuse: bytes moved by file descriptor would be missing on the tape.

        Raises:
            UnsupportedError: always, for a child that is on the tape.
        """
        if self._line.on_tape():
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
        self._real.close()

    @property
    def _real(self) -> Any:
        return getattr(self._line.world, self.stream)

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
        line, real = self._line, self._real
        request = {"child": line.child(), "stream": self.stream, "size": size}
        return line.cross("read", request, lambda: real.read(size), raises=RAISES)


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
        line, real = self._line, self._real
        request = {"child": line.child(), "data": copy}
        return line.cross("write", request, lambda: real.raw.write(copy), raises=RAISES)

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


def raw_of(stream: Any) -> Any:
    """Return the raw stream under a buffer or text wrapper of the module io; anything else is returned as it is."""
    try:
        if isinstance(stream, io.TextIOWrapper):
            stream = stream.buffer
        return stream.raw if isinstance(stream, (io.BufferedReader, io.BufferedWriter)) else stream
    except ValueError:
        return stream  # detached from what was under it


def real_fd(stream: Any) -> int:
    """Return the descriptor of a stream, also of one that refuses it to the program."""
    raw = raw_of(stream)
    return raw.name if isinstance(raw, _Pipe) else int(raw.fileno())


def detach(stream: Any) -> tuple[Any, Callable[[Any], Any]]:
    """Take a stream of Popen's apart.

    Returns:
        Its raw stream, and a function that builds the same buffer and text wrapper around another raw stream.
    """
    if isinstance(stream, io.TextIOWrapper):
        return _detach_text(stream)
    if isinstance(stream, (io.BufferedReader, io.BufferedWriter)):
        kind: Any = type(stream)
        size = stream.__sizeof__() - kind.__basicsize__  # CPython counts the buffer, and tells its size nowhere else
        raw = stream.detach()
        return raw, lambda new: kind(new, size if size > 0 else io.DEFAULT_BUFFER_SIZE)
    return stream, lambda new: new


def _detach_text(stream: io.TextIOWrapper) -> tuple[Any, Callable[[Any], Any]]:
    options: dict[str, Any] = {
        "encoding": stream.encoding,
        "errors": stream.errors,
        "line_buffering": stream.line_buffering,
        "write_through": stream.write_through,
    }
    raw, build = detach(stream.detach())
    return raw, lambda new: io.TextIOWrapper(build(new), **options)
