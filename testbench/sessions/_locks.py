"""Locks and queues of the program: what stands in their types while a session is open.

Redirected are the types that all waiting of `threading`, `queue`, `concurrent.futures` and `asyncio` between threads is
made of: ``_thread.lock``, ``_thread.RLock``, ``_queue.SimpleQueue``, and the end of a thread. What is free is taken at
once, as ever. What is not is never waited for in the operating system, where it would go to whoever is first, but as
`testbench.sessions._waiting` says.

While there is one lane, and for threads that are none, everything is as it was.
"""

from __future__ import annotations

import _queue
import _thread
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final

from testbench.inplace import Redirect, TypeSlot, real
from testbench.sessions._baton import Baton
from testbench.sessions._lanes import Lanes
from testbench.sessions._waiting import NOT_YET, Waiting
from testbench.timeouts import JOIN, LOCK, QUEUE

_LOCK: Final = _thread.LockType
_REENTRANT: Final = ("acquire", "release", "__enter__", "__exit__", "_release_save", "_acquire_restore")
_describe: Final = _thread.RLock.__repr__

_Function = Callable[..., Any]
_Free = Callable[[Any], Callable[[], bool]]


class Locks:
    """What the types do in one session.

    Args:
        lanes: the lanes of the session.
        baton: who runs.
        waiting: how a lane waits.
        endless: whether the only lane there is may wait for ever; if not, that is found like any standstill.
    """

    def __init__(self, lanes: Lanes, baton: Baton, waiting: Waiting, *, endless: bool) -> None:
        self._lanes = lanes
        self._baton = baton
        self._waiting = waiting
        self._endless = endless

    def install(self, stack: ExitStack) -> None:
        """Redirect the methods until the stack is closed."""
        acquire, release = _slot(stack, _LOCK, "acquire"), _slot(stack, _LOCK, "release")
        locking, unlocking = self._acquiring(acquire.original, _unlocked), self._releasing(release.original)
        acquire.to(locking)
        release.to(unlocking)
        _slot(stack, _LOCK, "acquire_lock").to(locking)
        _slot(stack, _LOCK, "release_lock").to(unlocking)
        _slot(stack, _LOCK, "__enter__").to(locking)
        _slot(stack, _LOCK, "__exit__").to(self._leaving(release.original))
        self._install_reentrant(stack)
        self._install_queue(stack)
        self._install_ends(stack)

    def _acquiring(self, original: _Function, free: _Free) -> _Function:
        lanes, baton, waiting, endless = self._lanes, self._baton, self._waiting, self._endless

        def acquire(lock: Any, *args: Any, **options: Any) -> Any:
            if lanes.single:
                if endless:
                    return original(lock, *args, **options)
                if not (args or options) and original(lock, False):
                    return True
            lane = waiting.lane()
            if lane is None:
                return original(lock, *args, **options)
            timeout = LOCK.seconds(args, options)
            if timeout is None:
                return original(lock, *args, **options)  # raises

            def attempt() -> Any:
                return True if waiting.attempt(original, lock) else NOT_YET

            got = attempt()
            if got is not NOT_YET:
                return got
            if timeout == 0:
                return False
            got = waiting.wait(lane, lock, attempt, timeout, free(lock))
            return original(lock, *args, **options) if got is NOT_YET and baton.over else got is True

        return acquire

    def _releasing(self, original: _Function) -> _Function:
        wake = self._baton.wake

        def release(lock: Any) -> None:
            original(lock)
            wake(id(lock))

        return release

    def _leaving(self, original: _Function) -> _Function:
        wake = self._baton.wake

        def leave(lock: Any, *error: Any) -> None:
            original(lock)
            wake(id(lock))

        return leave

    def _install_reentrant(self, stack: ExitStack) -> None:
        slots = {name: _slot(stack, _thread.RLock, name) for name in _REENTRANT}
        original = {name: slot.original for name, slot in slots.items()}
        locking = self._acquiring(original["acquire"], _unowned)
        unlocking = self._releasing(original["release"])
        wake, lanes, waiting = self._baton.wake, self._lanes, self._waiting

        def save(lock: Any) -> Any:
            state = original["_release_save"](lock)
            wake(id(lock))
            return state

        def restore(lock: Any, state: Any) -> None:
            if not lanes.single and waiting.lane() is not None:
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
        get = _slot(stack, _queue.SimpleQueue, "get")
        lanes, baton, waiting, endless = self._lanes, self._baton, self._waiting, self._endless

        def getting(queue: Any, *args: Any, **options: Any) -> Any:
            if (lanes.single and endless) or (lane := waiting.lane()) is None:
                return get.original(queue, *args, **options)
            timeout = QUEUE.seconds(args, options)
            if not timeout:
                return get.original(queue, *args, **options)

            def attempt() -> Any:
                try:
                    return get.original(queue, False)
                except _queue.Empty:
                    return NOT_YET

            got = attempt()
            if got is NOT_YET:
                got = waiting.wait(lane, queue, attempt, timeout, lambda: not queue.empty())
            if got is NOT_YET:
                if baton.over:
                    return get.original(queue, *args, **options)
                raise _queue.Empty
            return got

        get.to(getting)
        for name in ("put", "put_nowait"):
            put = _slot(stack, _queue.SimpleQueue, name)
            put.to(_putting(put.original, baton.wake))

    def _install_ends(self, stack: ExitStack) -> None:
        if hasattr(_thread, "_set_sentinel"):  # up to CPython 3.12: a lock that C code releases when the thread ends
            self._install_sentinel(stack, _thread._set_sentinel)
        if hasattr(_thread, "_ThreadHandle"):  # since CPython 3.13
            self._install_handle(stack, _thread._ThreadHandle)

    def _install_sentinel(self, stack: ExitStack, function: Any) -> None:
        sentinel = Redirect(function)

        def set_sentinel() -> Any:
            lock, lane = sentinel.original(), self._lanes.known()
            if lane is not None:
                lane.ends.append(lock)
            return lock

        stack.push(sentinel)
        sentinel.to(set_sentinel)

    def _install_handle(self, stack: ExitStack, kind: Any) -> None:
        join, done = _slot(stack, kind, "join"), _slot(stack, kind, "is_done")
        baton, waiting = self._baton, self._waiting

        def joining(handle: Any, timeout: Any = None) -> Any:
            seconds = JOIN.seconds((timeout,), {})
            if handle.is_done() or seconds is None or (lane := waiting.lane()) is None:
                return join.original(handle, timeout)
            join.original(handle, 0)  # raises for the running thread, and for one that was never started

            def attempt() -> Any:
                return join.original(handle) if waiting.ends_soon(handle) or handle.is_done() else NOT_YET

            if attempt() is NOT_YET and waiting.wait(lane, handle, attempt, seconds, handle.is_done) is NOT_YET:
                return join.original(handle, timeout if baton.over else 0)
            return None

        def is_done(handle: Any) -> Any:
            if waiting.ends_soon(handle):
                join.original(handle)  # its lane has ended, and so is it in a moment
            return done.original(handle)

        join.to(joining)
        done.to(is_done)


def _slot(stack: ExitStack, owner: Any, name: str) -> TypeSlot:
    slot = TypeSlot(owner, name)
    stack.push(slot)
    return slot


def _unlocked(lock: Any) -> Callable[[], bool]:
    return lambda: not real.locked(lock)


def _unowned(lock: Any) -> Callable[[], bool]:
    return lambda: _describe(lock).startswith("<unlocked")  # nothing else tells without taking it, up to CPython 3.13


def _putting(original: _Function, wake: Callable[[int], None]) -> _Function:
    def put(queue: Any, *args: Any, **options: Any) -> None:
        original(queue, *args, **options)
        wake(id(queue))

    return put
