"""Splicing: follow a tape as far as the program does, and record from there on, to a new tape.

All along it is a recording; only that, at first, effects are not performed but answered from the old tape. So there is
no moment at which anything is exchanged under a running program: one crossing is answered, the next one performed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import attrs

from testbench.errors import UnsupportedError
from testbench.protocol import Effect, Pieces, Plain
from testbench.redaction import Redactor
from testbench.sessions._lanes import Lane
from testbench.sessions._prefix import Prefix
from testbench.sessions._readers import Reader as Read
from testbench.sessions._readers import Source, serve
from testbench.sessions._recording import Recording
from testbench.sessions._spliced_facts import SplicedFacts
from testbench.tape import Writer


@attrs.frozen
class Splice:
    """Where a run has left its old tape.

    Attributes:
        seq: so many events of it were kept; recorded anew is what comes after.
        total: how many it held.
        reason: what was different, one clause.
    """

    seq: int
    total: int
    reason: str

    def __str__(self) -> str:
        kept = f"{self.seq:,} of {self.total:,} events of the old tape were kept"
        return f"{kept}, and the rest was recorded anew: {self.reason}"


class Splicing(Recording):
    """The mode that answers from a tape first, and touches the world from the first difference on.

    The first thread that the program starts, the first signal that it handles and the first leak are differences too.

    Args:
        writer: where events go.
        now_ns: the clock that stamps new ones.
        prefix: the old tape.
        total: how many events it holds.
        redactor: as for `Recording`.
        pieces: as for `Recording`.

    Raises:
        UnsupportedError: other threads run already.
    """

    mode = "splice"

    def __init__(
        self,
        writer: Writer,
        now_ns: Callable[[], int],
        prefix: Prefix,
        total: int,
        redactor: Redactor | None = None,
        pieces: Mapping[str, Pieces] | None = None,
    ) -> None:
        super().__init__(writer, now_ns, redactor, pieces)
        self._prefix: Prefix | None = prefix
        self._total = total
        self._sources: list[Source] = []
        self._readers: dict[str, Read] = {}
        self.splice: Splice | None = None
        self._facts = self._spliced = SplicedFacts(prefix, **self._fact_parts())
        self._appender.before = lambda: self._go_live("the program started a thread, or handled a signal")
        if not self.lanes.single:
            others = len(sys._current_frames()) - 1
            raise UnsupportedError(
                f"mode splice follows a program of one thread until it leaves its tape, and {others} others run "
                "already; splice without them (pytest without -n), or record again"
            )

    def _cross(
        self, name: str, lane: Lane, request: Plain, effect: Effect, raises: tuple[type[BaseException], ...]
    ) -> tuple[Plain, BaseException | None]:
        if self._prefix is not None:
            with self._appender.lock:
                answer = self._prefix.answer(name, request, raises)
            if answer is not None:
                return answer
            self._go_live("")
        return super()._cross(name, lane, request, effect, raises)

    def add_source(self, source: Source) -> None:
        """Open a source; see `testbench.protocol.Call.source`."""
        bind = source.bind

        def remember(reader: Read) -> None:
            self._readers[source.name] = reader
            bind(reader)

        source = attrs.evolve(source, bind=remember)
        self._sources.append(source)
        serve(lambda: self._next(source), source.bind)

    def _next(self, source: Source) -> Iterable[Any]:
        lane = self.lanes.current()
        if lane.depth or self.state.is_off():
            return (source.effect(),)
        if self._prefix is not None:
            lane.depth = 1
            try:
                with self._appender.lock:
                    reads = self._prefix.run(source)
            finally:
                self.signals.leave(lane, None)
            if reads is not None:
                return reads
            self._go_live("")
        return (self._readers[source.name](),)

    def foretold(self, name: str) -> Sequence[tuple[Plain, Plain]]:
        """Return the facts of the old tape; see `testbench.protocol.Call.foretold`."""
        return self._spliced.foretold(name)

    def leak(self, name: str, request: Plain, effect: Callable[[], Any], instead: str) -> Any:
        """Let a leak happen, which no tape answers; see `Recording.leak`."""
        self._go_live(f"{name} is never on a tape")
        return super().leak(name, request, effect, instead)

    def report(self, name: str, request: Plain, instead: str, refused: bool) -> None:
        """List a leak; one that a replay refuses ends what is kept; see `Recording.report`."""
        if refused and not self.inside():
            self._go_live(f"{name} is never on a tape")
        super().report(name, request, instead, refused)

    def finish(self) -> None:
        """End the new tape; what the program did not ask for any more is not on it."""
        self._sources.clear()  # the world is restored: a reader must not be bound to it any more
        if self._prefix is not None and self._prefix.is_complete():
            self._prefix.end("")
            self._prefix = None
            self._appender.restart()
            self._spliced.go_live()
        self._go_live("the program has ended")
        super().finish()

    def _go_live(self, reason: str) -> None:
        """Perform and record everything from here on."""
        prefix, self._prefix = self._prefix, None
        if prefix is None:
            return
        with self._appender.lock:
            prefix.end(reason)
            self.splice = Splice(prefix.seq, self._total, prefix.reason)
            self._appender.restart()
            self._spliced.go_live()
            for source in self._sources:
                self._runs.add(source.resumed(prefix.last.get(source.name)))
