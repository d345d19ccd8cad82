"""Reading into buffers that the program has given, from one read of bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any


def read_into(buffers: Sequence[Any], read: Callable[[int], Any]) -> int | None:
    """Fill buffers one after the other, as ``readv`` does.

    Args:
        buffers: writable buffers of any shape.
        read: returns at most so many bytes as they have room for, None if there are none yet.

    Returns:
        How many bytes came, None for none yet.
    """
    views = [memoryview(buffer).cast("B") for buffer in buffers]
    data = read(sum(map(len, views)))
    if data is None:
        return None
    position = 0
    for view in views:
        part = data[position : position + len(view)]
        view[: len(part)] = part
        position += len(part)
    return len(data)
