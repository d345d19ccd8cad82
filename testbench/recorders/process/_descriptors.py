"""Bytes by file descriptor: ``os.read``, ``os.write`` and their kin, and `io.FileIO`, on channels to a child.

Ops ``read``, ``write`` (to a child's stdin) and ``send`` (to whatever else it listens to); one system call is one
event. Descriptors that lead to no child go straight through.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, Final

from testbench.inplace import Redirect, TypeSlot
from testbench.protocol import Plain
from testbench.recorders._buffers import read_into
from testbench.recorders.process._channels import Channel
from testbench.recorders.process._children import Children

RAISES: Final = (OSError, ValueError)

_BEHIND: Final = ("sendfile", "splice", "copy_file_range", "preadv", "pwritev")
"""Functions that move the bytes of a channel in ways that are not recorded."""


class Descriptors:
    """What the program does with descriptors of channels, for one session."""

    def __init__(self, children: Children) -> None:
        self._children = children
        self._read_really: Callable[[int, int], bytes]

    def install(self, stack: ExitStack) -> None:
        """Redirect the functions and methods until the stack is closed."""
        self._read_really = self._function(stack, os.read, self._os_read)
        self._function(stack, os.readv, self._os_readv)
        write = self._function(stack, os.write, lambda _, channel, fd, data: self.write(channel, data, write, fd))
        self._function(stack, os.writev, lambda _, channel, fd, parts: self.write(channel, b"".join(parts), write, fd))
        for name in _BEHIND:
            if hasattr(os, name):
                self._function(stack, getattr(os, name), self._leaking(name), places=2)
        self._method(stack, "read", self._file_read)
        self._method(stack, "readall", self._file_read)
        self._method(stack, "readinto", self._file_readinto)
        self._method(stack, "write", lambda original, channel, file, data: self.write(channel, data, original, file))

    # Crossings, for files and sockets too.

    def read(self, channel: Channel, size: int, original: Callable[..., Any], *args: Any) -> Any:
        """Read once: op ``read``."""
        children, name = self._children, channel.name

        def effect() -> Plain:
            name.check_real()
            return original(*args)  # type: ignore[no-any-return]  # a builtin's answer

        request: Plain = {"child": children.reference(name), "stream": channel.stream, "size": size}
        found = children.cross("read", request, effect, raises=RAISES)
        children.births.seen(channel.name)
        return found

    def read_into(self, channel: Channel, buffers: Sequence[Any], read: Callable[..., Any], *args: Any) -> int | None:
        """Read once into buffers of the program's; ``read(*args, size)`` reads for real."""
        return read_into(buffers, lambda size: self.read(channel, size, read, *args, size))

    def write(self, channel: Channel, data: Any, original: Callable[..., Any], *args: Any) -> Any:
        """Write once, by ``original(*args, data)``: op ``write`` or ``send``."""
        try:
            copy = bytes(memoryview(data))
        except TypeError:
            return original(*args, data)  # raises
        children, name = self._children, channel.name

        def effect() -> Plain:
            name.check_real()
            return original(*args, copy)  # type: ignore[no-any-return]  # a builtin's answer

        request: dict[str, Plain] = {"child": children.reference(name)}
        if channel.stream == "stdin":
            return children.cross("write", {**request, "data": copy}, effect, raises=RAISES)
        return children.cross("send", {**request, "stream": channel.stream, "data": copy}, effect, raises=RAISES)

    # Bodies of the redirects: each gets the original, the channel, and what the program gave.

    def _os_read(self, original: Callable[..., Any], channel: Channel, fd: int, size: int) -> Any:
        return self.read(channel, size, original, fd, size)

    def _os_readv(self, _: Callable[..., Any], channel: Channel, fd: int, buffers: Sequence[Any]) -> Any:
        return self.read_into(channel, buffers, self._read_really, fd)

    def _file_read(self, original: Callable[..., Any], channel: Channel, file: Any, size: int | None = -1) -> Any:
        return self.read(channel, -1 if size is None else size, original, file, *() if size == -1 else (size,))

    def _file_readinto(self, _: Callable[..., Any], channel: Channel, file: Any, buffer: Any) -> Any:
        return self.read_into(channel, [buffer], self._file_read_really, file)

    def _leaking(self, name: str) -> Callable[..., Any]:
        def leak(original: Callable[..., Any], channel: Channel, *args: Any, **options: Any) -> Any:
            request: Plain = {"child": self._children.reference(channel.name), "stream": channel.stream}
            return self._children.leak(name, request, lambda: original(*args, **options))

        return leak

    # Putting them in place.

    def _function(self, stack: ExitStack, function: Any, body: Callable[..., Any], places: int = 1) -> Any:
        redirect = Redirect(function)
        original, children, channels = redirect.original, self._children, self._children.channels

        def called(*args: Any, **options: Any) -> Any:
            if channels.changes:
                for fd in (*args[:places], *options.values()):
                    channel = channels.find(fd) if type(fd) is int else None
                    if channel is not None and not children.passing():
                        return body(original, channel, *args, **options)
            return original(*args, **options)

        stack.push(redirect)
        redirect.to(called)
        return original

    def _method(self, stack: ExitStack, name: str, body: Callable[..., Any]) -> None:
        slot = TypeSlot(io.FileIO, name)
        original, children, channels = slot.original, self._children, self._children.channels

        def called(file: Any, /, *args: Any, **options: Any) -> Any:
            if channels.changes and not file.closed:
                channel = channels.find(file.fileno())
                if channel is not None and not children.passing():
                    return body(original, channel, file, *args, **options)
            return original(file, *args, **options)

        called.__name__ = name
        if name == "read":
            self._file_read_really = original
        stack.push(slot)
        slot.to(called)
