"""The state of one generator of ``random``, as a tape holds it.

A Mersenne Twister is 624 words of 32 bits and an index (``_random.Random.getstate``). ``random.Random`` keeps one thing
more: the second of the two numbers that ``gauss`` makes at a time.
"""

from __future__ import annotations

import _random
import struct
from collections.abc import Callable, Mapping
from types import NoneType
from typing import Any, Final

import attrs

from testbench.protocol import Plain

GAUSS_NEXT: Final = "gauss_next"

_WORDS: Final = struct.Struct("<625I")


@attrs.frozen
class States:
    """Reads and sets states by what stood there before a session came.

    Args:
        get: ``getstate(generator)``, of the type written in C.
        put: ``setstate(generator, words)``, likewise.
    """

    _get: Callable[[Any], tuple[int, ...]]
    _put: Callable[[Any, tuple[int, ...]], None]

    def read(self, generator: _random.Random) -> dict[str, Plain]:
        """Return the words and the index (2500 bytes, little-endian), and what ``gauss`` has left."""
        return packed(self._get(generator), left_by_gauss(generator))

    def write(self, generator: _random.Random, state: Mapping[str, Any]) -> None:
        """Bring a generator into a state."""
        words, left = words_of(state["words"]), state[GAUSS_NEXT]
        if type(left) not in (float, NoneType):
            raise TypeError(f"expected a float that gauss has left, or None, not {left!r}")
        self._put(generator, words)
        if hasattr(generator, "__dict__"):
            generator.__dict__[GAUSS_NEXT] = left


def packed(words: tuple[int, ...], left: float | None) -> dict[str, Plain]:
    """Return a state as a tape holds it."""
    return {"words": bytes_of(words), GAUSS_NEXT: left}


def left_by_gauss(generator: _random.Random) -> float | None:
    """Return what ``gauss`` has left in a generator, None where there is nothing."""
    left = getattr(generator, "__dict__", {}).get(GAUSS_NEXT)
    return left if type(left) is float else None


def bytes_of(words: tuple[int, ...]) -> bytes:
    """Return the words of a state in one piece."""
    return _WORDS.pack(*words)


def words_of(packed: bytes) -> tuple[int, ...]:
    """Return the words of a state as ``_random.Random.getstate`` gives them."""
    return _WORDS.unpack(packed)
