"""Redirect one builtin function object in place, for everybody who holds it (or by name, where that is declared)."""

from __future__ import annotations

import atexit
from collections import deque
from collections.abc import Callable
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any, TypeVar, cast

from testbench.errors import UsageError
from testbench.inplace import _layout, _order
from testbench.inplace._forward import forwarded
from testbench.inplace._seat import new_seat, seat_of
from testbench.inplace._selftest import check_supported
from testbench.inplace._undo import Undo
from testbench.inplace._way import form_of

AnyFunction = TypeVar("AnyFunction", bound=Callable[..., Any])

_retired: deque[object] = deque(maxlen=64)
"""Targets that were replaced a short while ago.

A builtin does not hold its ``m_self`` while a call is inside it. A Python function holds itself (its frame does), but a
thread may be inside an iterator, or the target may be replaced from inside its own call: it must not die under it.
"""

_new: Any = object.__new__

# Iterators must be gone before the interpreter takes its modules apart: CPython 3.12 crashes in `tee` otherwise.
atexit.register(_retired.clear)


class Redirect(Undo):
    """One builtin function, routed elsewhere until it is restored.

    While redirected, the function keeps its name, docstring, module and the check of its arguments. What differs is
    ``__self__``, and with it ``__qualname__``, ``hash()``, equality and pickling: a dict that had the function as a
    *key* does not find it. ``len`` and ``isinstance`` are inlined by the interpreter: redirecting them is unreliable.

    Args:
        function: a builtin function or a bound builtin method.

    Attributes:
        original: a private builtin that reaches what stood there before this redirect: the real code, or the target of
            an outer redirect.

    Raises:
        UnsupportedError: this interpreter's builtins cannot be redirected; see `check_supported`.
        UsageError: ``function`` is not a builtin.
    """

    __slots__ = ("_before", "_function", "_place", "_seat", "_target", "original")

    def __new__(cls, function: Callable[..., Any]) -> Redirect:
        """Make one of the form that the open session has declared."""
        return _new(form_of(cls, cls))  # type: ignore[no-any-return]

    def __init__(self, function: Callable[..., Any]) -> None:
        self._target: Callable[..., Any] | None = None
        self.original: Callable[..., Any]
        seat = seat_of(function)
        if seat is None:
            check_supported()
            seat = new_seat(_builtin(function))
        self._seat = seat
        if seat is not None:
            self._function, self._before, self.original = seat.function, seat.body, seat.original
            self._place = seat.address
            return
        self._function = _builtin(function)
        self._place = id(self._function)
        self._before = before = _layout.read(self._function)
        self.original = _layout.new_builtin(self._function, before.definition, before.owner)

    def to(self, target: Callable[..., Any]) -> None:
        """Route calls to ``target`` from now on; again to route them to another one.

        A function without arguments whose target is the bound ``__next__`` of an iterator is served in C, without a
        Python frame. That iterator must never end: the C way of ending has no exception in it, which surfaces as a
        SystemError and stops the process on a debug build. Let its last item be one that raises.

        Args:
            target: called with the arguments of the function.

        Raises:
            UsageError: ``target`` cannot be called, or the function was redirected by somebody else after this object
                was made.
        """
        if not callable(target):
            raise UsageError(f"{self} cannot be redirected to {target!r}: it is not callable.")
        with _order.change:
            if self._target is None:
                self._check_free()
                if self._seat is None:
                    self._route(target, None)
                else:
                    self._seat.route(target)
                _order.push(self._place, self)
            else:
                self._route(target, _order.above(self._place, self))
                self._retire()
            self._target = target

    def _restore(self) -> None:
        target, seat = self._target, self._seat
        if target is None:
            return
        _order.pop(self._place, self)
        if seat is None:
            _layout.write(self._function, self._before)
        else:
            seat.give_back()
        if type(target) is not FunctionType:
            self._retire()
        self._target = None

    def __str__(self) -> str:
        return f"{self._function.__module__}.{self._function.__name__}"

    def _check_free(self) -> None:
        seat = self._seat
        if not (_layout.stands(self._function, self._before) if seat is None else seat.is_free()):
            raise UsageError(
                f"{self} was redirected by another after this Redirect was made, so its original is out of date. "
                "Make the Redirect right before its first use."
            )

    def _route(self, target: Callable[..., Any], above: Redirect | None) -> None:
        if self._seat is not None and above is None:
            self._seat.route(target)
            return
        body, owner = forwarded(self._function, self._before, target)
        if above is None:
            _layout.write(self._function, body)
        else:
            above._stand_on(body)
        del owner

    def _stand_on(self, body: _layout.Body) -> None:
        """Be told that an outer redirect, which this one stands on, goes elsewhere from now on."""
        _layout.write(self.original, body)  # type: ignore[arg-type]  # made as a builtin
        self._before = body

    def _retire(self) -> None:
        target = self._target
        function = target.__func__ if isinstance(target, MethodType) else target
        if target is not None and not isinstance(function, FunctionType):
            _retired.append(target)


def private(function: AnyFunction) -> AnyFunction:
    """Return a builtin of our own that reaches the real C code of ``function``, whatever is redirected now or later.

    It is immune to redirects of the function object and to tools that overwrite its definition after this call.

    Args:
        function: a builtin function; it may be redirected at the moment.

    Raises:
        UnsupportedError: see `check_supported`.
        UsageError: ``function`` is not a builtin.
    """
    check_supported()
    builtin = _builtin(function)
    with _order.change:
        lowest: Redirect | None = _order.lowest(id(builtin))
        body = _layout.read(builtin) if lowest is None else lowest._before
        real = _layout.definition_at(body.definition)
        definition = _layout.definition_like(real, real.function, real.flags)
        return cast(AnyFunction, _layout.new_builtin(builtin, definition, body.owner))


def _builtin(function: Callable[..., Any]) -> BuiltinFunctionType:
    if type(function) is not BuiltinFunctionType:
        raise UsageError(
            f"{function!r} is a {type(function).__name__}; only builtin functions can be redirected in place. "
            "Use TypeSlot for a method of a builtin type, Attribute for a function written in Python. If a tool that "
            "freezes time put it there, begin the session outside of it."
        )
    return function
