"""Walk over a tape item by item: rebuild its index from the bytes alone, and find what is wrong with them.

Nothing is taken on faith: a segment counts when the seal behind it has its digest, a blob or a kind-def when its own
is right. After damage the walk goes on at the next item that proves itself so. What a killed recording leaves (an item
that is cut off, events without a seal yet) is no damage.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from attrs import frozen

from testbench.tape._codec import TAG, CutOffError, MalformedError, iterate
from testbench.tape._event import Finding, KindRow, Severity
from testbench.tape._index import Index
from testbench.tape._items import DIGEST_SIZE, MAX_INDEX_SIZE, MAX_SEGMENT_EVENTS, MAX_SEGMENT_SIZE
from testbench.tape._probe import ANY_HEAD, TRIAL, Probe
from testbench.tape._raw import RawEvent, is_event
from testbench.tape._source import Source
from testbench.tape._structure import (
    BLOB_HEAD,
    END_HEAD,
    END_SIZE,
    EVENT_HEAD,
    INDEX_HEAD,
    KIND_HEAD,
    SEAL_HEAD,
    End,
    Header,
    read_end,
)

_PIECE: Final = 1 << 20


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
        self.index, self.tail = Index(rows), tuple[RawEvent, ...]()
        self.unknown: list[tuple[int, int]] = []
        self.findings: list[Finding] = []
        self._source, self._probe = source, Probe(source, verifies=verifies)
        self._window = self._probe.window
        self._header = source.read(0, header.size) if header else b""
        self.end = len(self._header)
        self._written: End | None = None  # the index item that was met, as an end item should describe it
        self._complete = False
        self._readers: dict[bytes, Callable[[int], int]] = {
            KIND_HEAD: self._kind,
            BLOB_HEAD: self._blob,
            INDEX_HEAD: self._index_item,
            END_HEAD[: len(KIND_HEAD)]: self._end_item,
        }

    def run(self) -> None:
        at = self.end or self._first_proof()
        while at < self._source.size:
            try:
                at = self.end = self._item(at)
            except MalformedError as error:
                at = self._go_on(at, error)
        if not self._complete:
            what = "its recording never finished: expected an index and an end item"
            self._note("incomplete", what, self.end, "warning")

    def _first_proof(self) -> int:
        """Find where to begin without a header: its damage is somebody else's finding, and its length means nothing."""
        found = self._probe.search(0, self._known())
        return self._source.size if found < 0 else found

    def _item(self, at: int) -> int:
        """Read the item at ``at`` and return where it ends."""
        start = self._window.take(at, len(KIND_HEAD))
        if start.startswith(EVENT_HEAD):
            return self._segment(at)
        return self._readers.get(start, self._unknown)(at)

    def _segment(self, at: int) -> int:
        seal_at = at
        while True:
            seal_at = self._window.find(SEAL_HEAD, seal_at + 1, at + MAX_SEGMENT_SIZE + 1)
            if seal_at < 0 or not self._probe.spend(0):
                raise MalformedError("events without a seal")
            seal, end = self._probe.seal(seal_at)
            if seal is None or seal.size != seal_at - at:
                self._probe.spend(TRIAL)
                continue
            # One that fails is listed too: whoever reads it fails at the right place, and it counts as lost.
            self.index.add_segment(at, seal.size, seal.digest, seal.counts)
            if not self._probe.proves(seal, at):
                self._note("segment-digest", f"{seal.count} events do not have the digest of their seal", at)
            return end

    def _kind(self, at: int) -> int:
        row, digest, end = self._probe.kind(at)
        if not digest:
            self._note("kind-digest", "a kind-def does not have its digest, so the names in it are not believed", at)
        elif row.number in self._known():
            raise MalformedError(f"kind {row.number} is defined twice")
        else:
            self.index.add_kind(row, digest)
        return end

    def _known(self) -> set[int]:
        return {row.number for row in self.index.rows}

    def _blob(self, at: int) -> int:
        digest, size, start = self._probe.blob_head(at)
        if not self._probe.verifies or self._window.sha256(start, size) == digest:
            self.index.add_blob(digest, start, size)
            return start + size
        if self._window.take(start + size, 1) not in (EVENT_HEAD, ANY_HEAD[:1], b""):
            raise MalformedError("a blob without its digest, and nothing known behind it")
        self.index.add_blob(digest, start, size)  # it is there, and damaged: not the same as missing
        self._note("blob-digest", f"expected {size} bytes with the digest {digest.hex()}; they have another", at)
        return start + size

    def _index_item(self, at: int) -> int:
        end = self._window.item_end(at)
        if end - at > MAX_INDEX_SIZE:
            raise MalformedError(f"an index above {MAX_INDEX_SIZE} bytes")
        item = self._window.take(at, end - at)
        self._written = End(offset=at, size=end - at, digest=self._window.sha256(at, end - at))
        derived = len(item) if self._header else len(item) - DIGEST_SIZE  # the last digest covers the header
        if self._probe.verifies and item[:derived] != self.index.finish(self._header)[:derived]:
            if not self.findings:  # else it lists what was there before the damage
                self._note("index", "the index does not list what the tape holds", at)
            if self._window.take(end, END_SIZE).endswith(self._written.digest):
                self._learn(item)
        return end

    def _learn(self, item: bytes) -> None:
        """Take the kinds whose own item is lost from an index that has its digest: it repeats them all."""
        try:
            rows = Index.parse(item).rows
        except MalformedError:
            return
        known = self._known()
        self.index.rows += [row for row in rows if row.number not in known]

    def _end_item(self, at: int) -> int:
        data = self._window.take(at, END_SIZE)
        if len(data) < END_SIZE:
            raise CutOffError("the end item is cut off")
        if read_end(data) != self._written:
            self._note("end", "the end item does not describe the index before it", at)
        extra = self._source.size - at - END_SIZE
        if extra:
            self._note("trailing", f"{extra} bytes follow the end of the tape", at + END_SIZE)
        self._complete = True
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
        found = self._probe.search(at, self._known())
        if found >= 0:
            self._note("damaged", f"{found - at} bytes are no part of a tape ({error})", at)
            return found
        self.end = self._take_tail(at)
        if not self._is_cut(self.end):
            lost = self._source.size - self.end
            self._note("damaged", f"{lost} bytes are no part of a tape ({error}), and nothing whole follows", self.end)
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
        first = self._window.take(at, 1)
        if first != EVENT_HEAD and first[0] >> 5 != TAG:
            return False  # no writer begins an item so
        try:
            self._window.item_end(at)
        except CutOffError:
            return True
        except MalformedError:
            return False
        return False

    def _note(self, code: str, what: str, at: int, severity: Severity = "error") -> None:
        advice = f"`testbench recover {self._source.path} -o OUT.tape` keeps what is whole."
        self.findings.append(Finding(code, f"{self._source.path}, byte {at}: {what}. {advice}", at, severity))
