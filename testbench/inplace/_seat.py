"""What is found out once in a process about a builtin of a module, so that redirecting it again writes two words.

Only for builtins whose first argument is a module: they live as long as it does, which is for good. Of the three words
of a builtin (`testbench.inplace._layout`) the third stays what it is, except for the one way of taking arguments that
has no counterpart (`testbench.inplace._forward`). Both are filled in by one step that keeps the GIL: no other
thread sees one word without the other.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from types import BuiltinFunctionType, ModuleType
from typing import Any, Final

from testbench.inplace import _layout
from testbench.inplace._forward import FASTCALL, NOARGS, convention_of, forwarded, is_next
from testbench.inplace._layout import Body

_TWO_WORDS: Final = struct.Struct("NN")
_read, _write = _TWO_WORDS.unpack_from, _TWO_WORDS.pack_into

_seats: Final[dict[int, Seat]] = {}
"""By the address of the function, which its seat keeps alive."""


class Seat:
    """One builtin, as its module made it; nothing stands in its place when this is made.

    The reference that the function has to its module is neither given back nor taken anew while it goes elsewhere: the
    module has one too many meanwhile, which harms nobody.

    Args:
        function: the builtin.

    Attributes:
        function: the builtin.
        address: where it is, as `id` tells, which is an audited event, and so a call of Python code in a session.
        body: where its calls go.
        original: a private builtin that goes there too.
    """

    __slots__ = ("_forms", "_head", "_pair", "_steps", "_whole", "address", "body", "function", "original")

    def __init__(self, function: BuiltinFunctionType) -> None:
        self.function = function
        self.body = _layout.read(function)
        self.original: Callable[..., Any] = _layout.new_builtin(function, self.body.definition, self.body.owner)
        convention = convention_of(self.body)
        self._steps, self._whole = convention == NOARGS, convention == FASTCALL
        self.address = id(function)
        self._head = memoryview(_layout.head(function)).cast("B")
        self._pair = self.body.definition, self.body.owner
        self._forms: dict[type | None, Body] = {}

    def is_free(self) -> bool:
        """Tell whether nothing stands in the place of the function."""
        return _read(self._head) == self._pair

    def route(self, target: Callable[..., Any]) -> None:
        """Make calls go to ``target``."""
        kind: type | None = None
        owner: object = target
        if self._steps and is_next(target):
            kind, owner = target.__objclass__, target.__self__
        form = self._forms.get(kind)
        if form is None:
            form = self._forms[kind] = forwarded(self.function, self.body, target)[0]
        address = id(owner)
        _, left = _read(self._head)
        _layout.incref(address)
        if self._whole:
            _layout.store(self.address + _layout.HEAD, Body(form.definition, address, form.vectorcall))
        else:
            _write(self._head, 0, form.definition, address)
        if left != self._pair[1]:
            _layout.decref(left)

    def give_back(self) -> None:
        """Make calls go where they went."""
        _, left = _read(self._head)
        if self._whole:
            _layout.store(self.address + _layout.HEAD, self.body)
        else:
            _write(self._head, 0, *self._pair)
        _layout.decref(left)


def seat_of(function: object) -> Seat | None:
    """Return what is known of a function, if it is known and nothing stands in its place."""
    seat = _seats.get(id(function))
    return seat if seat is not None and _read(seat._head) == seat._pair else None


def new_seat(function: BuiltinFunctionType) -> Seat | None:
    """Return what can be kept of a builtin; None if it is none of a module, or something stands in its place."""
    if type(function.__self__) is not ModuleType or id(function) in _seats:
        return None
    return _seats.setdefault(id(function), Seat(function))
