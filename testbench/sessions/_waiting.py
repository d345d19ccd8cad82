"""Locks and queues of the program: a lane that has to wait for one gives up the baton, and is let go on in its turn.

Redirected are the types that all waiting of `threading`, `queue`, `concurrent.futures` and `asyncio` between threads is
made of: ``_thread.lock``, ``_thread.RLock``, ``_queue.SimpleQueue``, and the end of a thread. What is free is taken at
once, as ever. What is not is never waited for in the operating system, where it would go to whoever is first; a lane is
woken when it is released, in the order of coming, and tries again with the baton in its hand. So locks need no events,
but for one thing: that the time for waiting has run out, ``lane.expired``.

While there is one lane, and for threads that are none, everything is as it was.
"""

from __future__ import annotations

import _queue
import _thread
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final, Protocol

from testbench.errors import TestbenchError
from testbench.inplace import Redirect, TypeSlot, real, threads
from testbench.sessions._baton import Baton
from testbench.sessions._lanes import Lane, Lanes
from testbench.sessions._vigil import EXPIRED

_LOCK: Final = _thread.LockType
_NOT_YET: Final = object()

RAN_OUT: Final = "lane.expired"
"""The event of a lane whose time for waiting has run out."""

_PATIENCE_S: Final = 0.5
"""How long a lane waits for a lock after a replay has failed."""

_LOOK_S: Final = 0.005

_MOMENT_S: Final = 0.002
_REMEMBERED: Final = 1024  # threads that have ended and were not joined


Free = Callable[[Any], Callable[[], bool]]


class Clock(Protocol):
    """The mode, as far as it has to do with time that has run out."""

    def expired(self, lane: Lane, timeout_s: float) -> None:
        """Make it an event that the time has run out; the lane holds the baton."""

    def leave(self, lane: Lane) -> None:
        """Leave our own code."""

    def stalled(self, lane: Lane) -> None:
        """Give up a wait that nothing can end: raises."""

    def failed(self) -> TestbenchError | None:
        """Return what a replay has failed of that is not over yet: what a lane waits for may never come."""

    def in_vain(self) -> bool:
        """Tell whether it has because no lane could go on: whoever waited then did so in vain."""


