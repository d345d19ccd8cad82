"""Where files really are that the program finds under another path, for our own use, which no redirect reaches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

_open: Final[list[Callable[[bytes], bytes]]] = []


@contextmanager
def standing(where: Callable[[bytes], bytes]) -> Iterator[None]:
    """Let `stands` tell what a function does while the body runs.

    Args:
        where: gives for an absolute path of the program where that really is.
    """
    _open.append(where)
    try:
        yield
    finally:
        _open.remove(where)


def stands(path: bytes) -> bytes:
    """Return where an absolute path of the program really is."""
    for where in _open:
        path = where(path)
    return path
