"""The numbers by which the program knows its own process and its parent, where they are not those of the system."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

_REAL: Final[dict[int, int]] = {}


class OwnPid(int):
    """The pid of this process, or of its parent, which is what the program means for certain, whoever else has it.

    A child of long ago may have had the number that the system gave to this process now.
    """

    __slots__ = ()


def tell_pid(told: int, real: int) -> Callable[[], None]:
    """Let functions that take a pid know what a number means that the program was told; return what ends that."""
    before = _REAL.get(told)
    _REAL[told] = real

    def forget() -> None:
        if before is None:
            _REAL.pop(told, None)
        else:
            _REAL[told] = before

    return forget


def real_pid(pid: Any) -> Any:
    """Return the pid that the system knows, as `OwnPid`, for one that the program was told; all else as it is."""
    return OwnPid(_REAL[pid]) if type(pid) is int and pid in _REAL else pid
