"""Last in, first out: which redirects stand on a place, and one change at a time.

A *place* is whatever can be redirected: a function object, an entry of a type, an attribute. Nested sessions put
several redirects on one place. Each remembers what stood there before it, so taking one away from under another would
bring dead code back to life later; it is refused.
"""

from __future__ import annotations

import _thread
import os
from collections.abc import Hashable, Iterator
from typing import Any, Final

from testbench.errors import UsageError

_tops: dict[Hashable, Any] = {}
"""By place, the redirect that came last."""

_beneath: dict[Any, Any] = {}
"""By redirect, the one that it stands on; one that stands on nothing is not here."""


class _Change(_thread.RLock):  # type: ignore[misc]  # final in the stubs only
    """Holds off every other change, in all threads and across a fork, while the body runs.

    Its methods are those that stood in the type when this was loaded, so that redirecting them does not reach it.
    """

    __slots__ = ()
    acquire = _thread.RLock.acquire
    release = _thread.RLock.release
    __exit__ = _thread.RLock.__exit__

    def __enter__(self) -> bool:  # type: ignore[override]  # the stubs have it with the arguments of acquire
        """Begin.

        Raises:
            UsageError: this thread is in the middle of a change (a signal handler or finaliser makes another one).
        """
        if _is_owned(self):
            raise UsageError(
                "a redirect was changed while the same thread was changing one, from a signal handler or a finaliser; "
                "enter and leave sessions in ordinary code."
            )
        return _acquire(self)


_acquire = _thread.RLock.acquire
_is_owned = _thread.RLock._is_owned  # type: ignore[attr-defined]  # public in all but name: threading.Condition lives on it

change: Final = _Change()


def _before_fork() -> None:
    change.acquire()


def _after_fork() -> None:
    change.release()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)


def push(place: Hashable, redirect: Any) -> None:
    """Note that ``redirect`` now stands on top of the place."""
    below = _tops.get(place)
    if below is not None:
        _beneath[redirect] = below
    _tops[place] = redirect


def pop(place: Hashable, redirect: Any) -> None:
    """Note that ``redirect``, which says by ``str()`` what it redirects, is about to leave the place.

    Raises:
        UsageError: another redirect stands above it; nothing has changed.
    """
    if _tops[place] is not redirect:
        above = list(_downwards(place)).index(redirect)
        raise UsageError(
            f"{redirect} cannot be restored now: {above} later redirect(s) of it are still active. "
            "Restore them first; sessions end in the reverse order of their beginning (last in, first out)."
        )
    below = _beneath.pop(redirect, None)
    if below is None:
        del _tops[place]
    else:
        _tops[place] = below


def lowest(place: Hashable) -> Any:
    """Return the redirect that came first to the place, None if it is as the interpreter made it."""
    standing = list(_downwards(place))
    return standing[-1] if standing else None


def highest(place: Hashable) -> Any:
    """Return the redirect that came last to the place, None if it is as the interpreter made it."""
    return _tops.get(place)


def above(place: Hashable, redirect: Any) -> Any:
    """Return the redirect that came to the place next after one that stands there, None if that came last."""
    if _tops[place] is redirect:
        return None
    return next(each for each in _downwards(place) if _beneath.get(each) is redirect)


def _downwards(place: Hashable) -> Iterator[Any]:
    redirect = _tops.get(place)
    while redirect is not None:
        yield redirect
        redirect = _beneath.get(redirect)
