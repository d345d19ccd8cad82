"""Redirect one attribute of a module or of a class written in Python."""

from __future__ import annotations

from types import FunctionType, ModuleType
from typing import Any, Final

from testbench.errors import UsageError
from testbench.inplace import _order
from testbench.inplace._undo import Undo

_ABSENT: Final = object()


class Attribute(Undo):
    """One attribute, replaced until it is restored, in the same shape as `Redirect` and `TypeSlot`.

    Earlier ``from module import name`` do not follow: that is why functions written in C are redirected as objects,
    and methods written in Python on their class.

    Args:
        owner: a module, or a class written in Python.
        name: an attribute that ``owner`` has, by itself or by inheritance.

    Attributes:
        original: what stood there before, as stored (a ``staticmethod`` or ``classmethod`` stays one); for an inherited
            attribute, what the look-up gives.

    Raises:
        UsageError: there is no such attribute.
    """

    def __init__(self, owner: type | ModuleType, name: str) -> None:
        self._owner, self._name = owner, name
        self._place = (Attribute, id(owner), name)
        self._stored = vars(owner).get(name, _ABSENT)
        self.original = self._stored if self._stored is not _ABSENT else getattr(owner, name, _ABSENT)
        if self.original is _ABSENT:
            raise UsageError(f"{owner.__name__} has no attribute {name!r} that could be redirected.")
        self._value: Any = _ABSENT

    def to(self, value: Any) -> None:
        """Put ``value`` there.

        Raises:
            UsageError: the attribute was changed by somebody else after this object was made.
        """
        with _order.change:
            if self._value is _ABSENT:
                self._check(self._stored)
                _order.push(self._place, self)
            setattr(self._owner, self._name, value)
            _forget(self._stored if self._value is _ABSENT else self._value)
            self._value = value

    def _restore(self) -> None:
        if self._value is _ABSENT:
            return
        _order.pop(self._place, self)
        if self._stored is _ABSENT:
            delattr(self._owner, self._name)
        else:
            setattr(self._owner, self._name, self._stored)
        _forget(self._value)
        self._value = _ABSENT

    def __str__(self) -> str:
        return f"{self._owner.__name__}.{self._name}"

    def _check(self, expected: Any) -> None:
        if vars(self._owner).get(self._name, _ABSENT) is not expected:
            raise UsageError(f"{self._owner.__name__}.{self._name} was changed since; make a new Attribute.")


def _forget(function: object) -> None:
    """Let the interpreter forget that ``x[key]`` once ended in a function.

    CPython 3.13 keeps the last ``__getitem__`` with its type, and drops it when the type changes; but after 1,000
    changes a type has no versions left, and no change is noticed. A function that has changed itself is looked up
    again.
    """
    if isinstance(function, FunctionType):
        function.__defaults__ = function.__defaults__
