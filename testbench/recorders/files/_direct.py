"""Files that are opened by ``io.FileIO`` itself: in C, where nobody can hand it another descriptor."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final

from testbench.errors import UnsupportedError
from testbench.inplace._constructor import Constructor
from testbench.protocol import Call

_OF_OPEN: Final = 4
"""So many arguments ``open`` gives, which has seen to it: an opener is the last."""

_INSTEAD: Final = "use open(path, 'rb', buffering=0), which gives the same and is recorded"


def watch_direct(
    call: Call, named: Callable[[Any, Any], str | None], reads: Callable[[Any], bool], stack: ExitStack
) -> None:
    """Report as leaks what is read so, until the stack is closed.

    Args:
        call: the waist.
        named: gives the path of a read of the program, None for what is none.
        reads: tells whether a mode reads what is there.
        stack: unwinds at the end of the session.
    """
    try:
        constructor = Constructor(io.FileIO)
    except UnsupportedError:  # an interpreter whose interception is by name; it says that it does not follow everything
        return
    original = constructor.original

    def new(cls: type, /, *args: Any, **options: Any) -> Any:
        file = args[0] if args else options.get("file", -1)
        mode = args[1] if len(args) > 1 else options.get("mode", "r")
        direct = type(file) is not int and len(args) < _OF_OPEN and not options.get("opener")
        if direct and reads(mode):
            name = named(file, None)
            if name is not None:
                return call.leak("direct", {"path": name}, lambda: original(cls, *args, **options), instead=_INSTEAD)
        return original(cls, *args, **options)

    stack.callback(constructor.restore)
    constructor.to(new)
