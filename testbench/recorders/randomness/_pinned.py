"""Randomness that is none: what recordings draw from when the user gives a seed."""

from __future__ import annotations

import _random
from typing import Final

from testbench.protocol import Plain
from testbench.recorders.randomness._state import packed

_BITS: Final = _random.Random.getrandbits
"""Taken early: a session puts its own in the place of it."""

_GETSTATE: Final = _random.Random.getstate


class Pinned:
    """A source of bytes and of generators that depends on nothing but its seed. Never for secrets.

    Args:
        seed: any integer; its sign does not count, as in ``random.seed``.
    """

    def __init__(self, seed: int) -> None:
        self._generator = _random.Random(seed)

    def bytes(self, size: int) -> bytes:
        """Return the next ``size`` bytes."""
        return _BITS(self._generator, size * 8).to_bytes(size, "little") if size else b""

    def state(self) -> dict[str, Plain]:
        """Return a new state of a generator, as a tape holds it."""
        return packed(_GETSTATE(_random.Random(_BITS(self._generator, 256))), None)
