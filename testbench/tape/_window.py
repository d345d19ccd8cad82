"""A window that moves over a file: 8 MiB of it in memory, whatever its size."""

from __future__ import annotations

import hashlib
from typing import Final

from testbench.tape._codec import ARRAY, BYTES, MAP, TAG, TEXT, CutOffError, MalformedError, read_head
from testbench.tape._source import Source

_CHUNK: Final = 8 << 20
_PIECE: Final = 1 << 20

_MAX_PARTS: Final = 1 << 18
"""Heads inside one item; a walk over more of them would take a file's word for how long to work."""


class Window:
    """Random access to a file that is mostly read forward, in large reads rather than by mapping it."""

    def __init__(self, source: Source) -> None:
        self.size = source.size
        self._source = source
        self._chunk, self._start = b"", 0

    def take(self, at: int, size: int) -> bytes:
        """Return up to ``size`` bytes from ``at``; fewer at the end of the file."""
        if size > _CHUNK:
            return self._source.read(at, size)
        low = at - self._start
        if low < 0 or low + min(size, self.size - at) > len(self._chunk):
            self._load(at)
            low = 0
        return self._chunk[low : low + size]

    def find(self, pattern: bytes, start: int, stop: int) -> int:
        """Return where ``pattern`` stands next, beginning before ``stop``; -1 if it does not."""
        stop = min(stop + len(pattern) - 1, self.size)
        while start + len(pattern) <= stop:
            if not self._start <= start <= start + len(pattern) <= self._start + len(self._chunk):
                self._load(start)
            at = self._chunk.find(pattern, start - self._start, stop - self._start)
            if at >= 0:
                return at + self._start
            start = self._start + len(self._chunk) - len(pattern) + 1
        return -1

    def sha256(self, at: int, size: int, *more: bytes) -> bytes:
        """Digest a stretch of the file, and what is given after it."""
        state = hashlib.sha256()
        for piece in range(at, at + size, _PIECE):
            state.update(self.take(piece, min(_PIECE, at + size - piece)))
        for data in more:
            state.update(data)
        return state.digest()

    def item_end(self, at: int) -> int:
        """Return where the item that starts at ``at`` ends, by its heads alone.

        Raises:
            CutOffError: beyond the end of the file.
            MalformedError: it is not well formed, or has too many parts.
        """
        open_items, parts = 1, 0
        while open_items:
            major, argument, size = read_head(self.take(at, 9), 0)
            at += size + (argument if major in (BYTES, TEXT) else 0)
            open_items += {ARRAY: argument, MAP: 2 * argument, TAG: 1}.get(major, 0) - 1
            parts += 1
            if at + open_items > self.size:
                raise CutOffError("an item is cut off")
            if parts > _MAX_PARTS:
                raise MalformedError(f"an item of more than {_MAX_PARTS} parts")
        return at

    def _load(self, at: int) -> None:
        self._chunk = b""  # before the next one is there, so that only one is in memory
        self._chunk, self._start = self._source.read(at, _CHUNK), at
