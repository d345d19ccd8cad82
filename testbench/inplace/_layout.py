"""The memory of a builtin function object: three words that decide where a call goes, read and written in place.

`time.time` is a ``PyCFunctionObject`` (CPython, ``Include/cpython/methodobject.h``)::

    PyObject_HEAD                 object.__basicsize__ bytes
    PyMethodDef *m_ml             name, C function, flags that say how to call it, docstring   <- word 0, ours
    PyObject *m_self              first argument of the C function, a counted reference         <- word 1, ours
    PyObject *m_module            name of the module
    PyObject *m_weakreflist       head of the list of weak references
    vectorcallfunc vectorcall     how the interpreter enters; follows from the flags            <- word 4, ours

Whoever holds the *object* (an earlier ``from time import time``, a default argument, a C caller) calls through these
words each time, and so do call sites that the adaptive interpreter has specialised (``Python/bytecodes.c``: they check
type and flags and then read the C function anew). Rewriting them redirects every holder at once, and writing the old
values back restores the function exactly. The layout is the same from 3.11 to 3.13; `_selftest` proves it before use.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from ctypes import c_char_p, c_int, c_void_p, py_object
from types import BuiltinFunctionType
from typing import Any, Final, NamedTuple

WORD: Final = ctypes.sizeof(c_void_p)
HEAD: Final[int] = getattr(object, "__basicsize__", 0)
"""Size of PyObject_HEAD. Asked rather than known: a Py_TRACE_REFS build has two more words, PyPy has no such thing."""


class MethodDef(ctypes.Structure):
    """``PyMethodDef``: what a builtin is called, which C function serves it, how it wants its arguments."""

    _fields_ = (("name", c_char_p), ("function", c_void_p), ("flags", c_int), ("doc", c_char_p))

    name: bytes
    function: int
    flags: int
    doc: bytes | None


class Body(NamedTuple):
    """The three words, as addresses; 0 is NULL."""

    definition: int
    owner: int
    vectorcall: int


def api(name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
    """Bind one C-API function for calls that keep the GIL, with a prototype of our own that nobody else can change."""
    if not hasattr(ctypes, "pythonapi"):  # PyPy: importing this must work, so that `_selftest` can refuse in words
        return lambda *_: None
    return ctypes.PYFUNCTYPE(result, *arguments)((name, ctypes.pythonapi))


def address_of(name: str) -> int:
    """Return the address of a C-API function."""
    return ctypes.cast(getattr(ctypes.pythonapi, name), c_void_p).value or 0


incref = api("Py_IncRef", None, c_void_p)
decref = api("Py_DecRef", None, c_void_p)
_new_builtin = api("PyCMethod_New", py_object, c_void_p, c_void_p, c_void_p, c_void_p)
_store_three = api("PyArg_ParseTuple", c_int, py_object, c_char_p, c_void_p, c_void_p, c_void_p)

_definitions: dict[tuple[bytes, int, int, bytes | None], MethodDef] = {}


_Words = ctypes.c_size_t * 5  # of the width of a pointer, and never None
_Head = ctypes.c_size_t * 2


def _word(function: BuiltinFunctionType, index: int) -> int:
    return c_void_p.from_address(id(function) + HEAD + index * WORD).value or 0


def read(function: BuiltinFunctionType) -> Body:
    """Return where calls of ``function`` go now."""
    definition, owner, _, _, vectorcall = _Words.from_address(id(function) + HEAD)[:]
    return Body(definition, owner, vectorcall)


def stands(function: BuiltinFunctionType, body: Body) -> bool:
    """Tell whether calls of ``function`` go to ``body``."""
    definition, owner, _, _, vectorcall = _Words.from_address(id(function) + HEAD)[:]
    return (definition, owner, vectorcall) == body


def write(function: BuiltinFunctionType, body: Body) -> None:
    """Make calls of ``function`` go to ``body``, and hand its reference to ``m_self`` over.

    The three words must change together: a thread that saw a new C function with the old flags would call it wrongly.
    So one C call that keeps the GIL stores them all. ``PyArg_ParseTuple`` is that call: its format "n" converts an int
    and stores it at a given address, and it leaves the two words between ours alone, which a copy of the whole block
    would not (another thread may be making a weak reference).
    """
    left = _word(function, 1)
    incref(body.owner)
    store(id(function) + HEAD, body)
    decref(left)


def store(start: int, body: Body) -> None:
    """Store three words at their places from ``start`` on, without regard to references."""
    _store_three(tuple(body), b"nnn", start, start + WORD, start + 4 * WORD)


def head(function: BuiltinFunctionType) -> ctypes.Array[ctypes.c_size_t]:
    """View words 0 and 1 of a function, for as long as it lives."""
    return _Head.from_address(id(function) + HEAD)


def replace(place: int, held: object) -> None:
    """Put a counted reference to ``held`` where one to another object stands, and give that one back."""
    left = c_void_p.from_address(place).value
    incref(id(held))
    c_void_p.from_address(place).value = id(held)
    decref(left)


def definition_at(address: int) -> MethodDef:
    """View the definition at ``address`` without copying it."""
    return MethodDef.from_address(address)


def definition_like(model: MethodDef, function: int, flags: int) -> int:
    """Return the address of a definition named and documented like ``model`` that is served by another C function.

    Definitions are shared by equal contents and never freed: a function object made from one may outlive everything
    else here. Their number is bounded by the number of different builtin functions that are ever redirected.
    """
    key = (model.name, function, flags, model.doc)
    definition = _definitions.get(key)
    if definition is None:
        definition = _definitions.setdefault(key, MethodDef(*key))
    return ctypes.addressof(definition)


def new_builtin(function: BuiltinFunctionType, definition: int, owner: int) -> BuiltinFunctionType:
    """Let the interpreter make a new builtin, in the module of ``function``, from a definition and a self."""
    made: BuiltinFunctionType = _new_builtin(definition, owner, _word(function, 2), None)
    return made
