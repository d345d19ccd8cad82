"""Pipes, socket pairs and terminals that the program makes: noticed when they are made.

The kernel does not tell later which came first, which two sockets are a pair, and who holds a terminal's master.
What a socket does on a channel to a child is recorded here too: ``recv`` and ``send``, as ops ``read`` and ``write``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final

from testbench.inplace import Redirect, TypeSlot
from testbench.recorders.process._channels import Channel
from testbench.recorders.process._children import Children
from testbench.recorders.process._descriptors import Descriptors

_BEHIND: Final = ("recvfrom", "recvfrom_into", "recvmsg", "recvmsg_into", "sendto", "sendmsg")
"""Methods that move the bytes of a channel in ways that are not recorded."""


_PIPES: Final = ("pipe", "pipe2")


def install_makers(children: Children, descriptors: Descriptors, stack: ExitStack) -> None:
    """Redirect what makes them, and the methods of sockets, until the stack is closed.

    A program that has not imported sockets by now has none to give to a child, or it is reported when it does.
    """
    channels = children.channels

    def openpty() -> Any:
        ends = terminals.original()
        channels.terminal(ends[0])
        if not children.passing():
            channels.made(ends[0])
        return ends

    def closing(fd: Any) -> None:
        if channels.changes and type(fd) is int:
            channels.closing(fd)
        close.original(fd)

    def duplicating(fd: Any, fd2: Any, inheritable: bool = True) -> Any:
        duplicate: Callable[[], Any] = lambda: copy.original(fd, fd2, inheritable)  # noqa: E731
        if fd == fd2 or not children.has_pipe(fd2) or children.passing():
            return duplicate()
        return children.leak("dup2_over_pipe", {}, duplicate, instead="close the stream of the child first")

    for maker in _PIPES:
        if hasattr(os, maker):
            _count_pipes(Redirect(getattr(os, maker)), children, stack)
    terminals, close, copy = Redirect(os.openpty), Redirect(os.close), Redirect(os.dup2)
    for redirect, target in ((terminals, openpty), (close, closing), (copy, duplicating)):
        stack.push(redirect)
        redirect.to(target)
    if "_socket" in sys.modules:
        _install_sockets(sys.modules["_socket"], children, descriptors, stack)


def _count_pipes(redirect: Redirect, children: Children, stack: ExitStack) -> None:
    def pipe(*args: Any) -> Any:
        ends = redirect.original(*args)
        if not children.passing():
            children.channels.made(ends[0])  # both ends have one name
        return ends

    stack.push(redirect)
    redirect.to(pipe)


def _install_sockets(module: Any, children: Children, descriptors: Descriptors, stack: ExitStack) -> None:
    pairs = Redirect(module.socketpair)

    def socketpair(*args: Any, **options: Any) -> Any:
        one, other = pairs.original(*args, **options)
        children.channels.pair(one.fileno(), other.fileno())
        if not children.passing():
            children.channels.made(one.fileno(), other.fileno())
        return one, other

    stack.push(pairs)
    pairs.to(socketpair)
    bodies: dict[str, Any] = {name: _leaking(children, name) for name in _BEHIND}
    bodies["recv"] = lambda original, channel, sock, size: descriptors.read(channel, size, original, sock, size)
    bodies["recv_into"] = _receiving(module.socket.recv, descriptors)
    bodies["send"] = bodies["sendall"] = lambda original, channel, sock, data: descriptors.write(
        channel, data, original, sock
    )
    for name, body in bodies.items():
        _method(module.socket, name, body, children, stack)


def _receiving(receive: Callable[..., Any], descriptors: Descriptors) -> Callable[..., Any]:
    def recv_into(_: Any, channel: Channel, sock: Any, buffer: Any, size: int = 0) -> Any:
        view = memoryview(buffer).cast("B")
        return descriptors.read_into(channel, [view[:size] if size else view], receive, sock)

    return recv_into


def _leaking(children: Children, name: str) -> Callable[..., Any]:
    def leak(original: Callable[..., Any], channel: Channel, *args: Any, **options: Any) -> Any:
        request = {"child": children.reference(channel.name), "stream": channel.stream}
        return children.leak(f"socket_{name}", request, lambda: original(*args, **options))

    return leak


def _method(owner: Any, name: str, body: Callable[..., Any], children: Children, stack: ExitStack) -> None:
    slot = TypeSlot(owner, name)
    original, channels, leak = slot.original, children.channels, _leaking(children, name)
    most = 2 if name == "recv_into" else 1

    def called(sock: Any, /, *args: Any, **options: Any) -> Any:
        channel = channels.find(sock.fileno()) if channels.changes else None
        if channel is None or children.passing():
            return original(sock, *args, **options)
        if options or len(args) > most:
            return leak(original, channel, sock, *args, **options)  # with flags
        return body(original, channel, sock, *args, **options)

    called.__name__ = name
    stack.push(slot)
    slot.to(called)