class Waiting:
    """What waits for locks in one session.

    Args:
        lanes: the lanes of the session.
        baton: who runs.
        clock: what happens when time runs out.
        endless: whether the only lane there is may wait for ever; if not, that is found like any standstill.
    """

    def __init__(self, lanes: Lanes, baton: Baton, clock: Clock, *, endless: bool) -> None:
        self._lanes = lanes
        self._baton = baton
        self._clock = clock
        self._endless = endless
        # What ends with a thread whose lane has ended, by its id, and the lane: it is free in a moment.
        self._ended: dict[int, tuple[Any, Lane]] = {}

    def install(self, stack: ExitStack) -> None:
        """Redirect the methods until the stack is closed."""
        acquire, release = self._slot(stack, _LOCK, "acquire"), self._slot(stack, _LOCK, "release")
        locking, unlocking = self._acquiring(acquire.original, _unlocked), self._releasing(release.original)
        acquire.to(locking)
        release.to(unlocking)
        self._slot(stack, _LOCK, "acquire_lock").to(locking)
        self._slot(stack, _LOCK, "release_lock").to(unlocking)
        self._slot(stack, _LOCK, "__enter__").to(locking)
        self._slot(stack, _LOCK, "__exit__").to(self._leaving(release.original))
        self._install_reentrant(stack)
        self._install_queue(stack)
        self._install_ends(stack)

    def ended(self, lane: Lane) -> None:
        """Be told that a lane has ended: what its thread holds to the end is free in a moment."""
        for thing in lane.ends:
            self._ended[id(thing)] = thing, lane
            self._baton.wake(id(thing), everybody=True)
        while len(self._ended) > _REMEMBERED:
            self._ended.pop(next(iter(self._ended)), None)

    # What stands in the types.

    def _acquiring(self, original: Callable[..., Any], free: Free) -> Callable[..., Any]:
        lanes, endless = self._lanes, self._endless

        def acquire(lock: Any, *args: Any, **options: Any) -> Any:
            if lanes.single:
                if endless:
                    return original(lock, *args, **options)
                if not (args or options) and original(lock, False):
                    return True
            lane = self._waits()
            if lane is None:
                return original(lock, *args, **options)
            blocking, timeout = _read(*args, **options)
            if blocking is None:
                return original(lock, *args, **options)  # raises

            def attempt() -> Any:
                ended = self._ended.pop(id(lock), None)
                got = original(lock, False) if ended is None else _take_soon(original, lock, ended[1])
                return True if got else _NOT_YET

            got = attempt()
            if got is not _NOT_YET:
                return got
            if not blocking or timeout == 0:
                return False
            got = self._wait(lane, lock, attempt, timeout, free(lock))
            return original(lock, *args, **options) if got is _NOT_YET and self._baton.over else got is True

        return acquire

    def _releasing(self, original: Callable[..., Any]) -> Callable[..., Any]:
        wake = self._baton.wake

        def release(lock: Any) -> None:
            original(lock)
            wake(id(lock))

        return release

    def _leaving(self, original: Callable[..., Any]) -> Callable[..., Any]:
        wake = self._baton.wake

        def leave(lock: Any, *error: Any) -> None:
            original(lock)
            wake(id(lock))

        return leave

    def _install_reentrant(self, stack: ExitStack) -> None:
        slots = {name: self._slot(stack, _thread.RLock, name) for name in _REENTRANT}
        original = {name: slot.original for name, slot in slots.items()}
        locking = self._acquiring(original["acquire"], _unowned)
        unlocking = self._releasing(original["release"])
        wake, lanes = self._baton.wake, self._lanes

        def save(lock: Any) -> Any:
            state = original["_release_save"](lock)
            wake(id(lock))
            return state

        def restore(lock: Any, state: Any) -> None:
            if not lanes.single and self._waits() is not None:
                locking(lock)
                original["release"](lock)
            original["_acquire_restore"](lock, state)

        slots["acquire"].to(locking)
        slots["__enter__"].to(locking)
        slots["release"].to(unlocking)
        slots["__exit__"].to(self._leaving(original["release"]))
        slots["_release_save"].to(save)
        slots["_acquire_restore"].to(restore)

    def _install_queue(self, stack: ExitStack) -> None:
        get = self._slot(stack, _queue.SimpleQueue, "get")
        wake, lanes = self._baton.wake, self._lanes

        def getting(queue: Any, *args: Any, **options: Any) -> Any:
            if (lanes.single and self._endless) or (lane := self._waits()) is None:
                return get.original(queue, *args, **options)
            blocking, timeout = _read(*args, **{_SAME.get(name, name): value for name, value in options.items()})
            given = options.get("timeout", args[1] if len(args) > 1 else None)
            if not blocking or timeout == 0 or (given is not None and timeout < 0):
                return get.original(queue, *args, **options)

            def attempt() -> Any:
                try:
                    return get.original(queue, False)
                except _queue.Empty:
                    return _NOT_YET

            got = attempt()
            if got is _NOT_YET:
                got = self._wait(lane, queue, attempt, timeout, lambda: not queue.empty())
            if got is _NOT_YET:
                if self._baton.over:
                    return get.original(queue, *args, **options)
                raise _queue.Empty
            return got

        get.to(getting)
        for name in ("put", "put_nowait"):
            put = self._slot(stack, _queue.SimpleQueue, name)
            put.to(_putting(put.original, wake))

    def _install_ends(self, stack: ExitStack) -> None:
        if hasattr(_thread, "_set_sentinel"):  # up to CPython 3.12: a lock that C code releases when the thread ends
            sentinel = Redirect(_thread._set_sentinel)

            def set_sentinel() -> Any:
                lock, lane = sentinel.original(), self._lanes.known()
                if lane is not None:
                    lane.ends.append(lock)
                return lock

            stack.push(sentinel)
            sentinel.to(set_sentinel)
        if hasattr(_thread, "_ThreadHandle"):  # since CPython 3.13
            join = self._slot(stack, _thread._ThreadHandle, "join")

            def joining(handle: Any, timeout: Any = None) -> Any:
                if handle.is_done() or (lane := self._waits()) is None:
                    return join.original(handle, timeout)
                join.original(handle, 0)  # raises for the running thread, and for one that was never started

                def attempt() -> Any:
                    soon_done = self._ended.pop(id(handle), None) is not None
                    return join.original(handle) if soon_done or handle.is_done() else _NOT_YET

                seconds = _seconds(timeout)
                if attempt() is _NOT_YET and self._wait(lane, handle, attempt, seconds, handle.is_done) is _NOT_YET:
                    return join.original(handle, timeout if self._baton.over else 0)
                return None

            join.to(joining)
            done = self._slot(stack, _thread._ThreadHandle, "is_done")

            def is_done(handle: Any) -> Any:
                if self._ended.pop(id(handle), None) is not None:
                    join.original(handle)  # its lane has ended, and so is it in a moment
                return done.original(handle)

            done.to(is_done)

    # Waiting.

    def _waits(self) -> Lane | None:
        """Return the running lane, with the baton in its hand; None for what shall wait as it always did."""
        lane = self._lanes.known()
        if lane is None or lane.depth:
            return None
        if self._baton.over:
            return None if self._clock.failed() is None else lane
        if self._baton.holder is not lane:
            lane.depth = 1
            try:
                self._baton.come_back(lane)
            finally:
                self._clock.leave(lane)
        return lane

    def _wait(
        self, lane: Lane, thing: Any, attempt: Callable[[], Any], timeout_s: float, free: Callable[[], bool]
    ) -> Any:
        """Wait until an attempt succeeds; give what it gave, or that it has not yet."""
        lane.depth = 1
        left = None if timeout_s < 0 else timeout_s
        try:
            late = self._baton.over
            while not self._baton.over:
                by = self._baton.sleep(lane, id(thing), left, free, thing)
                if by is None:
                    self._clock.stalled(lane)
                if by == EXPIRED:
                    self._clock.expired(lane, timeout_s)
                    return _NOT_YET
                got = attempt()
                if got is not _NOT_YET:
                    return got
            return self._wait_briefly(attempt, 0 if self._clock.in_vain() and not late else left)
        finally:
            self._clock.leave(lane)

    def _wait_briefly(self, attempt: Callable[[], Any], left_s: float | None) -> Any:
        """Wait after a replay has failed: whoever leaves what it was doing may still let go of things, for a while.

        Raises:
            DivergenceError: what the replay has failed of.
        """
        until_ns = real.monotonic_ns() + int(min(_PATIENCE_S if left_s is None else left_s, _PATIENCE_S) * 1e9)
        while True:
            failure, got = self._clock.failed(), attempt()
            if failure is None or got is not _NOT_YET:
                return got
            if real.monotonic_ns() >= until_ns:
                if left_s is not None and 0 < left_s <= _PATIENCE_S:
                    return _NOT_YET
                raise failure
            real.sleep(_LOOK_S)

    def _slot(self, stack: ExitStack, owner: Any, name: str) -> TypeSlot:
        slot = TypeSlot(owner, name)
        stack.push(slot)
        return slot


