"""Look at any place of a file for an item of a tape, and find the next one that proves itself.

A segment is proved by the digest in the seal behind it, a blob and a kind-def by their own; index and end by form.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Final

from testbench.tape._codec import CutOffError, MalformedError, encode
from testbench.tape._event import KindRow
from testbench.tape._items import DIGEST_SIZE, MAX_INDEX_SIZE, MAX_KIND_SIZE, MAX_SEAL_SIZE
from testbench.tape._source import Source
from testbench.tape._structure import (
    BLOB_HEAD,
    BLOB_HEAD_SIZE,
    END_HEAD,
    END_SIZE,
    EVENT_HEAD,
    INDEX_HEAD,
    KIND_HEAD,
    MAGIC,
    SEAL_HEAD,
    TAPE_HEAD,
    Seal,
    flatten,
    is_proved,
    read_blob_head,
    read_kind,
    read_seal,
)
from testbench.tape._window import Window

ANY_HEAD: Final = SEAL_HEAD[:4]
"""What the heads of all structural items begin with."""

TRIAL: Final = 4 << 10
"""Price, in bytes, of a place that looked like a proof and was none."""

_BUDGET: Final = 64 << 20


class Probe:
    """Reads single items at given places of a file.

    Attributes:
        window: the bytes.
        verifies: whether digests can be checked.
    """

    def __init__(self, source: Source, *, verifies: bool) -> None:
        self.window, self.verifies = Window(source), verifies
        self._budget = _BUDGET + 4 * source.size
        self._proofs: dict[bytes, Callable[[int, Container[int]], int]] = {
            SEAL_HEAD: self._prove_segment,
            BLOB_HEAD: self._prove_blob,
            KIND_HEAD: self._prove_kind,
            INDEX_HEAD: self._prove_index,
            END_HEAD[:5]: self._prove_end,
        }

    def spend(self, price: int) -> bool:
        """Pay for a look that may lead nowhere; False when nothing is left, so that no file makes a walk long."""
        self._budget -= price
        return self._budget > 0

    def seal(self, at: int) -> tuple[Seal | None, int]:
        """Read the seal at ``at``, if there is one, and where it ends."""
        try:
            seal, size = read_seal(self.window.take(at, MAX_SEAL_SIZE))
        except MalformedError:
            return None, at
        return seal, at + size

    def proves(self, seal: Seal, at: int) -> bool:
        """Tell whether a seal belongs to the bytes from ``at``; taken on trust where nothing can be verified."""
        counts = encode(flatten(seal.counts))
        return not self.verifies or self.window.sha256(at, seal.size, counts) == seal.digest

    def kind(self, at: int) -> tuple[KindRow, bytes, int]:
        """Read the kind-def at ``at``: its row, its digest, empty if that is not right, and where it ends.

        Raises:
            MalformedError: there is none.
        """
        data = self.window.take(at, MAX_KIND_SIZE)
        row, size = read_kind(data)
        proved = not self.verifies or is_proved(data[:size])
        return row, data[size - DIGEST_SIZE : size] if proved else b"", at + size

    def blob_head(self, at: int) -> tuple[bytes, int, int]:
        """Read the blob at ``at``: digest, size of its content, and where that starts."""
        data = self.window.take(at, BLOB_HEAD_SIZE + 9)
        try:
            digest, size, start = read_blob_head(data)
        except MalformedError:
            if len(data) < BLOB_HEAD_SIZE + 9:
                raise CutOffError("a blob is cut off") from None
            raise
        if at + start + size > self.window.size:
            raise CutOffError("a blob is cut off")
        return digest, size, at + start

    def search(self, at: int, known: Container[int]) -> int:
        """Return where the next item that proves itself starts, looking from ``at``; -1 if there is none.

        Args:
            at: where the damage begins.
            known: numbers of the kinds that are defined; a kind-def for one of them proves nothing.
        """
        place = max(at, len(MAGIC))
        while self.verifies and self.spend(0):
            place = self.window.find(ANY_HEAD, place + 1, self.window.size)
            if place >= 0 and self.window.take(place, len(TAPE_HEAD)) == TAPE_HEAD:
                # A tape within a payload of this one: what is in there proves itself and is not ours.
                place = self.window.find(END_HEAD, place, self.window.size)
            if place < 0:
                return -1
            start = self._proof(place, known)
            if start > at:  # what is wrong at `at` does not become right by a digest
                return start
            self.spend(TRIAL)
        return -1

    def _proof(self, place: int, known: Container[int]) -> int:
        """Return where the item starts that the head at ``place`` proves; -1 if it proves none."""
        prove = self._proofs.get(self.window.take(place, len(ANY_HEAD) + 1))
        try:
            return prove(place, known) if prove else -1
        except MalformedError:
            return -1

    def _prove_segment(self, place: int, _: Container[int]) -> int:
        seal, _end = self.seal(place)
        if seal is None or seal.size > place or not self.spend(seal.size):
            return -1
        start = place - seal.size
        return start if self.window.take(start, 1) == EVENT_HEAD and self.proves(seal, start) else -1

    def _prove_blob(self, place: int, _: Container[int]) -> int:
        digest, size, start = self.blob_head(place)
        return place if self.spend(size) and self.window.sha256(start, size) == digest else -1

    def _prove_kind(self, place: int, known: Container[int]) -> int:
        row, digest, _ = self.kind(place)
        return place if digest and row.number not in known else -1

    def _prove_index(self, place: int, _: Container[int]) -> int:
        return place if self.window.item_end(place) - place <= MAX_INDEX_SIZE else -1

    def _prove_end(self, place: int, _: Container[int]) -> int:
        return place if place + END_SIZE == self.window.size else -1
