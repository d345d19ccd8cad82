"""Databases that ``sqlite3.connect`` opens: in C, so that no tape holds what the program reads there."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final

from testbench.inplace import Redirect
from testbench.protocol import Call
from testbench.recorders.files._given import RAISES
from testbench.recorders.files._uri import Uri

_INSTEAD: Final = "no tape holds what is in it: mark the function that reads it with @testbench.boundary"


def watch_databases(
    call: Call, named: Callable[[Any, Any], str | None], look: Callable[[Any], os.stat_result], stack: ExitStack
) -> None:
    """Report databases that were there before the program made them, until the stack is closed.

    Args:
        call: the waist.
        named: gives the path of a read of the program, None for what is none.
        look: as `os.stat`.
        stack: unwinds at the end of the session.
    """
    try:
        import _sqlite3
    except ImportError:  # this interpreter has none
        return
    own: set[object] = set()  # their paths, and which files they are: the program may rename them
    redirect = Redirect(_sqlite3.connect)
    original = redirect.original

    def connect(database: Any, *args: Any, **options: Any) -> Any:
        uri = Uri.of(database)
        name = None if database in ("", ":memory:") else named(database if uri is None else uri.path, None)
        if name is not None:
            file, size = _looked_at(look, name)
            if size and not own & {name, file}:
                call.report("database", {"path": name}, instead=_INSTEAD, refused=False)
            own.update({name, file} - {None})
        return original(database, *args, **options)

    stack.callback(redirect.restore)
    redirect.to(connect)


def _looked_at(look: Callable[[Any], os.stat_result], name: str) -> tuple[tuple[int, int] | None, int]:
    """Return which file it is, None if there is none, and its size."""
    try:
        found = look(name)
    except RAISES:
        return None, 0
    return (found.st_dev, found.st_ino), found.st_size