_REENTRANT: Final = ("acquire", "release", "__enter__", "__exit__", "_release_save", "_acquire_restore")
_describe: Final = _thread.RLock.__repr__
_SAME: Final = {"block": "blocking"}


def _take_soon(original: Callable[..., Any], lock: Any, lane: Lane) -> bool:
    """Acquire a lock that is released when a thread ends, in a moment; unless the program has got hold of it before."""
    while not original(lock, True, _MOMENT_S):
        if threads.read(str(lane.native_id), "stat") is None:
            return bool(original(lock, False))
    return True


def _unlocked(lock: Any) -> Callable[[], bool]:
    return lambda: not real.locked(lock)


def _unowned(lock: Any) -> Callable[[], bool]:
    return lambda: _describe(lock).startswith("<unlocked")  # nothing else tells without taking it, up to CPython 3.13


def _putting(original: Callable[..., Any], wake: Callable[[int], None]) -> Callable[..., Any]:
    def put(queue: Any, *args: Any, **options: Any) -> None:
        original(queue, *args, **options)
        wake(id(queue))

    return put


def _read(blocking: Any = True, timeout: Any = -1, **strange: Any) -> tuple[bool | None, float]:
    """Return whether to block and for how many seconds, -1 for ever; None for what the original refuses."""
    try:
        seconds = _seconds(timeout)
    except (TypeError, ValueError):
        return None, 0
    never = timeout in (-1, None)
    if strange or (not never and not (blocking and 0 <= seconds <= _thread.TIMEOUT_MAX)):
        return None, 0
    return bool(blocking), seconds


def _seconds(timeout: Any) -> float:
    return -1 if timeout is None else float(timeout)
