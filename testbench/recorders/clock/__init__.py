"""The kind ``clock``: what time it is, by every face the standard library gives it, and sleeping.

Faces without arguments are sources, read by the million: ``time``, ``monotonic``, ``perf_counter``, ``process_time``,
``thread_time``, each also with ``_ns``; and ``datetime.now`` and ``utcnow`` (`_dates`). What is
asked with a request or answered in parts is a crossing: ``sleep``, ``localtime``, ``strftime``, …
(`_moments`), and time-based UUIDs (`testbench.recorders.clock._uuids`).

Functions are redirected as objects, so every name bound to them earlier follows, and so does the standard library:
``threading``, ``queue``, ``subprocess``, ``logging``, ``asyncio``, ``date.today()``. So do methods that were bound
before (``now = datetime.now``), and two clocks that C code reads (`_foreign`). Not reached is other C code that asks
the operating system itself.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from typing import Any, Final, cast

from testbench.errors import UsageError
from testbench.inplace import Redirect, UndoStack
from testbench.protocol import Call, Matcher, Plain
from testbench.recorders.clock._dates import install_dates
from testbench.recorders.clock._foreign import install_foreign
from testbench.recorders.clock._instants import instant_ns, span_ns
from testbench.recorders.clock._moments import install_moments
from testbench.recorders.clock._spinning import Spinning
from testbench.recorders.clock._still import StillWaits
from testbench.recorders.clock._usage import install_usage
from testbench.recorders.clock._uuids import install_uuids
from testbench.recorders.clock._virtual import VirtualClock
from testbench.recorders.clock._zone import living_in

FACES: Final[tuple[Callable[[], float], ...]] = (
    time.time,
    time.time_ns,
    time.monotonic,
    time.monotonic_ns,
    time.perf_counter,
    time.perf_counter_ns,
    time.process_time,
    time.process_time_ns,
    time.thread_time,
    time.thread_time_ns,
)
"""The functions that are sources; the op of each is its name, its values are its own (seconds as float, or ns)."""


class Clock:
    """The recorder of kind ``clock``.

    Args:
        virtual: read this clock instead of the world's; sleeping advances it and takes no time.
        zone: the time zone to live in, as the header of a tape tells it; None for the machine's own.
    """

    kind = "clock"
    version = 1
    matchers: Mapping[str, Matcher] = {}

    def __init__(self, virtual: VirtualClock | None = None, zone: Plain = None) -> None:
        self._virtual = virtual
        self._zone = zone
        self._doors: dict[str, Callable[..., Any]] = {}
        self._ahead_ns: dict[str, int] = {}

    @contextmanager
    def install(self, call: Call) -> Iterator[None]:
        """Send every read and every sleep through ``call``; see `testbench.protocol.Recorder`.

        Raises:
            UnsupportedError: functions cannot be redirected on this interpreter.
            UsageError: this recorder is installed already, or something else was redirected over it and not restored;
                or this machine does not know the time zone.
        """
        if self._doors:
            raise UsageError("this clock recorder is installed already; make a new Clock for each session.")
        with UndoStack() as stack:
            stack.callback(self._doors.clear)
            stack.enter_context(living_in(self._zone))
            virtual = self._virtual
            waits = StillWaits(virtual) if virtual and virtual.still else None
            if virtual is not None and waits is not None:
                virtual.seen = Spinning(virtual).read
            for function in FACES:
                self._install_face(call, stack, function)
            install_dates(call, stack, virtual)
            install_uuids(call, stack, virtual)
            install_foreign(call, stack, virtual)
            install_usage(call, stack, virtual)
            self._install_hands(call)
            self._doors["sleep"] = install_moments(call, stack, virtual, waits)
            if virtual is not None and waits is not None:
                from testbench.recorders.clock._waiting import install_waiting  # it needs what only CPython has

                install_waiting(call, stack, virtual, waits)
            yield

    def now_ns(self) -> int:
        """Return the wall time in nanoseconds since 1970-01-01T00:00:00Z, as ``time.time_ns()`` does.

        Raises:
            UsageError: the recorder is not installed.
        """
        return cast(int, self._door("time_ns")())

    def monotonic_ns(self) -> int:
        """Return the monotonic time in nanoseconds, as ``time.monotonic_ns()`` does.

        Raises:
            UsageError: the recorder is not installed.
        """
        return cast(int, self._door("monotonic_ns")())

    def sleep(self, seconds: float) -> None:
        """Sleep, as ``time.sleep()`` does.

        Args:
            seconds: how long, not negative.

        Raises:
            UsageError: the recorder is not installed.
            ValueError, TypeError, OverflowError: as ``time.sleep()``.
        """
        self._door("sleep")(seconds)

    def advance(self, span: float | timedelta) -> None:
        """Let time elapse at once, on a clock that is not the world's: as if all had slept.

        While recording it is an event, and on replay the next event must be the same; what the clock reads afterwards
        is on the tape.

        Args:
            span: seconds or a timedelta, not negative.

        Raises:
            UsageError: the recorder is not installed, ``span`` is no such span, or the clock is the real one; the last
                breaks the recording.
            DivergenceError: on replay, the tape holds something else here.
        """
        self._door("advance")(span_ns(span, "span"))

    def travel_to(self, moment: datetime | str | int) -> None:
        """Go to another wall time at once, on a clock that is not the world's.

        Forwards, all time elapses until then, as by `advance`. Backwards, the wall clock alone is set back: monotonic
        clocks never go back. Events and errors are as for `advance`.

        Args:
            moment: a datetime with a zone, ISO 8601 text with one, or nanoseconds since the epoch.
        """
        self._door("travel_to")(instant_ns(moment, "moment"))

    def _install_hands(self, call: Call) -> None:
        """Make ready what moves the clock by hand; each way is a crossing of its own name, with nanoseconds."""
        virtual = self._virtual
        for op in ("advance", "travel_to"):
            move = _refuse(op) if virtual is None else getattr(virtual, op)
            self._doors[op] = functools.partial(_cross, call, op, move)

    def _door(self, name: str) -> Callable[..., Any]:
        try:
            return self._doors[name]
        except KeyError:
            raise UsageError(
                f"the clock recorder is not installed, so it cannot answer {name}; use it inside a session."
            ) from None

    def _install_face(self, call: Call, stack: ExitStack, function: Callable[[], float]) -> None:
        name = function.__name__
        redirect = Redirect(function)
        stack.push(redirect)

        def bind(reader: Callable[[], Plain]) -> None:
            self._doors[name] = reader
            redirect.to(reader)

        face = None if self._virtual is None else self._virtual.face(name)
        resume = None if face is not None or name.startswith("time") else self._resume_of(name, redirect.original)
        call.source(name, face or redirect.original, bind, resume=resume)

    def _resume_of(self, name: str, read: Callable[[], float]) -> Callable[[Plain], Callable[[], float]]:
        """Return what lets a clock that never goes back go on where a tape has left it, by whichever of its faces."""
        clock, in_ns = name.removesuffix("_ns"), name.endswith("_ns")

        def ahead_ns() -> int:
            return self._ahead_ns.get(clock, 0)

        def resume(last: Plain) -> Callable[[], float]:
            if isinstance(last, int | float):
                now, unit = read(), 1 if in_ns else 1_000_000_000
                self._ahead_ns[clock] = max(self._ahead_ns.get(clock, -(1 << 63)), int((last - now) * unit))
            return (lambda: read() + ahead_ns()) if in_ns else (lambda: read() + ahead_ns() / 1_000_000_000)

        return resume


def _cross(call: Call, op: str, move: Callable[[int], None], ns: int) -> None:
    request: Plain = {"ns": ns}
    call(op, request, lambda: move(ns))


def _refuse(op: str) -> Callable[[int], None]:
    def refuse(ns: int) -> None:
        raise UsageError(
            f'{op} cannot move the real clock. Record with clock="ticking" or clock="paused", and start= for a '
            "beginning; a replay then moves along."
        )

    return refuse
