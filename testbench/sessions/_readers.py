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

from testbench.errors import RecordingError
from testbench.protocol import Effect, Plain

RUN_MAX: Final = 4096
"""Reads in one run; a longer one goes on as the next event, so that memory stays bounded."""

_SLOTS: Final = ((),) * RUN_MAX
"""The arguments of all reads of a run: none."""

_NEVER: Final = object()

Reader = Callable[[], Plain]
Bind = Callable[[Reader], None]


def serve(next_run: Callable[[], Iterable[Plain]], bind: Bind) -> None:
    """Bind a reader that takes its values from one run after the other.

    Args:
        next_run: gives the next run, or raises; may be entered again by a signal handler.
        bind: is given the reader, and a new one whenever ``next_run`` has raised: that ends an iterator for good.
    """

    def guarded() -> Iterable[Plain]:
        try:
            return next_run()
        except BaseException:
            serve(next_run, bind)
            raise

    bind(chain.from_iterable(iter(guarded, _NEVER)).__next__)


class Gathering:
    """The values of a run that is being recorded.

    Args:
        effect: makes one read; it does not raise.

    Attributes:
        reads: the iterator that makes the reads.
    """

    __slots__ = ("_kept", "_slots", "_values", "reads")

    def __init__(self, effect: Effect) -> None:
        self._slots: Any = iter(_SLOTS)
        self._values: list[Plain] = []
        self.reads: Iterator[Plain]
        self.reads, self._kept = tee(starmap(effect, self._slots))

    @property
    def full(self) -> bool:
        """Whether no further read fits."""
        return not self._slots.__length_hint__()

    def so_far(self) -> list[Plain]:
        """Return the values read until now; may be called by another thread while this one reads."""
        taken = RUN_MAX - self._slots.__length_hint__() - len(self._values)
        with suppress(RuntimeError):  # the last slot is taken and its read is under way: `tee` says so, and it can wait
            self._values.extend(islice(self._kept, taken))
        return self._values[:]

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
        return self._values


class Answers:
    """The values of a run that is being replayed.

    Args:
        values: a list, or a typed array, whose items are made one by one as they are read.

    Attributes:
        reads: the iterator that gives them.
    """

    __slots__ = ("_values", "reads")

    def __init__(self, values: Sequence[Plain]) -> None:
        self._values = values
        self.reads = iter(values)

    def left(self) -> int:
        """Return how many were not read."""
        # An iterator over a list or an array tells its position when asked how to be copied, and no sequence once it
        # is at its end; a length hint would do, but arrays have none.
        state: Any = self.reads.__reduce__()
        return len(self._values) - state[2] if len(state) == 3 else 0
