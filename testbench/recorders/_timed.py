"""The waits with a timeout that all others of the standard library are made of: one table for whoever redirects them.

Locks are what ``Condition``, ``Event``, ``Semaphore``, ``Barrier``, ``Queue``, ``Future``, ``Timer``, ``Thread.join``
wait for (on 3.13 a thread has a way of its own to be joined); ``SimpleQueue`` waits in C.
"""

from __future__ import annotations

import _queue
import _thread
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from testbench.timeouts import FOR_EVER, JOIN, LOCK, QUEUE, Asking

Performed = tuple[bool, Any]
"""Whether what was waited for came, and what the method returns."""


@attrs.frozen
class Timed:
    """One method that waits.

    Attributes:
        owner, name: the type and its method.
        asking: how it is told how long.
        perform: waits, given (original method, self, seconds).
        expired: what the program sees when the time has run out; it may raise.
    """

    owner: type
    name: str
    asking: Asking
    perform: Callable[[Callable[..., Any], Any, float], Performed]
    expired: Callable[[], Any]

    def seconds(self, args: tuple[Any, ...], options: Mapping[str, Any]) -> float | None:
        """Return the timeout of a call, self included; None where there is none, or the method refuses it."""
        seconds = self.asking.seconds(args[1:], options)
        return None if seconds is None or seconds <= 0 else float(seconds)

    def is_endless(self, args: tuple[Any, ...], options: Mapping[str, Any]) -> bool:
        """Tell whether a call, self included, says that it waits for ever."""
        return self.asking.seconds(args[1:], options) == FOR_EVER

    def is_short(self, args: tuple[Any, ...], options: Mapping[str, Any]) -> bool:
        """Tell whether a call, self included, is too short to have a timeout: nearly all are."""
        return not options and len(args) <= len(self.asking.names)


def _acquire(original: Callable[..., Any], lock: Any, seconds: float) -> Performed:
    got = original(lock, True, seconds)
    return got, got


def _get(original: Callable[..., Any], waiting: Any, seconds: float) -> Performed:
    try:
        return True, original(waiting, True, seconds)
    except _queue.Empty:
        return False, None


def _join(original: Callable[..., Any], handle: Any, seconds: float) -> Performed:
    original(handle, seconds)
    return handle.is_done(), None


def _raise_empty() -> None:
    raise _queue.Empty


TIMED: Final = [
    Timed(type(_thread.allocate_lock()), "acquire", LOCK, _acquire, lambda: False),
    Timed(_thread.RLock, "acquire", LOCK, _acquire, lambda: False),
    Timed(_queue.SimpleQueue, "get", QUEUE, _get, _raise_empty),
]
if hasattr(_thread, "_ThreadHandle"):  # CPython 3.13; before, a thread is joined by a lock
    TIMED.append(Timed(_thread._ThreadHandle, "join", JOIN, _join, lambda: None))
