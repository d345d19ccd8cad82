"""Waiting on a still clock for descriptors: ``select``, ``poll`` and ``epoll``, and with them `selectors` and asyncio.

It takes no time where all that can make them ready happens in this process (`testbench.recorders.clock._within`), or
none is watched. Else it is a real wait, and the clock moves when its time has run out.
"""

from __future__ import annotations

import operator
import select
import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any, Final

import attrs

from testbench.inplace import Redirect, TypeSlot, real
from testbench.protocol import Call
from testbench.recorders.clock._still import StillWaits
from testbench.recorders.clock._virtual import VirtualClock
from testbench.recorders.clock._waits import reporting
from testbench.recorders.clock._within import Within

_POLL_TYPE: Final = type(select.poll())

_DAY_S: Final = 86_400
"""``MAXIMUM_SELECT_TIMEOUT`` of asyncio (``base_events.py``)."""

_AGES_S: Final = 1e12
"""30,000 years: no calendar of Python goes so far."""


class Readiness:
    """What the program waits for by descriptors, on one still clock."""

    def __init__(self, call: Call, virtual: VirtualClock, waits: StillWaits, within: Within) -> None:
        self._call = call
        self._virtual = virtual
        self._waits = waits
        self._within = within
        self._registered: dict[int, set[int]] = {}  # what each poll object watches, by its id

    def install(self, stack: ExitStack) -> None:
        """Let such waits move the clock until the stack unwinds."""
        functions: list[tuple[Callable[..., Any], Callable[..., Any]]]
        functions = [(select.select, self._select), (select.poll, self._new_poll)]
        for function, body in functions:
            redirect = Redirect(function)
            stack.push(redirect)
            redirect.to(_bound(body, redirect.original))
        methods: list[tuple[type, str, Callable[..., Any]]]
        methods = [(select.epoll, "poll", self._epoll), (_POLL_TYPE, "poll", self._poll)]
        methods += [(_POLL_TYPE, name, self._register) for name in ("register", "unregister")]
        for owner, name, method in methods:
            slot = TypeSlot(owner, name)
            stack.push(slot)
            slot.to(_bound(method, slot.original))

    def _select(self, original: Callable[..., Any], *args: Any) -> Any:
        seconds, asks = _SELECT.read(args[3] if len(args) > 3 else None)
        if not asks or not 3 <= len(args) <= 4 or self._waits.is_foreign():
            return original(*args)
        lists = [list(watched) for watched in args[:3]]
        fds = [_fileno(thing) for watched in lists for thing in watched]

        def look(slice_s: float | None) -> Any:
            return original(*lists, slice_s)

        return self._wait(look, seconds, lambda: self._within.holds(fds))

    def _epoll(self, original: Callable[..., Any], epoll: Any, *args: Any, **options: Any) -> Any:
        seconds, asks = _EPOLL.read(args[0] if args else options.get("timeout"))
        if not asks or self._waits.is_foreign():
            return original(epoll, *args, **options)
        more = args[1:] if args else tuple(value for name, value in options.items() if name != "timeout")

        def is_ours() -> bool:
            return _wakes_itself(epoll) or self._within.holds(_watched(epoll.fileno()))

        return self._wait(lambda slice_s: original(epoll, slice_s, *more), seconds, is_ours)

    def _poll(self, original: Callable[..., Any], poll: Any, *args: Any) -> Any:
        seconds, asks = _POLL.read(args[0] if args else None)
        registered = self._registered.get(id(poll))
        if not asks or len(args) > 1 or registered is None or self._waits.is_foreign():
            return original(poll, *args)

        def look(slice_s: float | None) -> Any:
            return original(poll, None if slice_s is None else slice_s * 1000)

        return self._wait(look, seconds, lambda: self._within.holds(registered))

    def _wait(self, look: Callable[[float | None], Any], seconds: float | None, is_ours: Callable[[], bool]) -> Any:
        """Wait for descriptors, for no time where all that can happen happens in this process."""
        answer = look(0)
        if seconds is not None and _sleeps_for_ever(seconds, self._virtual.monotonic_ns()):
            seconds = None

        def attempt(slice_s: float) -> bool:
            nonlocal answer
            answer = look(slice_s)
            return _any_of(answer)

        if _any_of(answer):
            return answer
        if not is_ours():
            answer = look(seconds)
            if seconds is not None and not _any_of(answer):
                self._virtual.elapse(seconds)
        elif seconds is None:
            what = "descriptors that nobody else makes ready"
            with reporting(self._call, what):
                self._waits.wait_for_ever(attempt, what)
        else:
            self._waits.wait(self._waits.past(seconds), attempt)
        return answer

    def _new_poll(self, original: Callable[..., Any]) -> Any:
        poll = original()
        self._registered[id(poll)] = set()
        return poll

    def _register(self, original: Callable[..., Any], poll: Any, *args: Any) -> Any:
        answer = original(poll, *args)
        registered = self._registered.get(id(poll))
        if registered is not None and args:
            change = registered.discard if original.__name__ == "unregister" else registered.add
            change(_fileno(args[0]))
        return answer


