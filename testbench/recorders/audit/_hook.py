"""The one audit hook of this process: added when the first session needs it, asleep while none listens.

A hook cannot be removed (PEP 578), so there is never a second one; sessions come and go as listeners. While there are
none, an event costs one look into an empty set.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final

from testbench.errors import UnsupportedError

Listener = Callable[[str, tuple[Any, ...]], None]
"""Is given an event and its arguments, in the thread in which it happens, before it does; may raise, to prevent it."""

_PROOF: Final = "testbench.proof"

_listeners: tuple[Listener, ...] = ()
_heard: frozenset[str] = frozenset()
_state: Final = {"added": False, "proven": False}


def listen(listener: Listener, events: frozenset[str], stack: ExitStack) -> None:
    """Tell a listener of audit events until the stack unwinds; the last one that came is told first.

    Args:
        listener: who is told.
        events: names of the events; all listeners have the same.
        stack: ends it.

    Raises:
        UnsupportedError: another hook of this process allows no more of them.
    """
    if not _state["added"]:
        _add()
    _set((listener, *_listeners), events)
    stack.callback(_leave, listener)


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if event in _heard:
        for listener in _listeners:
            listener(event, args)


def _set(listeners: tuple[Listener, ...], events: frozenset[str]) -> None:
    global _listeners, _heard
    _listeners, _heard = listeners, events if listeners else frozenset()


def _leave(listener: Listener) -> None:
    _set(tuple(each for each in _listeners if each is not listener), _heard)


def _add() -> None:
    sys.addaudithook(_hook)  # where another hook raises a RuntimeError for that, nothing is added and nothing is said
    _state["added"] = True
    with ExitStack() as stack:
        listen(_prove, frozenset((_PROOF,)), stack)
        sys.audit(_PROOF)
    if not _state["proven"]:
        _state["added"] = False
        raise UnsupportedError(
            "an audit hook of this process allows no further ones, so that nobody can tell which crossings no recorder "
            "sees; name the kinds to record without 'audit': recorders=['clock', 'process', ...]"
        )


def _prove(event: str, args: tuple[Any, ...]) -> None:
    _state["proven"] = True


CODE: Final = _hook.__code__
"""Its frame is right above that of whoever makes the event."""
