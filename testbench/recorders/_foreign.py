"""Functions of C libraries that the program calls by ``ctypes``: followed by name, in the class that a library makes.

``ctypes`` makes a class for the functions of each library that is loaded; what a call of one does is looked up there.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any, Final

from testbench.inplace import Attribute
from testbench.protocol import Call, Plain

_CLASS: Final = f"{ctypes.CDLL.__init__.__qualname__}.<locals>._FuncPtr"
_OF_PYTHON: Final = 4  # FUNCFLAG_PYTHONAPI: the interpreter's own functions, which we live on
_INSTEAD: Final = "use the function of Python, or mark the function that calls it with @testbench.boundary"

Handler = Callable[[Any, tuple[Any, ...]], Any]
"""Called with the foreign function and the arguments, instead of it; `plainly` calls it as ever."""


def watch(stack: ExitStack, handlers: Mapping[str, Handler]) -> None:
    """Call handlers instead of foreign functions of these names until the stack unwinds.

    Libraries that are loaded meanwhile are followed too. Not followed are functions that are no attribute of a library
    (``ctypes.CFUNCTYPE(...)(("time", library))``), and what a library calls itself.
    """
    for kind in _base().__subclasses__():
        _follow(stack, kind, handlers)
    loading = Attribute(ctypes.CDLL, "__init__")
    stack.push(loading)

    def init(library: Any, *args: Any, **options: Any) -> None:
        loading.original(library, *args, **options)
        if active:
            _follow(stack, library._FuncPtr, handlers)

    active = [True]
    stack.callback(active.clear)
    loading.to(init)


def leaking(call: Call, op: str, names: tuple[str, ...]) -> dict[str, Handler]:
    """Return handlers that report a call of each of these functions as a leak."""

    def handle(function: Any, args: tuple[Any, ...]) -> Any:
        if call.inside():
            return plainly(function, args)
        asked: Plain = {"function": str(function.__name__)}
        return call.leak(op, asked, lambda: plainly(function, args), instead=_INSTEAD)

    return dict.fromkeys(names, handle)


def plainly(function: Any, args: tuple[Any, ...]) -> Any:
    """Call a foreign function as ever."""
    return _base().__call__(function, *args)


def _base() -> Any:
    return ctypes._CFuncPtr  # type: ignore[attr-defined]  # public in all but name: every library has one


def _follow(stack: ExitStack, kind: Any, handlers: Mapping[str, Handler]) -> None:
    if kind.__qualname__ != _CLASS or kind._flags_ & _OF_PYTHON:
        return
    called = Attribute(kind, "__call__")
    below = called.original

    def call(function: Any, *args: Any) -> Any:
        handler = handlers.get(getattr(function, "__name__", ""))
        return below(function, *args) if handler is None else handler(function, args)

    stack.push(called)
    called.to(call)
