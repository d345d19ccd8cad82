"""Walk over a tape item by item: rebuild its index from the bytes alone, and find what is wrong with them.

Nothing is taken on faith: a segment counts when the seal behind it has its digest, a blob when its own digest is
right. After damage the walk goes on at the next item that proves itself so. What a killed recording leaves (an item
that is cut off, events without a seal yet) is no damage.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from attrs import frozen

from testbench.tape._codec import TAG, MalformedError, encode, iterate
from testbench.tape._event import Finding, KindRow, Severity
from testbench.tape._index import Index
from testbench.tape._items import (
    MAX_INDEX_SIZE,
    MAX_KIND_SIZE,
    MAX_SEAL_SIZE,
    MAX_SEGMENT_EVENTS,
    MAX_SEGMENT_SIZE,
)
from testbench.tape._raw import RawEvent, is_event
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
    End,
    Header,
    Seal,
    flatten,
    make_kind,
    parse_row,
    read_blob_head,
    read_end,
    read_seal,
)
from testbench.tape._window import CutOffError, Window

_ANY_HEAD: Final = SEAL_HEAD[:4]
"""What the heads of all structural items begin with."""

_PIECE: Final = 1 << 20
_BUDGET: Final = 64 << 20
_TRIAL: Final = 4 << 10
"""Price of a place that looked like a proof and was none; all of them together may cost four times the file."""


@frozen
class Walk:
    """What a walk saw.

    Attributes:
        index: the index, rebuilt.
        tail: events behind the last seal, raw, on a tape whose recording never finished.
        unknown: offset and size of each tagged item that this format does not know.
        findings: what is wrong; empty for a whole tape.
        end: where the last item that was understood ends.
    """

    index: Index
    tail: tuple[RawEvent, ...]
    unknown: list[tuple[int, int]]
    findings: list[Finding]
    end: int


def walk(source: Source, header: Header | None, rows: Sequence[KindRow], *, verifies: bool = True) -> Walk:
    """Walk over a whole tape, in one pass and constant memory.

    Args:
        source: the file.
        header: its header; None when that is damaged, and the walk looks for the first item that proves itself.
        rows: the kinds known from the start.
        verifies: whether digests can be checked; without them there is no going on after damage.

    Raises:
        TapeError: the disk reports an error.
    """
    walker = _Walker(source, header, rows, verifies=verifies)
    walker.run()
    return Walk(walker.index, walker.tail, walker.unknown, walker.findings, walker.end)


class _Walker:
    def __init__(self, source: Source, header: Header | None, rows: Sequence[KindRow], *, verifies: bool) -> None:
        self._source, self._window = source, Window(source)
        self._verifies, self._budget = verifies, _BUDGET + 4 * source.size
        self._header = source.read(0, header.size) if header else b""
        self._written: End | None = None  # the index item that was met, as an end item should describe it
        self.index, self.end = Index(), len(self._header)
        self.tail: tuple[RawEvent, ...] = ()
        self.unknown: list[tuple[int, int]] = []
        self.findings: list[Finding] = []
        self._complete = False
        for row in rows:
            self.index.add_kind(row)
        self._readers: dict[bytes, Callable[[int], int]] = {
            KIND_HEAD: self._kind,
            BLOB_HEAD: self._blob,
            INDEX_HEAD: self._index_item,
            END_HEAD[:5]: self._end_item,
        }
        self._proofs: dict[bytes, Callable[[int], int]] = {
            SEAL_HEAD: self._prove_segment,
            BLOB_HEAD: self._prove_blob,
            KIND_HEAD: self._prove_kind,
            INDEX_HEAD: self._prove_index,
            END_HEAD[:5]: self._prove_end,
        }

    def run(self) -> None:
        at = self.end
        while at < self._source.size:
            try:
                at = self.end = self._item(at)
            except MalformedError as error:
                at = self._go_on(at, error)
        if not self._complete:
            self._note(
                "incomplete", "its recording never finished: expected an index and an end item", self.end, "warning"
            )

    def _item(self, at: int) -> int:
        """Read the item at ``at`` and return where it ends."""
        start = self._window.take(at, 5)
        if start.startswith(EVENT_HEAD):
            return self._segment(at)
        return self._readers.get(start, self._unknown)(at)

    def _segment(self, at: int) -> int:
        seal_at = at
        while True:
            seal_at = self._window.find(SEAL_HEAD, seal_at + 1, at + MAX_SEGMENT_SIZE + 1)
            if seal_at < 0 or not self._spend(0):
                raise MalformedError("events without a seal")
            seal, end = self._seal(seal_at)
            if seal is None or seal.size != seal_at - at:
                self._spend(_TRIAL)
                continue
            if self._proves(seal, at):
                self.index.add_segment(at, seal.size, seal.digest, seal.counts)
            else:
                self._note("segment-digest", f"{seal.count} events do not have the digest of their seal", at)
            return end

    def _seal(self, at: int) -> tuple[Seal | None, int]:
        """Read the seal at ``at``, if there is one, and where it ends."""
        try:
            seal, size = read_seal(self._window.take(at, MAX_SEAL_SIZE))
        except MalformedError:
            return None, at
        return seal, at + size

    def _proves(self, seal: Seal, at: int) -> bool:
        counts = encode(flatten(seal.counts))
        return not self._verifies or self._window.sha256(at, seal.size, counts) == seal.digest

    def _kind(self, at: int) -> int:
        row, end = self._row(at)
        if any(row.number == known.number for known in self.index.rows):
            raise MalformedError(f"kind {row.number} is defined twice")
        self.index.add_kind(row)
        return end

    def _row(self, at: int) -> tuple[KindRow, int]:
        data = self._window.take(at + len(KIND_HEAD), MAX_KIND_SIZE)
        wire, size = next(iterate(data), (None, 0))
        row = parse_row(wire)
        if make_kind(row) != KIND_HEAD + data[:size]:
            raise MalformedError("a kind-def in another form than a writer gives it")
        return row, at + len(KIND_HEAD) + size

    def _blob(self, at: int) -> int:
        digest, size, start = self._blob_head(at)
        if not self._verifies or self._window.sha256(start, size) == digest:
            self.index.add_blob(digest, start, size)
            return start + size
        if self._window.take(start + size, 1) not in (EVENT_HEAD, _ANY_HEAD[:1], b""):
            raise MalformedError("a blob without its digest, and nothing known behind it")
        self._note("blob-digest", f"expected {size} bytes with the digest {digest.hex()}; they have another", at)
        return start + size

    def _blob_head(self, at: int) -> tuple[bytes, int, int]:
        data = self._window.take(at, BLOB_HEAD_SIZE + 9)
        if len(data) < BLOB_HEAD_SIZE + 9 and BLOB_HEAD.startswith(data[: len(BLOB_HEAD)]):
            raise CutOffError("a blob is cut off")
        digest, size, start = read_blob_head(data)
        if at + start + size > self._source.size:
            raise CutOffError("a blob is cut off")
        return digest, size, at + start

    def _index_item(self, at: int) -> int:
        end = self._window.item_end(at)
        if end - at > MAX_INDEX_SIZE:
            raise MalformedError(f"an index above {MAX_INDEX_SIZE} bytes")
        item = self._window.take(at, end - at)
        self._written = End(offset=at, size=end - at, digest=self._window.sha256(at, end - at))
        if self._verifies and item != self.index.finish(self._header):
            if not self.findings:  # else it lists what was there before the damage
                self._note("index", "the index does not list what the tape holds", at)
            self._learn(item)
        return end

    def _learn(self, item: bytes) -> None:
        """Take kinds whose rows were lost from the index, which repeats them."""
        known = {row.number for row in self.index.rows}
        try:
            rows = Index.parse(item).rows
        except MalformedError:
            return
        for row in rows:
            if row.number not in known:
                self.index.add_kind(row)

    def _end_item(self, at: int) -> int:
        data = self._window.take(at, END_SIZE)
        if len(data) < END_SIZE:
            raise CutOffError("the end item is cut off")
        if read_end(data) != self._written:
            self._note("end", "the end item does not describe the index before it", at)
        self._complete = True
        if at + END_SIZE < self._source.size:
            extra = self._source.size - at - END_SIZE
            self._note("trailing", f"{extra} bytes follow the end of the tape", at + END_SIZE)
        return self._source.size

    def _unknown(self, at: int) -> int:
        """Step over an item of a later format."""
        if self._window.take(at, 1)[0] >> 5 != TAG:
            raise MalformedError("expected an event or a tagged item")
        end = self._window.item_end(at)
        self.unknown.append((at, end - at))
        return end

    def _go_on(self, at: int, error: MalformedError) -> int:
        """Find where to go on after something that is no item: at the next proof, or else nowhere."""
        found = self._search(at) if self._verifies else -1
        if found >= 0:
            self._note("damaged", f"{found - at} bytes are no part of a tape ({error})", at)
            return found
        end = self._take_tail(at)
        if not self._is_cut(end):
            lost = self._source.size - end
            self._note("damaged", f"{lost} bytes are no part of a tape ({error}), and nothing whole follows", end)
        self.end = end
        return self._source.size

    def _take_tail(self, at: int) -> int:
        """Decode events that no seal proves yet and return where they end."""
        events: list[RawEvent] = []
        end = at
        for event, size in iterate(self._window.take(at, MAX_SEGMENT_SIZE)):
            if not is_event(event) or len(events) == MAX_SEGMENT_EVENTS:
                break
            events.append(event)
            end = at + size
        self.tail = tuple(events)
        return end

    def _is_cut(self, at: int) -> bool:
        """Tell whether the file just ends here: within an item, or in zeros that a later write would have covered."""
        if all(not self._window.take(piece, _PIECE).strip(b"\0") for piece in range(at, self._source.size, _PIECE)):
            return True
        try:
            self._window.item_end(at)
        except CutOffError:
            return True
        except MalformedError:
            return False
        return False

    def _search(self, at: int) -> int:
        """Return where the next item that proves itself starts, looking from ``at``; -1 if there is none."""
        place = max(at, len(MAGIC))
        while self._spend(0):
            place = self._window.find(_ANY_HEAD, place + 1, self._source.size)
            if place >= 0 and self._window.take(place, len(TAPE_HEAD)) == TAPE_HEAD:
                # A tape within a payload of this one: what is in there proves itself and is not ours.
                place = self._window.find(END_HEAD, place, self._source.size)
            if place < 0:
                return -1
            try:
                return self._proof(place, at)
            except MalformedError:
                self._spend(_TRIAL)
        return -1

    def _proof(self, place: int, low: int) -> int:
        """Return where the item starts that the head at ``place`` proves; MalformedError if it proves none."""
        prove = self._proofs.get(self._window.take(place, 5))
        if prove is None:
            raise MalformedError("no head")
        start = prove(place)
        if start < low:
            raise MalformedError("no proof")
        return start

    def _prove_segment(self, place: int) -> int:
        seal, _ = self._seal(place)
        if seal is None or not self._spend(seal.size) or not self._proves(seal, place - seal.size):
            return -1
        return place - seal.size

    def _prove_blob(self, place: int) -> int:
        digest, size, start = self._blob_head(place)
        return place if self._spend(size) and self._window.sha256(start, size) == digest else -1

    def _prove_kind(self, place: int) -> int:
        row, _ = self._row(place)
        return -1 if any(row.number == known.number for known in self.index.rows) else place

    def _prove_index(self, place: int) -> int:
        return place if self._window.item_end(place) - place <= MAX_INDEX_SIZE else -1

    def _prove_end(self, place: int) -> int:
        return place if place + END_SIZE == self._source.size else -1

    def _spend(self, price: int) -> bool:
        """Pay for a look at something; False when there is nothing left, so that no file can make the walk long."""
        self._budget -= price
        return self._budget > 0

    def _note(self, code: str, what: str, at: int, severity: Severity = "error") -> None:
        advice = f"`testbench recover {self._source.path} -o OUT.tape` keeps what is whole."
        self.findings.append(Finding(code, f"{self._source.path}, byte {at}: {what}. {advice}", at, severity))
