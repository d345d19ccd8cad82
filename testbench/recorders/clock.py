"""The kind ``clock``: what time it is, by every face the standard library gives it, and sleeping.

Faces without arguments are sources, read by the million: ``time``, ``monotonic``, ``perf_counter``, ``process_time``,
``thread_time``, each also with ``_ns``; and ``datetime.now`` and ``utcnow`` (`testbench.recorders._dates`). What is
asked with a request or answered in parts is a crossing: ``sleep``, ``localtime``, ``strftime``, …
(`testbench.recorders._moments`), and time-based UUIDs (`testbench.recorders._uuids`).

Functions are redirected as objects, so every name bound to them earlier follows, and so does the standard library:
``threading``, ``queue``, ``subprocess``, ``logging``, ``asyncio``, ``date.today()``. Not reached are C code that asks
the operating system itself, and a bound method made before the session (``now = datetime.now``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, Final, cast

from testbench.errors import UsageError
from testbench.inplace import Redirect
from testbench.protocol import Call, Matcher, Plain
from testbench.recorders._dates import install_dates
from testbench.recorders._moments import install_moments
from testbench.recorders._still import StillWaits
from testbench.recorders._uuids import install_uuids
from testbench.recorders._virtual import VirtualClock

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
    """

    kind = "clock"
    version = 1
    matchers: Mapping[str, Matcher] = {}

    def __init__(self, virtual: VirtualClock | None = None) -> None:
        self._virtual = virtual
        self._doors: dict[str, Callable[..., Any]] = {}

    @contextmanager
    def install(self, call: Call) -> Iterator[None]:
        """Send every read and every sleep through ``call``; see `testbench.protocol.Recorder`.

        Raises:
            UnsupportedError: functions cannot be redirected on this interpreter.
            UsageError: this recorder is installed already, or something else was redirected over it and not restored.
        """
        if self._doors:
            raise UsageError("this clock recorder is installed already; make a new Clock for each session.")
        with ExitStack() as stack:
            stack.callback(self._doors.clear)
            for function in FACES:
                self._install_face(call, stack, function)
            install_dates(call, stack, self._virtual)
            install_uuids(call, stack, self._virtual)
            waits = StillWaits(self._virtual) if self._virtual is not None and self._virtual.still else None
            self._doors["sleep"] = install_moments(call, stack, self._virtual, waits)
            if self._virtual is not None and waits is not None:
                from testbench.recorders._waits import install_waits  # it needs modules that only CPython has

                install_waits(stack, self._virtual, waits)
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
        stack.callback(redirect.restore)

        def bind(reader: Callable[[], Plain]) -> None:
            self._doors[name] = reader
            redirect.to(reader)

        face = None if self._virtual is None else self._virtual.face(name)
        call.source(name, face or redirect.original, bind)
