"""Secrets that arrive in pieces: a stream is redacted as one text, and its pieces get their shares of it.

A piece that stops in the middle of what may be a secret waits until the next one shows what it was. What waits is
bounded, and what is waited for is decided by the bytes alone, so that two recordings of the same bytes are alike.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from testbench.redaction._redactor import Redactor
from testbench.redaction._spans import Span

_CONTEXT: Final = 256
"""So many bytes before a piece are remembered, for the name that stands before a secret."""

_MOST_BYTES: Final = 1 << 20


@attrs.define(eq=False)
class Piece:
    """Some bytes of a stream that wait to be redacted.

    Attributes:
        data: as the program saw them.
        settle: told what to write in their place; called once.
    """

    data: bytes
    settle: Callable[[bytes], None]


class Stream:
    """One stream: what waits, and what came right before."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._context = b""
        self._waiting: list[Piece] = []
        self._proved = 0  # so many bytes of what is looked at next have been, and are in no secret

    @property
    def waits(self) -> bool:
        """Whether a piece waits for the next one."""
        return bool(self._waiting)

    def add(self, piece: Piece, *, last: bool) -> None:
        """Take the next piece; settle what can be settled."""
        self._waiting.append(piece)
        self._go_on(last=last or sum(len(piece.data) for piece in self._waiting) > _MOST_BYTES)

    def give_up(self) -> bool:
        """Settle what waits as if no more came, unless a secret surely has begun; tell whether that was so."""
        if self._waiting and self._redactor.unfinished(self._text())[1]:
            return False
        self.end()
        return True

    def end(self) -> None:
        """Settle what waits: nothing more comes."""
        if self._waiting:
            self._go_on(last=True)

    def _text(self) -> bytes:
        if not self._context and len(self._waiting) == 1:
            return self._waiting[0].data
        return b"".join([self._context, *(piece.data for piece in self._waiting)])

    def _go_on(self, *, last: bool) -> None:
        text = self._text()
        found = self._found_in(text)
        cut = len(text) if last else self._redactor.unfinished(text)[0]
        kept = 0 if last else self._first_kept(cut, found)
        settled = self._waiting if last else self._waiting[:kept]
        self._waiting = [] if last else self._waiting[kept:]
        start = 0
        if settled:
            self._write(settled, text, found)
            rest = sum(len(piece.data) for piece in self._waiting)
            start = max(0, len(text) - rest - _CONTEXT)
            self._context = text[start : len(text) - rest]
        self._proved = 0 if found else max(0, cut - start)

    def _found_in(self, text: bytes) -> list[Span]:
        """Return the secrets in what waits; what was looked at before is only looked at again as far as it matters."""
        start = max(0, self._proved - _CONTEXT)
        found = self._redactor.spans(text[start:] if start else text)
        moved = [attrs.evolve(span, start=span.start + start, end=span.end + start) for span in found]
        return [span for span in moved if span.start >= self._proved]

    def _first_kept(self, cut: int, found: list[Span]) -> int:
        """Return which of the waiting pieces is the first that has to wait on, where a secret may begin at a place."""
        while True:
            kept, start = self._piece_at(cut)
            across = [span.start for span in found if span.start < start < span.end and span.start < cut]
            if not across or kept == 0:
                return kept
            cut = min(across)

    def _piece_at(self, place: int) -> tuple[int, int]:
        """Return the first piece that ends behind a place, and where it starts."""
        start = len(self._context)
        for number, piece in enumerate(self._waiting):
            if start + len(piece.data) > place:
                return number, start
            start += len(piece.data)
        return len(self._waiting), start

    def _write(self, settled: list[Piece], text: bytes, found: list[Span]) -> None:
        first, end = len(self._context), len(self._context) + sum(len(piece.data) for piece in settled)
        if not found:
            for piece in settled:
                piece.settle(piece.data)
            return
        redacted = bytearray(text[:end])
        for span in found:
            if first < span.end and span.start < end:
                stand_in = self._redactor.stand_in(text[span.start : span.end], span)
                if len(stand_in) != span.end - span.start:  # while recording they are of equal length
                    stand_in = b"*" * (span.end - span.start)
                redacted[span.start : span.end] = stand_in[: end - span.start]
        for piece in settled:
            piece.settle(bytes(redacted[first : first + len(piece.data)]))
            first += len(piece.data)


class Streams:
    """All streams of one session, by name; the longest unused are forgotten.

    Args:
        redactor: finds what is secret.
    """

    _MOST: Final = 4096

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._streams: dict[str, Stream] = {}

    def add(self, name: str, piece: Piece, *, last: bool = False) -> None:
        """Take the next piece of a stream.

        Args:
            name: which stream.
            piece: the bytes; settled at once, or later.
            last: the stream has ended with it.
        """
        stream = self._streams.pop(name, None) or Stream(self._redactor)
        self._streams[name] = stream
        stream.add(piece, last=last)
        if last:
            del self._streams[name]
        while len(self._streams) > self._MOST:
            self._streams.pop(next(iter(self._streams))).end()

    def give_up(self) -> None:
        """Settle what waits and surely is no secret yet."""
        for stream in self._streams.values():
            stream.give_up()

    def end(self) -> None:
        """Settle everything that waits."""
        for stream in self._streams.values():
            stream.end()
