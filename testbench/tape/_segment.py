"""Events on their way to a seal: what will be written in it."""

from __future__ import annotations

import hashlib
from collections import Counter


class Segment:
    """The open segment.

    Attributes:
        offset: where its first event stands in the file.
        size: bytes of its events so far.
        count, counts: how many they are, altogether and per kind number.
    """

    def __init__(self) -> None:
        self.offset = self.size = self.count = 0
        self.counts: Counter[int] = Counter()
        self._state = hashlib.sha256()

    def add(self, offset: int, data: bytes, counts: Counter[int], count: int) -> None:
        """Take in encoded events that stand at ``offset``."""
        if not self.count:
            self.offset, self.counts = offset, counts
        else:
            self.counts += counts
        self.size += len(data)
        self.count += count
        self._state.update(data)

    def digest(self, counts: bytes) -> bytes:
        """Digest the events and their encoded counts; the segment takes no more afterwards."""
        self._state.update(counts)
        return self._state.digest()
