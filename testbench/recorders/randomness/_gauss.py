"""``gauss`` makes two numbers at a time, and keeps the second one in the generator, as ``gauss_next``.

It is written in Python and often bound early (``random.gauss``), so it is followed by what it does first: it reads that
attribute.
"""

from __future__ import annotations

import random
from contextlib import ExitStack
from typing import Any

from testbench.recorders.randomness._generators import Generators
from testbench.recorders.randomness._state import GAUSS_NEXT, left_by_gauss


class _GaussNext:
    """Stands in the class in front of the attribute of each instance.

    Args:
        generators: who may read.
        below: that of an outer session.
    """

    def __init__(self, generators: Generators, below: _GaussNext | None) -> None:
        self._generators = generators
        self._below = below

    def __get__(self, generator: Any, owner: type) -> Any:
        held = generator is not None and GAUSS_NEXT in generator.__dict__
        if not held:
            raise AttributeError(f"{owner.__name__!r} object has no attribute {GAUSS_NEXT!r}")
        if id(generator) in self._generators.drawing.free:
            return self._read(generator)
        return self._generators.draw(generator, GAUSS_NEXT, {}, lambda: self._read(generator))

    def __set__(self, generator: Any, value: Any) -> None:
        generator.__dict__[GAUSS_NEXT] = value

    def __delete__(self, generator: Any) -> None:
        del generator.__dict__[GAUSS_NEXT]

    def _read(self, generator: Any) -> Any:
        return left_by_gauss(generator) if self._below is None else self._below.__get__(generator, type(generator))


def install_gauss(generators: Generators, stack: ExitStack) -> None:
    """Put it into ``random.Random`` until the stack unwinds."""
    below = vars(random.Random).get(GAUSS_NEXT)
    setattr(random.Random, GAUSS_NEXT, _GaussNext(generators, below))
    if below is None:
        stack.callback(delattr, random.Random, GAUSS_NEXT)
    else:
        stack.callback(setattr, random.Random, GAUSS_NEXT, below)
