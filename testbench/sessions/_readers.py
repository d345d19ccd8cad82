"""Readers that run without a Python frame: Python code is called between runs, C code serves the reads within one.

CPython's own iterators are all that is needed. ``chain.from_iterable(iter(next_run, …))`` asks ``next_run`` for one run
at a time. While recording, a run is one side of ``tee(starmap(effect, slots))``: each step takes a slot and makes a
read, and the other side keeps the value. Signal handlers run between bytecodes only, hence never within a read; one
that interrupts ``next_run`` and reads a clock itself merely asks for a run of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain, islice, starmap, tee
from typing import Any, Final

import attrs

from testbench.errors import RecordingError
from testbench.protocol import Plain, Runs

RUN_MAX: Final = 4096
"""Reads in one run; a longer one goes on as the next event, so that memory stays bounded."""

_SLOTS: Final = ((),) * RUN_MAX
"""The arguments of all reads of a run: none."""

_NEVER: Final = object()

Reader = Callable[[], Any]
Bind = Callable[[Reader], None]


@attrs.frozen
class Source:
    """A source, as a recorder has opened it; see `testbench.protocol.Call.source`."""

    name: str
    effect: Callable[[], Any]
    bind: Bind
    runs: Runs | None = None
    resume: Callable[[Any], Callable[[], Any]] | None = None

    def resumed(self, last: Plain) -> Source:
        """Return the source as it is read in the world, after values up to ``last`` came from a tape."""
        return self if self.resume is None else attrs.evolve(self, effect=self.resume(last))


def serve(next_run: Callable[[], Iterable[Any]], bind: Bind) -> None:
    """Bind a reader that takes its values from one run after the other.

    Args:
        next_run: gives the next run, or raises; may be entered again by a signal handler.
        bind: is given the reader, and a new one whenever ``next_run`` has raised: that ends an iterator for good.
    """

    def guarded() -> Iterable[Any]:
        try:
            return next_run()
        except BaseException:
            serve(next_run, bind)
            raise

    bind(chain.from_iterable(iter(guarded, _NEVER)).__next__)


class Gathering:
    """The values of a run that is being recorded.

    Args:
        source: where they come from.

    Attributes:
        reads: the iterator that makes the reads.
    """

    __slots__ = ("_kept", "_runs", "_slots", "_values", "reads")

    def __init__(self, source: Source) -> None:
        self._slots: Any = iter(_SLOTS)
        self._values: list[Any] = []
        self._runs = source.runs
        self.reads: Iterator[Any]
        self.reads, self._kept = tee(starmap(source.effect, self._slots))

    @property
    def full(self) -> bool:
        """Whether no further read fits."""
        return not self._slots.__length_hint__()

    def so_far(self) -> list[Plain]:
        """Return the values read until now; may be called by another thread while this one reads."""
        taken = RUN_MAX - self._slots.__length_hint__() - len(self._values)
        with suppress(RuntimeError):  # the last slot is taken and its read is under way: `tee` says so, and it can wait
            self._values.extend(islice(self._kept, taken))
        return self._packed()

    def end(self) -> list[Plain]:
        """Let the reader ask for another run at its next read; return all values of this one.

        Raises:
            RecordingError: a read raised instead of giving a value: an outer session has diverged.
        """
        taken = RUN_MAX - self._slots.__length_hint__()
        self._slots.__setstate__(RUN_MAX)
        self._values.extend(self._kept)
        if len(self._values) < taken:  # more there may be: a signal handler may read right here
            raise RecordingError(
                "a read of a clock raised an error, which no tape can hold as an outcome, and the program swallowed it"
            )
        return self._packed()

    def _packed(self) -> list[Plain]:
        return self._values[:] if self._runs is None else self._runs.pack(self._values)


class Answers:
    """The values of a run that is being replayed.

    Args:
        source: what they are read from.
        values: a list, or a typed array, whose items are made one by one as they are read.

    Attributes:
        reads: the iterator that gives them.
    """

    __slots__ = ("_count", "_place", "reads")

    def __init__(self, source: Source, values: Sequence[Plain]) -> None:
        self._count = len(values)
        self.reads: Iterator[Any]
        self._place: Any
        if source.runs is None:
            self.reads = self._place = iter(values)
        else:
            self.reads, self._place = source.runs.unpack(values)

    def left(self) -> int:
        """Return how many were not read."""
        # An iterator over a list, tuple or array tells its position when asked how to be copied, and no sequence once
        # it is at its end; a length hint would do, but arrays have none.
        state: Any = self._place.__reduce__()
        return self._count - state[2] if len(state) == 3 else 0
