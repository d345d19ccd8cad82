"""What is found out once in a process about a builtin of a module, so that redirecting it again writes two words.

Only for builtins whose first argument is a module: they live as long as it does, which is for good.
"""

from __future__ import annotations

from collections.abc import Callable
from types import BuiltinFunctionType, ModuleType
from typing import Any, Final

from testbench.inplace import _layout
from testbench.inplace._forward import FASTCALL, NOARGS, convention_of, forwarded, is_next
from testbench.inplace._layout import Body

_seats: Final[dict[int, Seat]] = {}
"""By the address of the function, which its seat keeps alive."""


class Seat:
    """One builtin, as its module made it; nothing stands in its place when this is made.

    Args:
        function: the builtin.

    Attributes:
        body: where its calls go.
        original: a private builtin that goes there too.
    """

    __slots__ = ("_convention", "_forms", "_function", "_head", "_pair", "body", "original")

    def __init__(self, function: BuiltinFunctionType) -> None:
        self._function = function
        self._head = _layout.head(function)
        self.body = _layout.read(function)
        self._pair = [self.body.definition, self.body.owner]
        self.original: Callable[..., Any] = _layout.new_builtin(function, *self._pair)
        self._convention = convention_of(self.body)
        self._forms: dict[type | None, tuple[int, int]] = {}

    def is_free(self) -> bool:
        """Tell whether nothing stands in the place of the function."""
        return self._head[:] == self._pair

    def route(self, target: Callable[..., Any]) -> None:
        """Make calls go to ``target``."""
        stepped = self._convention == NOARGS and is_next(target)
        kind, owner = (target.__objclass__, target.__self__) if stepped else (None, target)  # type: ignore[attr-defined]
        form = self._forms.get(kind)
        if form is None:
            body, _ = forwarded(self._function, self.body, target)
            form = self._forms[kind] = body.definition, body.vectorcall
        self._write(form[0], id(owner), form[1])

    def give_back(self) -> None:
        """Make calls go where they went."""
        self._write(*self.body)

    def _write(self, definition: int, owner: int, vectorcall: int) -> None:
        if self._convention == FASTCALL:  # the only one that is entered in another way when it is forwarded
            _layout.write(self._function, Body(definition, owner, vectorcall))
        else:
            _layout.write_head(self._head, definition, owner, ours=self.body.owner)


def seat_of(function: BuiltinFunctionType) -> Seat | None:
    """Return what is known of a builtin; None if it is none of a module, or something stands in its place."""
    seat = _seats.get(id(function))
    if seat is None and type(function.__self__) is ModuleType:
        seat = _seats.setdefault(id(function), Seat(function))
    return seat if seat is not None and seat.is_free() else None
