"""Where files really are that the program finds under another path, for our own use, which no redirect reaches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

_Standing = tuple[Callable[[bytes], bytes], bytes, bytes]
_open: Final[list[_Standing]] = []


@contextmanager
def standing(where: Callable[[bytes], bytes], root: bytes, view: bytes) -> Iterator[None]:
    """Let `stands` tell what a function does while the body runs.

    Args:
        where: gives for an absolute path of the program where that really is.
        root: the directory that is elsewhere, absolute, without symbolic links.
        view: where it is.
    """
    one = (where, root, view)
    _open.append(one)
    try:
        yield
    finally:
        _open.remove(one)


def stands(path: bytes) -> bytes:
    """Return where an absolute path of the program really is."""
    for where, _, _ in _open:
        path = where(path)
    return path


def elsewhere_in(directory: bytes) -> dict[bytes, bytes]:
    """Return which directories within one are elsewhere: by their path in it, where each of them is.

    Args:
        directory: absolute, without symbolic links.
    """
    within = directory.rstrip(b"/") + b"/"
    return {root[len(within) :]: view for _, root, view in _open if root.startswith(within)}
