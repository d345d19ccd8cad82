"""Redirect functions in place: the object changes, so every name that was ever bound to it follows.

`Redirect` for builtin functions, `TypeSlot` for methods of builtin types, `BoundMethod` for bound method objects,
`Attribute` for Python code, `Code` for plain functions written in Python. All have ``original``, ``to(target)`` and
``restore()``, nest, and are restored last in, first out, which an `UndoStack` does. `private` gives a copy of a builtin
that no redirect reaches; `testbench.inplace.real` holds those that this package lives on.

While a session is open that declares interception by name (`intercepting`), the first two are of the weaker kind that
`testbench.inplace._by_name` describes, which every interpreter can do.
"""

from __future__ import annotations

from testbench.inplace._attribute import Attribute
from testbench.inplace._code import Code
from testbench.inplace._constructor import Constructor
from testbench.inplace._early import bound_early
from testbench.inplace._function import Redirect, private
from testbench.inplace._method import BoundMethod
from testbench.inplace._selftest import check_supported
from testbench.inplace._sets import hash_again
from testbench.inplace._type import TypeSlot
from testbench.inplace._undo import UndoStack
from testbench.inplace._way import intercepting

__all__ = [
    "Attribute",
    "BoundMethod",
    "Code",
    "Constructor",
    "Redirect",
    "TypeSlot",
    "UndoStack",
    "bound_early",
    "check_supported",
    "hash_again",
    "intercepting",
    "private",
]
