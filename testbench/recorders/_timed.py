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

Performed = tuple[bool, Any]
"""Whether what was waited for came, and what the method returns."""


@attrs.frozen
class Timed:
    """One method that waits.

    Attributes:
        owner, name: the type and its method.
        place: where the timeout stands among the arguments, self included; its keyword is ``timeout``. In front of it,
            unless that is self, stands whether to wait at all; its keyword is ``block``, or ``blocking``.
        perform: waits, given (original method, self, seconds).
        expired: what the program sees when the time has run out; it may raise.
    """

    owner: type
    name: str
    place: int
    perform: Callable[[Callable[..., Any], Any, float], Performed]
    expired: Callable[[], Any]

    def seconds(self, args: tuple[Any, ...], options: Mapping[str, Any]) -> float | None:
        """Return the timeout of a call; None where there is none, or the method refuses it."""
        place = self.place
        asked = args[place] if len(args) > place else options.get("timeout")
        if asked is None or (place > 1 and not self._blocks(args, options)):
            return None
        try:
            seconds = float(asked)
        except (TypeError, ValueError, OverflowError):
            return None
        return seconds if 0 < seconds <= _thread.TIMEOUT_MAX else None

    def is_endless(self, args: tuple[Any, ...], options: Mapping[str, Any]) -> bool:
        """Tell whether a call says no more than that it waits."""
        return not options and len(args) <= self.place and (len(args) < 2 or bool(args[1]))

    def _blocks(self, args: tuple[Any, ...], options: Mapping[str, Any]) -> bool:
        return bool(args[1] if len(args) > 1 else options.get("blocking", options.get("block", True)))


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
    Timed(type(_thread.allocate_lock()), "acquire", 2, _acquire, lambda: False),
    Timed(_thread.RLock, "acquire", 2, _acquire, lambda: False),
    Timed(_queue.SimpleQueue, "get", 2, _get, _raise_empty),
]
if hasattr(_thread, "_ThreadHandle"):  # CPython 3.13; before, a thread is joined by a lock
    TIMED.append(Timed(_thread._ThreadHandle, "join", 1, _join, lambda: None))
