"""What a fork does in the parent besides forking: it runs what was registered with `os.register_at_fork`."""

from __future__ import annotations

from typing import Final

from testbench.inplace._layout import api
from testbench.inplace.real import get_ident

_before = api("PyOS_BeforeFork", None)
_after = api("PyOS_AfterFork_Parent", None)

_IMITATING: Final[set[int]] = set()


def imitate_fork() -> None:
    """Do in this process what `os.fork` does in the parent, but for the fork (C-API, "Process control": ``PyOS_*``)."""
    ident = get_ident()
    _IMITATING.add(ident)
    try:
        _before()
        _after()
    finally:
        _IMITATING.discard(ident)


def is_imitated() -> bool:
    """Tell whether the fork that this thread is told of is none."""
    return get_ident() in _IMITATING
