"""What a program asks of a channel besides its bytes: ``fcntl.ioctl``, and how a terminal stands; ops of these names.

How much there is to read, and what a child has done to a pipe or terminal that it shares (whether that blocks or
echoes, which group is in front of it) cannot be seen on replay, where the child is not there. So the answers come from
the tape; what a program sets by ``ioctl`` is an event too, and by other functions is set on replay as well.
"""

from __future__ import annotations

import fcntl
import os
import termios
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final

from testbench.inplace import Redirect
from testbench.protocol import Plain
from testbench.recorders.process._channels import Channel
from testbench.recorders.process._children import Children

_RAISES: Final = (OSError, ValueError, OverflowError, termios.error)


class Control:
    """These functions, for one session.

    Args:
        children: the children of the session.
    """

    def __init__(self, children: Children) -> None:
        self._children = children

    def install(self, stack: ExitStack) -> None:
        """Redirect the functions until the stack is closed."""
        self._redirect(stack, fcntl.ioctl, self._ioctl)
        self._redirect(stack, termios.tcgetattr, self._asking("tcgetattr", list, list))
        self._redirect(stack, os.get_terminal_size, self._asking("get_terminal_size", list, os.terminal_size))
        self._redirect(stack, os.tcgetpgrp, self._tcgetpgrp)
        self._redirect(stack, os.get_blocking, self._asking("get_blocking", bool, bool))
        if hasattr(termios, "tcgetwinsize"):
            self._redirect(stack, termios.tcgetwinsize, self._asking("tcgetwinsize", list, tuple))

    # Bodies of the redirects: each gets the original, the channel, and what the program gave.

    def _ioctl(self, original: Callable[..., Any], channel: Channel, fd: Any, request: Any, *rest: Any) -> Any:
        given = rest[0] if rest else 0
        buffer = None if isinstance(given, (int, str, bytes)) else _written(given, *rest[1:])
        sent: Plain = given if isinstance(given, (int, str)) else bytes(given)

        def effect() -> Plain:
            if buffer is None:
                return {"value": original(fd, request, given)}
            copy = bytearray(buffer)
            return {"value": original(fd, request, copy), "buffer": bytes(copy)}

        asked: dict[str, Plain] = {"request": request & 0xFFFFFFFF, "given": sent}  # some give it as a negative number
        outcome = self._cross("ioctl", channel, asked, effect)
        if buffer is not None:
            buffer[:] = outcome["buffer"]
        return outcome["value"]

    def _asking(self, op: str, lower: Callable[[Any], Any], lift: Callable[[Any], Any]) -> Callable[..., Any]:
        def body(original: Callable[..., Any], channel: Channel, fd: Any) -> Any:
            return lift(self._cross(op, channel, {}, lambda: {"value": lower(original(fd))})["value"])

        return body

    def _tcgetpgrp(self, original: Callable[..., Any], channel: Channel, fd: Any) -> Any:
        def effect() -> Plain:
            group = original(fd)
            name = self._children.named_really(group)
            return {"value": group if name is None else name.pid}

        return self._cross("tcgetpgrp", channel, {}, effect)["value"]

    def _cross(self, op: str, channel: Channel, asked: dict[str, Plain], effect: Callable[[], Plain]) -> dict[str, Any]:
        request: Plain = {"child": self._children.reference(channel.name), "stream": channel.stream, **asked}

        def checked() -> Plain:
            channel.name.check_real()
            return effect()

        return self._children.cross(op, request, checked, raises=_RAISES)

    def _redirect(self, stack: ExitStack, function: Any, body: Callable[..., Any]) -> None:
        redirect = Redirect(function)
        original, children, channels = redirect.original, self._children, self._children.channels

        def called(*args: Any, **options: Any) -> Any:
            if channels.changes and args and not options:  # none of these takes any
                channel = channels.find(_number(args[0]))
                if channel is not None and not children.passing():
                    return body(original, channel, *args)
            return original(*args, **options)

        stack.push(redirect)
        redirect.to(called)


def _number(file: Any) -> int:
    """Return the descriptor of what the program gave; -1 for what is none, which the original says in its words."""
    try:
        fd = file if isinstance(file, int) else file.fileno()
    except (AttributeError, ValueError, OSError):
        return -1
    return fd if isinstance(fd, int) else -1


def _written(given: Any, mutate: Any = True) -> memoryview | None:
    """Return the bytes of a buffer that ``ioctl`` writes to."""
    view = memoryview(given).cast("B")
    return view if mutate and not view.readonly else None
