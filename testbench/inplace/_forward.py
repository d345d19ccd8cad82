"""Which C function makes a builtin call a target of ours, for each way a builtin can take its arguments.

The call functions of the C-API have the shape of a builtin whose *self* is the callable::

    METH_NOARGS                     f(self, NULL)                    PyObject_CallNoArgs(callable)
    METH_O                          f(self, arg)                     PyObject_CallOneArg(callable, arg)
    METH_VARARGS                    f(self, args)                    PyObject_CallObject(callable, args)
    METH_VARARGS | METH_KEYWORDS    f(self, args, kwargs)            PyObject_Call(callable, args, kwargs)
    METH_FASTCALL | METH_KEYWORDS   f(self, args, nargs, kwnames)    PyObject_Vectorcall(callable, args, nargs, kwnames)

So ``m_self`` becomes the target and the C function becomes one that already exists: no machine code is written, no
callback is compiled, and the interpreter's own argument check stays in front (``time.time(1)`` is refused in the usual
words). Only METH_FASTCALL has no counterpart and becomes METH_FASTCALL | METH_KEYWORDS.

For an iterator there is an even shorter way: its type's ``tp_iternext`` has the shape of METH_NOARGS.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from ctypes import c_int, c_void_p, py_object
from types import MethodWrapperType
from typing import Any, Final, TypeGuard

from testbench.inplace import _layout
from testbench.inplace._layout import Body

VARARGS: Final = 0x01
KEYWORDS: Final = 0x02
NOARGS: Final = 0x04
ONE: Final = 0x08
FASTCALL: Final = 0x80
_CONVENTION: Final = 0x8F
"""The flags that say how arguments come; METH_CLASS, METH_STATIC and METH_COEXIST matter only to type objects."""

_FORWARDERS: Final = {
    NOARGS: (NOARGS, "PyObject_CallNoArgs"),
    ONE: (ONE, "PyObject_CallOneArg"),
    VARARGS: (VARARGS, "PyObject_CallObject"),
    VARARGS | KEYWORDS: (VARARGS | KEYWORDS, "PyObject_Call"),
    FASTCALL: (FASTCALL | KEYWORDS, "PyObject_Vectorcall"),
    FASTCALL | KEYWORDS: (FASTCALL | KEYWORDS, "PyObject_Vectorcall"),
}

_TP_ITERNEXT: Final = 63
"""``Py_tp_iternext`` of ``Include/typeslots.h``; part of the stable ABI."""

_type_slot = _layout.api("PyType_GetSlot", c_void_p, py_object, c_int)


_address_of = functools.cache(_layout.address_of)

_entries: dict[int, int] = {}
"""By the flags of a builtin, how the interpreter enters it; nothing else decides that (``PyCMethod_New``)."""


def forwarded(function: Any, before: Body, target: Callable[..., Any]) -> tuple[Body, object]:
    """Compute the body that makes ``function`` call ``target``.

    Args:
        function: the builtin.
        before: its body before, or after any redirect: they all have its name and its way of taking arguments.
        target: what is to be called.

    Returns:
        The body, and the object it refers to by address; the caller keeps that object alive until the body is written.
    """
    model = _layout.definition_at(before.definition)
    convention = model.flags & _CONVENTION
    owner: object
    if convention == NOARGS and is_next(target):
        owner, flags, server = target.__self__, NOARGS, _type_slot(target.__objclass__, _TP_ITERNEXT)
    else:
        flags, name = _FORWARDERS[convention]
        owner, server = target, _address_of(name)
    definition = _layout.definition_like(model, server, flags)
    if flags not in _entries:
        # The interpreter chooses the entry that fits the flags; a builtin made by it shows which.
        _entries[flags] = _layout.read(_layout.new_builtin(function, definition, id(owner))).vectorcall
    return Body(definition, id(owner), _entries[flags]), owner


def convention_of(body: Body) -> int:
    """Return the flags that say how a builtin takes its arguments."""
    return _layout.definition_at(body.definition).flags & _CONVENTION


def is_next(target: Any) -> TypeGuard[MethodWrapperType]:
    """Tell whether ``target`` is the bound ``__next__`` of an iterator written in C."""
    return type(target) is MethodWrapperType and target.__name__ == "__next__"
