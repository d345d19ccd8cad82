"""Last in, first out: which redirects stand on a place, and one change at a time.

A *place* is whatever can be redirected: a function object, an entry of a type, an attribute. Nested sessions put
several redirects on one place. Each remembers what stood there before it, so taking one away from under another would
bring dead code back to life later; it is refused.
"""

from __future__ import annotations

import _thread
import os
from collections.abc import Hashable
from contextlib import AbstractContextManager
from typing import Any, Final

from testbench.errors import UsageError

_stacks: dict[Hashable, list[Any]] = {}

_lock = _thread.RLock()
# The methods are taken from the type now, so that redirecting them later does not reach this lock.
_acquire = type(_lock).acquire
_release = type(_lock).release
_is_owned = type(_lock)._is_owned  # type: ignore[attr-defined]  # public in all but name: threading.Condition lives on it


class _Change:
    def __enter__(self) -> None:
        if _is_owned(_lock):
            raise UsageError(
                "a redirect was changed while the same thread was changing one, from a signal handler or a finaliser; "
                "enter and leave sessions in ordinary code."
            )
        _acquire(_lock)

    def __exit__(self, *_: object) -> None:
        _release(_lock)


_change: Final = _Change()


def change() -> AbstractContextManager[None]:
    """Hold off every other change, in all threads and across a fork, while the body runs.

    Raises:
        UsageError: this thread is in the middle of a change (a signal handler or finaliser makes another one).
    """
    return _change


def _before_fork() -> None:
    _acquire(_lock)


def _after_fork() -> None:
    _release(_lock)


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)


def push(place: Hashable, redirect: Any) -> None:
    """Note that ``redirect`` now stands on top of the place."""
    _stacks.setdefault(place, []).append(redirect)


def pop(place: Hashable, redirect: Any, name: str) -> None:
    """Note that ``redirect`` is about to leave the place.

    Raises:
        UsageError: another redirect stands above it; nothing has changed.
    """
    stack = _stacks[place]
    if stack[-1] is not redirect:
        above = len(stack) - 1 - stack.index(redirect)
        raise UsageError(
            f"{name} cannot be restored now: {above} later redirect(s) of it are still active. "
            "Restore them first; sessions end in the reverse order of their beginning (last in, first out)."
        )
    stack.pop()
    if not stack:
        del _stacks[place]


def lowest(place: Hashable) -> Any:
    """Return the redirect that came first to the place, None if it is as the interpreter made it."""
    stack = _stacks.get(place)
    return stack[0] if stack else None


def highest(place: Hashable) -> Any:
    """Return the redirect that came last to the place, None if it is as the interpreter made it."""
    stack = _stacks.get(place)
    return stack[-1] if stack else None


def above(place: Hashable, redirect: Any) -> Any:
    """Return the redirect that came to the place next after one that stands there, None if that came last."""
    stack = _stacks[place]
    at = stack.index(redirect) + 1
    return stack[at] if at < len(stack) else None
