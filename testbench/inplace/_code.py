"""Redirect one function written in Python, for everybody who holds it: its code changes, the object stays."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import FunctionType
from typing import Any, Final

from testbench.errors import UsageError
from testbench.inplace import _order
from testbench.inplace._undo import Undo

_ABSENT: Final = object()


class Code(Undo):
    """One plain function of a module, in the same shape as `Attribute`; earlier ``from module import name`` follow.

    Args:
        function: a function written in Python.
        calling: one with the same parameters, whose body calls a global name with them and returns what that returns.
        name: that name; it is put among the globals of the function.

    Attributes:
        original: a function of its own that does what the function did before.

    Raises:
        UsageError: it is no plain function, or has other parameters.
    """

    def __init__(self, function: Callable[..., Any], calling: Callable[..., Any], name: str) -> None:
        if type(function) is not FunctionType or type(calling) is not FunctionType:
            raise UsageError(f"{function!r} is not written in Python, so it has no code that could be redirected.")
        if function.__closure__ or inspect.getfullargspec(function)[:6] != inspect.getfullargspec(calling)[:6]:
            raise UsageError(
                f"{function.__qualname__}{inspect.signature(function)} is not the function that is known here, which "
                f"takes {inspect.signature(calling)}. Take away what replaced it, or begin the session before."
            )
        self._function, self._before = function, function.__code__
        self._code, self._name = calling.__code__.replace(co_qualname=function.__code__.co_qualname), name
        self._target = function.__globals__.get(name, _ABSENT)
        self.original = FunctionType(self._before, _with(function.__globals__, name, self._target), function.__name__)
        self.original.__defaults__, self.original.__kwdefaults__ = function.__defaults__, function.__kwdefaults__
        self._active = False

    def to(self, target: Callable[..., Any]) -> None:
        """Route calls to ``target``.

        Raises:
            UsageError: the code was changed by somebody else after this object was made.
        """
        with _order.change:
            if not self._active:
                if self._function.__code__ is not self._before:
                    raise UsageError(f"the code of {self._function.__qualname__} was changed since; make a new Code.")
                _order.push((Code, id(self._function)), self)
            self._function.__globals__[self._name] = target
            self._function.__code__ = self._code
            self._active = True

    def _restore(self) -> None:
        if not self._active:
            return
        _order.pop((Code, id(self._function)), self)
        self._function.__code__ = self._before
        if self._target is _ABSENT:
            self._function.__globals__.pop(self._name)
        else:
            self._function.__globals__[self._name] = self._target
        self._active = False

    def __str__(self) -> str:
        return self._function.__qualname__


class _Globals(dict[str, Any]):
    """The globals of a module as they are when they are looked up, but for one name."""

    def __init__(self, around: dict[str, Any], name: str, value: Any) -> None:
        super().__init__({} if value is _ABSENT else {name: value})
        self._around = around

    def __missing__(self, name: str) -> Any:
        return self._around[name]


def _with(around: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    return around if value is _ABSENT else _Globals(around, name, value)
