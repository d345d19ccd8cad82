"""Redirect the constructor of a type written in C, for everybody who calls the type.

A call of a type goes to its slot ``tp_new``, a C function, whatever ``__new__`` stands in its dict. A class written in
Python has a function there that looks ``__new__`` up (``slot_tp_new`` of CPython, ``Objects/typeobject.c``); with that
in the slot and a function in the dict, the type asks the function. Subclasses that are there already have the old slot.
"""

from __future__ import annotations

from collections.abc import Callable
from ctypes import PYFUNCTYPE, c_int, c_void_p, py_object
from typing import Any, Final

from testbench.errors import UnsupportedError, UsageError
from testbench.inplace import _layout
from testbench.inplace._layout import HEAD, WORD
from testbench.inplace._type import TypeSlot
from testbench.inplace._undo import Undo

_TP_NEW: Final = 65
"""``Py_tp_new`` of ``Include/typeslots.h``; part of the stable ABI."""

_PLACE: Final = HEAD + WORD + 36 * WORD
"""Where ``tp_new`` stands in a type object (``Include/cpython/object.h``), the same from 3.11 to 3.13."""

_slot = _layout.api("PyType_GetSlot", c_void_p, py_object, c_int)


class _Asks:
    def __new__(cls) -> _Asks:
        return object.__new__(cls)


class Constructor(Undo):
    """What calls of a type go to, replaced until it is restored, in the same shape as `Redirect`.

    Args:
        owner: a type written in C, with a constructor of its own.

    Attributes:
        original: makes an instance as ever: called with the class first.

    Raises:
        UnsupportedError: type objects of this interpreter have another layout.
    """

    def __init__(self, owner: type) -> None:
        self._owner = owner
        self._entry = TypeSlot(owner, "__new__")
        self._before: int = _slot(owner, _TP_NEW) or 0
        if not self._before or _word(owner).value != self._before:
            raise UnsupportedError(
                f"{owner.__name__} keeps its constructor somewhere else than CPython 3.11 to 3.13 do"
            )
        make = PYFUNCTYPE(py_object, py_object, py_object, c_void_p)(self._before)
        self.original: Callable[..., Any] = lambda cls, /, *args, **options: make(
            cls, args, id(options) if options else None
        )
        if self._before == _slot(_Asks, _TP_NEW):  # an outer redirect is there: ask what it put into the dict
            self.original = self._entry.original.__get__(None, owner)

    def to(self, function: Callable[..., Any]) -> None:
        """Route calls to ``function``, which is called with the class first.

        Raises:
            UsageError: it was redirected by somebody else after this object was made.
        """
        if _word(self._owner).value != self._before:
            raise UsageError(f"{self._owner.__name__} was redirected since; make a new Constructor.")
        self._entry.to(staticmethod(function))
        self._put(_slot(_Asks, _TP_NEW))

    def _restore(self) -> None:
        self._put(self._before)
        self._entry._restore()

    def _put(self, address: int) -> None:
        _word(self._owner).value = address


def _word(owner: type) -> c_void_p:
    return c_void_p.from_address(id(owner) + _PLACE)
