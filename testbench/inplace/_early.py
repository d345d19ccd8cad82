"""Find methods of a type written in C that were bound before: ``now = datetime.now`` is an object of its own.

What such an object calls is written in itself, so that changing the type does not reach it; but it is a builtin, and
can be redirected like one. Nothing lists these objects except the garbage collector, which knows who refers to a class.
It looks at every object for that (some 80 ns each), so it is asked once, and again only after modules were imported, or
when the class has got more references than ever (which CPython 3.12 and later do not count for it).
"""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Iterator
from types import BuiltinFunctionType
from typing import Final, cast

from testbench.inplace import _layout

_CLASS_METHOD: Final = type(vars(dict)["fromkeys"])

_found: Final[dict[type, list[tuple[weakref.ref[BuiltinFunctionType], type]]]] = {}
"""By the type that defines the methods: each object, and what it is bound to, which a redirect hides."""

_looked: Final[dict[type, tuple[int, int]]] = {}


def bound_early(owner: type, name: str) -> list[tuple[BuiltinFunctionType, type]]:
    """Return the objects that somebody made by looking a class method up, each with the class that it was looked up in.

    Args:
        owner: a type written in C.
        name: of a class method that it defines.
    """
    references, modules = _looked.get(owner, (0, 0))
    if sys.getrefcount(owner) > references or len(sys.modules) > modules:
        _look(owner)
        _looked[owner] = sys.getrefcount(owner), len(sys.modules)
    alive = ((place(), held_by) for place, held_by in _found[owner])
    return [(method, held_by) for method, held_by in alive if method is not None and method.__name__ == name]


def _look(owner: type) -> None:
    """Find objects that are as the interpreter made them; those that are redirected were found before."""
    known = [(place, held_by) for place, held_by in _found.get(owner, ()) if place() is not None]
    places = {id(place()) for place, _ in known}
    stock = {_layout.read(method).definition for method in _class_methods(owner)}
    for held in gc.get_referrers(*_family(owner)):
        if type(held) is BuiltinFunctionType and id(held) not in places and _layout.read(held).definition in stock:
            known.append((weakref.ref(held), cast(type, held.__self__)))
    _found[owner] = known


def _class_methods(owner: type) -> Iterator[BuiltinFunctionType]:
    """Give each class method of the type as the interpreter makes it."""
    for entry in vars(owner).values():
        if type(entry) is _CLASS_METHOD:
            yield entry.__get__(None, owner)


def _family(owner: type) -> Iterator[type]:
    yield owner
    subclasses: list[type] = type.__subclasses__(owner)
    for each in subclasses:
        yield from _family(each)
