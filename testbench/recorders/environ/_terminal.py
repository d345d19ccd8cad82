"""Whether the standard streams are a terminal, and how large it is: facts ``isatty`` and ``get_terminal_size``."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final, cast

from testbench.inplace import TypeSlot
from testbench.protocol import Call
from testbench.recorders._whose import program_asks
from testbench.recorders.environ._fact import redirect

TERMINAL: Final = ("isatty", "get_terminal_size")
"""The ops; asked for one of the descriptors 0, 1 and 2."""

_STANDARD: Final = range(3)


def install_terminal(call: Call, stack: ExitStack) -> None:
    """Send what the program asks of its terminal through ``call`` until the stack is unwound."""

    def told(op: str, fd: int, effect: Callable[[], Any]) -> Any:
        return call.fact(op, {"fd": fd}, effect, raises=(OSError,), listed=False)

    def is_asked(fd: Any) -> bool:
        return type(fd) is int and fd in _STANDARD and call.follows() and program_asks()

    def of_descriptor(original: Callable[[Any], bool]) -> Callable[[Any], Any]:
        return lambda fd, /: told("isatty", fd, lambda: original(fd)) if is_asked(fd) else original(fd)

    def size(original: Callable[..., Any]) -> Callable[..., Any]:
        def ask(fd: Any = 1, /) -> Any:
            if not is_asked(fd):
                return original(fd)
            return os.terminal_size(cast("list[int]", told("get_terminal_size", fd, lambda: list(original(fd)))))

        return ask

    slot = TypeSlot(io.FileIO, "isatty")
    of_file = slot.original

    def isatty(file: Any, /) -> Any:
        if file.closed or not is_asked(fd := file.fileno()):
            return of_file(file)
        return told("isatty", fd, lambda: of_file(file))

    redirect(stack, os.isatty, of_descriptor)
    redirect(stack, os.get_terminal_size, size)
    stack.push(slot)
    slot.to(isatty)
