"""What every redirect is besides, something to be undone; and a stack that undoes many of them at little cost."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from typing import Any, TypeVar

from testbench.inplace import _order

_Any = TypeVar("_Any", bound=Any)
_Self = TypeVar("_Self", bound="Undo")


class Undo:
    """Has something to restore; a context manager, which does so at its end."""

    __slots__ = ()

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.restore()

    def restore(self) -> None:
        """Bring back what stood there before; nothing happens if it stands there already.

        Raises:
            UsageError: a later redirect of the same thing is still active.
        """
        with _order.change:
            self._restore()

    def _restore(self) -> None:
        """Do it, while no other redirect changes."""
        raise NotImplementedError


class UndoStack(ExitStack):
    """An `ExitStack` that keeps what is pushed, and callbacks, one after the other in one list.

    A session pushes two hundred redirects; the usual stack makes two objects for each, which the garbage collector has
    to look at, again and again in a suite of many small tests.
    """

    def __init__(self) -> None:
        super().__init__()
        self._latest: list[Undo | partial[Any]] | None = None

    def push(self, exit: _Any) -> _Any:
        """Undo it when the stack unwinds; see `contextlib.ExitStack.push`."""
        if not isinstance(exit, Undo):
            self._latest = None
            return super().push(exit)
        (self._latest or self._begin()).append(exit)
        return exit

    def callback(self, callback: Callable[..., Any], /, *args: Any, **kwds: Any) -> Callable[..., Any]:
        """Call it when the stack unwinds; see `contextlib.ExitStack.callback`."""
        (self._latest or self._begin()).append(partial(callback, *args, **kwds))
        return callback

    def enter_context(self, cm: AbstractContextManager[Any]) -> Any:
        """Leave it when the stack unwinds; see `contextlib.ExitStack.enter_context`."""
        result = super().enter_context(cm)
        self._latest = None
        return result

    def pop_all(self) -> UndoStack:
        """Hand everything over to a new stack; see `contextlib.ExitStack.pop_all`."""
        self._latest = None
        return super().pop_all()

    def _begin(self) -> list[Undo | partial[Any]]:
        latest: list[Undo | partial[Any]] = []
        self._latest = latest
        super().callback(_undo, latest)
        return latest


def _undo(latest: list[Undo | partial[Any]]) -> None:
    """Restore and call the last first, and all of them, whichever fails."""
    try:
        while latest:
            last = latest[-1]
            if isinstance(last, Undo):
                _restore(latest)
            else:
                latest.pop()
                last()
    finally:
        if latest:
            _undo(latest)


def _restore(latest: list[Any]) -> None:
    """Restore the last ones up to a callback, which may change redirects itself."""
    with _order.change:
        while latest and type(latest[-1]) is not partial:
            latest.pop()._restore()
