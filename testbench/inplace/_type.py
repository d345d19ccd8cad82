"""Redirect one entry of a builtin type: a method that has no function object of its own to rewrite."""

from __future__ import annotations

import ctypes
import gc
from types import WrapperDescriptorType
from typing import Any, Final

from testbench.errors import UsageError
from testbench.inplace import _order
from testbench.inplace._layout import api
from testbench.inplace._selftest import check_supported
from testbench.inplace._undo import Undo
from testbench.inplace._way import form_of

_ABSENT: Final = object()
_known: Final[dict[type, dict[str, Any]]] = {}
"""The dicts of types that were redirected before; finding one is an audited event, and so a call of Python code."""

_new: Any = object.__new__
_forget_lookups = api("PyType_Modified", None, ctypes.py_object)


class TypeSlot(Undo):
    """One entry of the dict of a type written in C, such as ``datetime.datetime.now``.

    ``setattr`` on such a type is refused by the interpreter. Its dict is an ordinary one all the same: it is reached
    behind the read-only view, changed, and the interpreter is told to forget what it looked up (``PyType_Modified``).
    Instances that exist already and subclasses follow. What does not: a bound method made before
    (``now = datetime.now``), and C code that calls the C function itself.

    Args:
        owner: the type that defines the entry itself, not one that inherits it.
        name: of a method, static method, class method or attribute; not of an operator like ``__add__``, which C
            calls through a slot that the dict does not feed.

    Attributes:
        original: the entry as it stood before: a descriptor, to be called with the instance or class first.

    Raises:
        UnsupportedError: see `check_supported`.
        UsageError: there is no such entry, or it stands for a C slot.
    """

    __slots__ = ("_active", "_entries", "_name", "_owner", "_place", "original")

    def __new__(cls, owner: type, name: str) -> TypeSlot:
        """Make one of the form that the open session has declared."""
        return _new(form_of(cls, cls))  # type: ignore[no-any-return]

    def __init__(self, owner: type, name: str) -> None:
        self._owner, self._name = owner, name
        self._place = (TypeSlot, owner, name)
        self._entries = entries = _known.get(owner) or _entries_of(owner)
        self.original = entries.get(name, _ABSENT)
        if self.original is _ABSENT or type(self.original) is WrapperDescriptorType:
            raise UsageError(
                f"{owner.__name__}.{name} is no entry that can be redirected: it is inherited, absent, or served by a "
                "C slot. Name the type that defines it."
            )
        self._active = False

    def to(self, value: Any) -> None:
        """Put ``value`` there: a function, a ``staticmethod``, a ``classmethod``.

        Raises:
            UsageError: the entry was redirected by somebody else after this object was made.
        """
        with _order.change:
            if not self._active:
                if self._entries[self._name] is not self.original:
                    raise UsageError(f"{self._owner.__name__}.{self._name} was redirected since; make a new TypeSlot.")
                _order.push(self._place, self)
                self._active = True
            self._put(value)

    def _restore(self) -> None:
        if self._active:
            _order.pop(self._place, self)
            self._put(self.original)
            self._active = False

    def __str__(self) -> str:
        return f"{self._owner.__name__}.{self._name}"

    def _put(self, value: Any) -> None:
        left = self._entries[self._name]  # the look-up cache borrows it: it must live until the cache is dropped
        self._entries[self._name] = value
        _forget_lookups(self._owner)
        del left


def _entries_of(owner: type) -> dict[str, Any]:
    check_supported()
    entries: dict[str, Any] = gc.get_referents(owner.__dict__)[0]
    return _known.setdefault(owner, entries)
