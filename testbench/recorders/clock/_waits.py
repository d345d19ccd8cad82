"""Waiting on a still clock for what is inside the program: who waits for a lock, a queue or a thread sees it move.

Without this, ``queue.get(timeout=1)`` would wait, look at a clock that stands still, and wait again for ever. A wait
that ends early, because what it waited for came, does not move the clock: how early is what differs from run to run.
How time moves is told in `testbench.recorders.clock._still`.

A wait without a timeout is looked at only where there is one lane; with several, the session knows who waits for whom.
"""

from __future__ import annotations

import _queue
import _thread
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final, cast

from testbench.errors import RecordingError
from testbench.inplace import TypeSlot, real
from testbench.protocol import Call, Plain
from testbench.recorders._timed import TIMED, Timed
from testbench.recorders.clock._still import StillWaits

_LOCK: Final = _thread.LockType


def install_waits(call: Call, stack: ExitStack, waits: StillWaits) -> None:
    """Let waits move the still clock until the stack unwinds."""
    for timed in TIMED:
        slot = TypeSlot(timed.owner, timed.name)
        stack.push(slot)
        slot.to(_moving(call, timed, slot.original, waits))
    for name in ("__enter__", "acquire_lock"):
        slot = TypeSlot(_LOCK, name)
        stack.push(slot)
        slot.to(_entering(call, slot.original, waits))


@contextmanager
def reporting(call: Call, what: str) -> Iterator[None]:
    """Let the report of a wait that never ends break the recording, also where no crossing is under way."""
    try:
        yield
    except RecordingError as error:
        never = error

        def effect() -> Plain:
            raise never

        call("wait", {"for": what}, effect)


def _moving(call: Call, timed: Timed, original: Callable[..., Any], waits: StillWaits) -> Callable[..., Any]:
    try_once = _TRIES.get((timed.owner, timed.name))

    def waiting(*args: Any, **options: Any) -> Any:
        if try_once is not None and args and timed.is_endless(args, options):
            return _for_ever(call, original, try_once, args, waits)
        if timed.is_short(args, options):
            return original(*args)
        seconds = timed.seconds(args, options)
        if seconds is None or waits.is_foreign():
            return original(*args, **options)
        answer: Any = None

        def attempt(slice_s: float) -> bool:
            nonlocal answer
            came, answer = timed.perform(original, args[0], slice_s)
            return came

        return answer if waits.wait(waits.past(seconds), attempt) else timed.expired()

    waiting.__name__ = timed.name
    return waiting


def _entering(call: Call, original: Callable[..., Any], waits: StillWaits) -> Callable[..., Any]:
    acquire = _LOCK.acquire if original.__name__ == "__enter__" else original

    def entering(lock: Any, *args: Any, **options: Any) -> Any:
        if args or options:
            return original(lock, *args, **options)
        return _for_ever(call, original, lambda _, lock: _try_lock(acquire, lock), (lock,), waits)

    entering.__name__ = original.__name__
    return entering


def _for_ever(
    call: Call, original: Callable[..., Any], try_once: Callable[..., Any], args: tuple[Any, ...], waits: StillWaits
) -> Any:
    """Wait without a timeout."""
    got = try_once(original, args[0])
    if got is not None:
        return got[0]
    if waits.is_foreign() or not call.alone():
        return original(*args)

    def attempt(slice_s: float) -> bool:
        nonlocal got
        got = try_once(original, args[0])
        if got is None and slice_s:
            real.sleep(slice_s)  # a handler of a signal may end the wait meanwhile
        return got is not None

    what = f"a {type(args[0]).__name__}"
    with reporting(call, what):
        waits.wait_for_ever(attempt, what)
    return cast("tuple[Any]", got)[0]


def _try_lock(original: Callable[..., Any], lock: Any) -> tuple[Any] | None:
    return (True,) if original(lock, False) else None


def _try_queue(original: Callable[..., Any], queue: Any) -> tuple[Any] | None:
    try:
        return (original(queue, False),)
    except _queue.Empty:
        return None


_TRIES: Final[dict[tuple[type, str], Callable[..., Any]]] = {
    (_LOCK, "acquire"): _try_lock,
    (_queue.SimpleQueue, "get"): _try_queue,
}
"""What only another lane brings, and how to look for it."""
