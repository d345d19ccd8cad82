"""The payloads of an open tape, by digest."""

from __future__ import annotations

from collections.abc import Iterator

from testbench.errors import BlobDamagedError, BlobMissingError
from testbench.tape._index import Index
from testbench.tape._items import DIGEST_SIZE
from testbench.tape._source import Source
from testbench.tape._structure import sha256


class Blobs:
    """Reads payloads and proves them; keeps none."""

    def __init__(self, source: Source, index: Index, *, verifies: bool) -> None:
        self._source, self._index, self._verifies = source, index, verifies
        self._last = 0

    def __iter__(self) -> Iterator[tuple[bytes, int]]:
        """Iterate over digests and sizes, in the order in which the payloads stand on the tape."""
        digests = self._index.blob_digests
        for number, size in enumerate(self._index.blob_sizes):
            yield bytes(digests[DIGEST_SIZE * number : DIGEST_SIZE * (number + 1)]), size

    def get(self, digest: bytes) -> bytes:
        """Return the bytes that have a digest; raises as `Reader.blob` does."""
        path, number = self._source.path, self._find(digest)
        if number is None:
            raise BlobMissingError(
                f"{path} holds no payload with the digest {digest.hex()}, which an event of it names. "
                f"`testbench check {path}` lists what else is missing."
            )
        offset, size = self._index.blob_offsets[number], self._index.blob_sizes[number]
        data = self._source.read(offset, size)
        if len(data) != size or (self._verifies and sha256(data) != digest):
            raise BlobDamagedError(
                f"{path} is damaged at byte {offset}: expected {size} bytes with the digest {digest.hex()}; found "
                f"others. `testbench check {path}` lists all damage."
            )
        return data

    def _find(self, digest: bytes) -> int | None:
        """Search from where the last one was found: payloads are asked for in about the order they were written."""
        digests, start = self._index.blob_digests, self._last * DIGEST_SIZE
        for low, high in ((start, len(digests)), (0, start)):
            at = digests.find(digest, low, high)
            while at >= 0 and at % DIGEST_SIZE:
                at = digests.find(digest, at + 1, high)
            if at >= 0 and len(digest) == DIGEST_SIZE:
                self._last = at // DIGEST_SIZE
                return self._last
        return None
