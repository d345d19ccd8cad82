"""The five methods of ``_random.Random``, from which all of ``random`` is made, and the two that are bound early.

The type's own entries are redirected, so that every generator follows, also those made before the session, and so do
methods that are bound later. ``random.random`` and ``random.getrandbits`` are bound methods of the hidden generator of
the module, and redirected as what they are: builtins. The other functions of the module are written in Python and look
the five up. Not followed is a method of another generator that was bound early (``draw = Random().random``).
"""

from __future__ import annotations

import _random
import functools
import random
import struct
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final

from testbench.inplace import Attribute, Redirect, TypeSlot
from testbench.recorders.randomness._bytes import count
from testbench.recorders.randomness._gauss import install_gauss
from testbench.recorders.randomness._generators import Generators
from testbench.recorders.randomness._state import bytes_of, words_of

_HIDDEN: Final[Any] = random.random.__self__  # type: ignore[attr-defined]  # typeshed sees a def, not a builtin
_RANDOM: Final = random.random
_GETRANDBITS: Final = random.getrandbits

_Function = Callable[..., Any]


class Slots:
    """The entries of the type, and what stood there before.

    Args:
        stack: restores them.
    """

    def __init__(self, stack: ExitStack) -> None:
        self._slots: dict[str, TypeSlot] = {}
        for name in ("random", "getrandbits", "getstate", "setstate", "seed"):
            slot = self._slots[name] = TypeSlot(_random.Random, name)
            stack.push(slot)

    def original(self, name: str) -> Any:
        """Return the method that stood there before."""
        return self._slots[name].original

    def install(self, generators: Generators) -> None:
        """Put ours there."""
        makers = {"random": _random_of, "getrandbits": _getrandbits_of, "getstate": _getstate_of}
        for name, make in makers.items():
            self._slots[name].to(make(generators, self.original(name)))
        self._slots["setstate"].to(_setstate_of(generators, self.original("setstate")))
        self._slots["seed"].to(_seed_of(generators, self.original("seed")))


def install_methods(slots: Slots, generators: Generators, stack: ExitStack) -> None:
    """Have all draws ask ``generators`` until the stack unwinds."""
    slots.install(generators)
    made = Attribute(random.Random, "__init__")
    stack.push(made)
    made.to(_init_of(generators, made.original))
    install_gauss(generators, stack)
    _bound(stack, _RANDOM, lambda original: _hidden_random(generators, original))
    _bound(stack, _GETRANDBITS, lambda original: _hidden_getrandbits(generators, original))


def _bound(stack: ExitStack, function: _Function, make: Callable[[_Function], _Function]) -> None:
    redirect = Redirect(function)
    stack.push(redirect)
    redirect.to(make(redirect.original))


def _random_of(generators: Generators, original: _Function) -> _Function:
    drawing, draw = generators.drawing, generators.draw

    def random(self: Any) -> Any:
        if id(self) in drawing.free:
            return original(self)
        return draw(self, "random", {}, lambda: original(self))

    return random


def _hidden_random(generators: Generators, original: _Function) -> _Function:
    drawing, draw, hidden, place = generators.drawing, generators.draw, _HIDDEN, id(_HIDDEN)

    def random() -> Any:
        if place in drawing.free:
            return original()
        return draw(hidden, "random", {}, original)

    return random


def _getrandbits_of(generators: Generators, original: _Function) -> _Function:
    drawing, draw = generators.drawing, generators.draw

    def getrandbits(self: Any, k: Any, /) -> Any:
        bits = 0 if id(self) in drawing.free else count(k)
        if bits <= 0:  # it may draw without asking, draws nothing, or raises
            return original(self, k)
        return draw(self, "getrandbits", {"bits": bits}, lambda: original(self, bits))

    return getrandbits


def _hidden_getrandbits(generators: Generators, original: _Function) -> _Function:
    drawing, draw, hidden, place = generators.drawing, generators.draw, _HIDDEN, id(_HIDDEN)

    def getrandbits(k: Any) -> Any:
        bits = 0 if place in drawing.free else count(k)
        if bits <= 0:
            return original(k)
        return draw(hidden, "getrandbits", {"bits": bits}, lambda: original(bits))

    return getrandbits


def _getstate_of(generators: Generators, original: _Function) -> _Function:
    drawing, draw = generators.drawing, generators.draw

    def getstate(self: Any) -> Any:
        if id(self) in drawing.free:
            return original(self)
        packed = draw(self, "getstate", {}, lambda: bytes_of(original(self)))
        try:
            return words_of(packed)
        except (TypeError, struct.error) as error:
            generators.refuse("getstate", error)

    return getstate


def _setstate_of(generators: Generators, original: _Function) -> _Function:
    def setstate(self: Any, state: Any, /) -> None:
        original(self, state)
        generators.seeded(self, by_value=True)

    return setstate


def _seed_of(generators: Generators, original: _Function) -> _Function:
    def seed(self: Any, n: Any = None, /) -> None:
        original(self, n)
        generators.seeded(self, by_value=n is not None)

    return seed


def _init_of(generators: Generators, original: _Function) -> _Function:
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        generators.made(self)
        original(self, *args, **kwargs)

    return functools.update_wrapper(init, original)
