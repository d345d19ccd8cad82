"""Waiting with a timeout on a still clock: who waits for a lock, a queue, a thread or descriptors sees the clock move.

Without this, ``queue.get(timeout=1)`` or an event loop with a timer would wait, look at a clock that stands still, and
wait again for ever. A wait that ends early, because what it waited for came, does not move the clock: how early is what
differs from run to run. How time moves is told in `testbench.recorders.clock._still`.

``select`` and ``epoll`` take no time either where nothing outside of the process can make a descriptor ready: none is
watched, or only that by which asyncio wakes itself. Else they wait really, and the clock moves when the time has run
out. Not covered are the timeouts of sockets and ``select.poll`` objects.
"""

from __future__ import annotations

import math
import select
import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from testbench.inplace import Redirect, TypeSlot
from testbench.recorders._timed import TIMED, Timed
from testbench.recorders.clock._still import StillWaits
from testbench.recorders.clock._virtual import VirtualClock


def install_waits(stack: ExitStack, virtual: VirtualClock, waits: StillWaits) -> None:
    """Let waits move the still clock until the stack unwinds."""
    for timed in TIMED:
        slot = TypeSlot(timed.owner, timed.name)
        stack.callback(slot.restore)
        slot.to(_moving(timed, slot.original, waits))
    polling = TypeSlot(select.epoll, "poll")
    stack.callback(polling.restore)
    polling.to(_polling(polling.original, virtual, waits))
    selecting = Redirect(select.select)
    stack.callback(selecting.restore)
    selecting.to(_selecting(selecting.original, virtual, waits))


def _moving(timed: Timed, original: Callable[..., Any], waits: StillWaits) -> Callable[..., Any]:
    place = timed.place

    def waiting(*args: Any, **options: Any) -> Any:
        if len(args) <= place and not options:
            return original(*args)
        seconds = timed.seconds(args, options)
        if seconds is None or waits.is_foreign():
            return original(*args, **options)
        answer: Any = None

        def attempt(slice_s: float) -> bool:
            nonlocal answer
            came, answer = timed.perform(original, args[0], slice_s)
            return came

        return answer if waits.wait(_ns(seconds), attempt) else timed.expired()

    waiting.__name__ = timed.name
    return waiting


def _polling(original: Callable[..., Any], virtual: VirtualClock, waits: StillWaits) -> Callable[..., Any]:
    def poll(epoll: Any, *args: Any, **options: Any) -> Any:
        asked = args[0] if args else options.get("timeout")
        if asked is None or not _is_positive(asked) or waits.is_foreign():
            return original(epoll, *args, **options)
        more = args[1:] if args else tuple(value for name, value in options.items() if name != "timeout")
        return _ready(lambda seconds: original(epoll, seconds, *more), asked, _wakes_itself(epoll), virtual, waits)

    return poll


def _selecting(original: Callable[..., Any], virtual: VirtualClock, waits: StillWaits) -> Callable[..., Any]:
    def selecting(*args: Any) -> Any:
        if len(args) != 4 or not _is_positive(args[3]) or waits.is_foreign():
            return original(*args)
        nothing = not any(isinstance(watched, list | tuple) and watched for watched in args[:3])
        return _ready(lambda seconds: original(*args[:3], seconds), args[3], nothing, virtual, waits)

    return selecting


def _ready(
    look: Callable[[float], Any], seconds: float, is_ours: bool, virtual: VirtualClock, waits: StillWaits
) -> Any:
    """Wait for descriptors, for no time where all that can happen happens in this process."""
    answer = look(0 if is_ours else seconds)

    def attempt(slice_s: float) -> bool:
        nonlocal answer
        answer = look(slice_s)
        return _any_of(answer)

    # An event loop takes a timer for due only after its time, which a double of a late hour cannot tell from it.
    ns = _ns(seconds + math.ulp(virtual.monotonic_ns() / 1_000_000_000 + seconds))
    if is_ours and not _any_of(answer):
        waits.wait(ns, attempt)
    elif not _any_of(answer):
        virtual.advance(ns)
    return answer


def _any_of(answer: Any) -> bool:
    return any(answer) if isinstance(answer, tuple) else bool(answer)


def _wakes_itself(epoll: Any) -> bool:
    """Tell whether an epoll is that of the running event loop, and watches only what the loop wakes itself by."""
    events = sys.modules.get("asyncio.events")
    loop = None if events is None else events._get_running_loop()
    selector = getattr(loop, "_selector", None)
    if getattr(selector, "_selector", None) is not epoll:
        return False
    return {*selector.get_map()} <= {loop._ssock.fileno()}  # type: ignore[union-attr]  # asyncio's own, since 3.4


def _is_positive(seconds: Any) -> bool:
    return isinstance(seconds, int | float) and seconds > 0


def _ns(seconds: float) -> int:
    return math.ceil(seconds * 1_000_000_000)
