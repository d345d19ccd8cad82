"""What every redirect is besides, something to be undone; and a stack that undoes many of them at little cost."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
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
    """An `ExitStack` that keeps what is pushed one after the other in one list.

    A session pushes two hundred redirects; the usual stack makes two objects for each, which the garbage collector has
    to look at, again and again in a suite of many small tests.
    """

    def __init__(self) -> None:
        super().__init__()
        self._latest: list[Undo] | None = None

    def push(self, exit: _Any) -> _Any:
        """Undo it when the stack unwinds; see `contextlib.ExitStack.push`."""
        if not isinstance(exit, Undo):
            self._latest = None
            return super().push(exit)
        if self._latest is None:
            latest: list[Undo] = []
            self._latest = latest
            super().callback(_undo, latest)
        self._latest.append(exit)
        return exit

    def callback(self, callback: Callable[..., Any], /, *args: Any, **kwds: Any) -> Callable[..., Any]:
        """Call it when the stack unwinds; see `contextlib.ExitStack.callback`."""
        self._latest = None
        return super().callback(callback, *args, **kwds)

    def enter_context(self, cm: AbstractContextManager[Any]) -> Any:
        """Leave it when the stack unwinds; see `contextlib.ExitStack.enter_context`."""
        result = super().enter_context(cm)
        self._latest = None
        return result

    def pop_all(self) -> UndoStack:
        """Hand everything over to a new stack; see `contextlib.ExitStack.pop_all`."""
        self._latest = None
        return super().pop_all()


def _undo(latest: list[Undo]) -> None:
    """Restore the last first, and all of them, whichever fails."""
    try:
        with _order.change:
            while latest:
                latest.pop()._restore()
    finally:
        if latest:
            _undo(latest)
