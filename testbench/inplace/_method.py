"""Redirect one bound method object in place: ``numpy.random.rand`` is one, and programs import it by name."""

from __future__ import annotations

from collections.abc import Callable
from ctypes import c_void_p
from types import MethodType
from typing import Any

from testbench.errors import UsageError
from testbench.inplace import _order
from testbench.inplace._layout import HEAD, replace
from testbench.inplace._selftest import check_supported
from testbench.inplace._undo import Undo


class BoundMethod(Undo):
    """One bound method object, whose function is replaced until it is restored.

    A ``PyMethodObject`` (CPython, ``Include/cpython/classobject.h``) begins with a counted reference to its function,
    which every call reads anew. Like `Redirect` it changes the object, so that whoever holds it follows.

    Args:
        method: the object, as some module holds it.

    Attributes:
        original: another bound method, of the function that stood there before.

    Raises:
        UnsupportedError: see `check_supported`.
        UsageError: ``method`` is no bound method.
    """

    def __init__(self, method: MethodType) -> None:
        check_supported()
        if type(method) is not MethodType or c_void_p.from_address(id(method) + HEAD).value != id(method.__func__):
            raise UsageError(f"{method!r} is no bound method that could be redirected.")
        self._method = method
        self._before: Any = method.__func__
        self._owner = method.__self__
        self._active = False
        self.original: Callable[..., Any] = MethodType(self._before, self._owner)

    def to(self, function: Callable[..., Any]) -> None:
        """Route calls to ``function``, which is called with the owner of the method first.

        Raises:
            UsageError: the method was redirected by somebody else after this object was made.
        """
        with _order.change:
            if not self._active:
                if self._method.__func__ is not self._before:
                    raise UsageError(f"{self._method!r} was redirected since; make a new BoundMethod.")
                _order.push(id(self._method), self)
                self._active = True
            self._put(function)

    def _restore(self) -> None:
        if self._active:
            _order.pop(id(self._method), self)
            self._put(self._before)
            self._active = False

    def __str__(self) -> str:
        return repr(self._method)

    def _put(self, function: Any) -> None:
        replace(id(self._method) + HEAD, function)
