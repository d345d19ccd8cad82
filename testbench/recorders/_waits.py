"""Waiting with a timeout on a still clock: the wait is real, and when it runs out the clock has moved by its length.

Without this, ``queue.get(timeout=1)`` or an event loop with a timer would wait, look at a clock that stands still, and
wait again for ever. A wait that ends early, because what it waited for came, does not move the clock: how early is what
differs from run to run.

Covered are the waits that all others of the standard library are made of: locks (``Condition``, ``Event``, ``Queue``,
``Future``, ``Timer``), ``SimpleQueue``, joining a thread, ``select`` and ``epoll`` (asyncio). Not covered are the
timeouts of sockets and ``select.poll`` objects, and a loop that only looks at the clock until it is late.
"""

from __future__ import annotations

import _queue
import _thread
import math
import select
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final

import attrs

from testbench.inplace import Redirect, TypeSlot
from testbench.recorders._virtual import VirtualClock


@attrs.frozen
class _Wait:
    """One way to wait.

    Attributes:
        owner, name: the type and its method.
        place: where the timeout stands among the arguments, self included; its keyword is ``timeout``.
        expired: tells from (self, answer) whether it ran out.
    """

    owner: type
    name: str
    place: int
    expired: Callable[[Any, Any], bool]


_WAITS: Final = [
    _Wait(type(_thread.allocate_lock()), "acquire", 2, lambda lock, got: not got),
    _Wait(type(_thread.RLock()), "acquire", 2, lambda lock, got: not got),
    _Wait(select.epoll, "poll", 1, lambda epoll, ready: not ready),
]
if hasattr(_thread, "_ThreadHandle"):  # CPython 3.13; before, a thread is joined by a lock
    _WAITS.append(_Wait(_thread._ThreadHandle, "join", 1, lambda handle, _: not handle.is_done()))


def install_waits(stack: ExitStack, virtual: VirtualClock) -> None:
    """Let waits move the still clock until the stack unwinds."""
    for wait in _WAITS:
        slot = TypeSlot(wait.owner, wait.name)
        stack.callback(slot.restore)
        slot.to(_moving(wait, slot.original, virtual))
    get = TypeSlot(_queue.SimpleQueue, "get")
    stack.callback(get.restore)
    get.to(_getting(get.original, virtual))
    selecting = Redirect(select.select)
    stack.callback(selecting.restore)
    selecting.to(_selecting(selecting.original, virtual))


def _moving(wait: _Wait, original: Callable[..., Any], virtual: VirtualClock) -> Callable[..., Any]:
    place, expired = wait.place, wait.expired

    def waiting(*args: Any, **options: Any) -> Any:
        answer = original(*args, **options)
        if (len(args) > place or options) and expired(args[0], answer):
            _move(virtual, args[place] if len(args) > place else options.get("timeout"))
        return answer

    waiting.__name__ = wait.name
    return waiting


def _getting(original: Callable[..., Any], virtual: VirtualClock) -> Callable[..., Any]:
    def get(*args: Any, **options: Any) -> Any:
        try:
            return original(*args, **options)
        except _queue.Empty:
            block = args[1] if len(args) > 1 else options.get("block", True)
            _move(virtual, (args[2] if len(args) > 2 else options.get("timeout")) if block else None)
            raise

    return get


def _selecting(original: Callable[..., Any], virtual: VirtualClock) -> Callable[..., Any]:
    def selecting(*args: Any) -> Any:
        ready = original(*args)
        if len(args) == 4 and ready == ([], [], []):
            _move(virtual, args[3])
        return ready

    return selecting


def _move(virtual: VirtualClock, seconds: float | None) -> None:
    """Move the clock by a timeout; None and negative ones mean that there was none."""
    if seconds is not None and seconds > 0:
        virtual.advance(math.ceil(seconds * 1_000_000_000))