def _bound(body: Callable[..., Any], original: Callable[..., Any]) -> Callable[..., Any]:
    def called(*args: Any, **options: Any) -> Any:
        return body(original, *args, **options)

    called.__name__ = original.__name__
    return called


@attrs.frozen
class _Form:
    """How a function takes its timeout: its unit, the longest it accepts, and whether below 0 means for ever."""

    unit_s: float
    longest_s: float
    has_negative: bool

    def read(self, asked: Any) -> tuple[float | None, bool]:
        """Return seconds, None for ever; and whether there is anything to wait for, and it is not refused."""
        if asked is None:
            return None, True
        try:
            given = asked if isinstance(asked, float) else operator.index(asked)
        except TypeError:
            return None, False
        if given < 0:
            return None, self.has_negative
        if 0 < given <= self.longest_s / self.unit_s:
            return given * self.unit_s, True
        return None, False  # NaN too


_SELECT: Final = _Form(1, (2**63 - 1) / 1e9, has_negative=False)  # ``_PyTime_t`` of CPython (``Python/pytime.c``)
_EPOLL: Final = _Form(1, (2**31 - 1) / 1e3, has_negative=True)  # an int of milliseconds (epoll_wait(2))
_POLL: Final = _Form(1e-3, (2**31 - 1) / 1e3, has_negative=True)  # poll(2)


def _any_of(answer: Any) -> bool:
    return any(answer) if isinstance(answer, tuple) else bool(answer)


def _fileno(thing: Any) -> int:
    return operator.index(thing if isinstance(thing, int) else thing.fileno())


def _loop() -> Any:
    events = sys.modules.get("asyncio.events")
    return None if events is None else events._get_running_loop()


def _sleeps_for_ever(seconds: float, now_ns: int) -> bool:
    """Tell whether the running event loop asks for a day because it never asks for more, and its next timer is never.

    ``asyncio.sleep(math.inf)`` is how programs sleep until they are cancelled.
    """
    timers: Any = getattr(_loop(), "_scheduled", None) if seconds >= _DAY_S else None
    return bool(timers) and timers[0].when() - now_ns / 1e9 > _AGES_S


def _wakes_itself(epoll: Any) -> bool:
    """Tell whether an epoll is that of the running event loop, and watches only what the loop wakes itself by."""
    loop = _loop()
    selector = getattr(loop, "_selector", None)
    if getattr(selector, "_selector", None) is not epoll:
        return False
    return {*selector.get_map()} <= {loop._ssock.fileno()}  # type: ignore[union-attr]  # asyncio's own, since 3.4


def _watched(fd: int) -> Iterable[int]:
    """Return what the kernel says an epoll descriptor watches (proc(5), ``/proc/pid/fdinfo``)."""
    info = real.open(f"/proc/self/fdinfo/{fd}", 0)
    try:
        lines = b"".join(iter(lambda: real.read(info, 65_536), b"")).splitlines()
    finally:
        real.close(info)
    return [int(line.split()[1]) for line in lines if line.startswith(b"tfd:")]
