"""Paths as they are given: text or bytes, also of a class of the program's own, or an object that stands for one."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final

from testbench.protocol import Plain

RAISES: Final = (OSError, ValueError, TypeError, OverflowError)
"""What asking about a path may come to besides an answer: arguments that are none too."""

_EXACT: Final = frozenset((str, bytes, int, type(None)))


def as_given(body: Callable[..., Any]) -> Callable[..., Any]:
    """Return what calls a function with its path as plain text or bytes, and lets errors name the object itself.

    Args:
        body: takes the path as its first argument.
    """

    def called(path: Any = None, *args: Any, **options: Any) -> Any:
        given = path
        try:
            if type(path) not in _EXACT:
                given = path if isinstance(path, str | bytes) else os.fspath(path)
                path = exactly(given)
        except TypeError:
            given = path  # CPython says what is wrong with it
        try:
            return body(path, *args, **options)
        except OSError as error:
            if error.filename is not None:
                error.filename = given
            raise

    return called


def exactly(given: Any) -> Any:
    """Return text or bytes of no class but those."""
    return str.__str__(given) if isinstance(given, str) else bytes.__getitem__(given, slice(None))


def number(given: Any) -> Plain:
    """Return a number of no class but that; what is none is named by its type, and CPython raises."""
    return int(given) if isinstance(given, int) else {"unfit": type(given).__name__}
