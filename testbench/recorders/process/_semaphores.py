"""Semaphores that several processes share, of which all locks and queues of multiprocessing are made: op ``semaphore``.

Every call of a method is an event, since another process may have acquired or released them meanwhile. On replay the
semaphore itself is not touched.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final

from testbench.inplace import TypeSlot
from testbench.protocol import Plain
from testbench.recorders.process._children import Children

_ACQUIRING: Final = ("acquire", "__enter__")
_OTHERS: Final = ("release", "__exit__", "_count", "_is_mine", "_get_value", "_is_zero")
_RAISES: Final = (OSError, ValueError, AssertionError, NotImplementedError, OverflowError)


def install_semaphores(children: Children, stack: ExitStack) -> None:
    """Redirect the methods until the stack is closed; locks that exist already follow."""
    try:
        import _multiprocessing  # type: ignore[import-not-found]
    except ImportError:
        return  # a system without semaphores that have names: multiprocessing has no locks there
    for name in (*_ACQUIRING, *_OTHERS):
        slot = TypeSlot(_multiprocessing.SemLock, name)
        make = _acquiring if name in _ACQUIRING else _asking
        stack.push(slot)
        slot.to(make(children, name, slot.original))
    _bind_again()
    stack.callback(_bind_again)


def _acquiring(children: Children, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    def acquire(semaphore: Any, block: Any = True, timeout: Any = None) -> Any:
        """Acquire it, or wait until that is enough."""
        if children.passing():
            return original(semaphore) if name == "__enter__" else original(semaphore, block, timeout)
        blocks, seconds = bool(block), None if timeout is None else float(timeout)
        asked: dict[str, Plain] = {"block": blocks, "timeout": seconds}
        effect = (lambda: original(semaphore)) if name == "__enter__" else lambda: original(semaphore, blocks, seconds)
        return _cross(children, name, semaphore, asked, effect)

    acquire.__name__ = name
    return acquire


def _asking(children: Children, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    def ask(semaphore: Any, *args: Any) -> Any:
        """Release it, or tell how it stands."""
        if children.passing():
            return original(semaphore, *args)
        given = (None, None, None) if name == "__exit__" else args
        asked: dict[str, Plain] = {"block": None, "timeout": None}
        return _cross(children, name, semaphore, asked, lambda: original(semaphore, *given))

    ask.__name__ = name
    return ask


def _cross(children: Children, name: str, semaphore: Any, asked: dict[str, Plain], effect: Callable[[], Any]) -> Any:
    request: dict[str, Plain] = {"method": name.strip("_"), "kind": semaphore.kind, "most": semaphore.maxvalue, **asked}
    return children.cross("semaphore", request, lambda: {"value": effect()}, raises=_RAISES)["value"]


def _bind_again() -> None:
    """Let locks take their methods anew: they keep them from when they were made."""
    synchronize: Any = sys.modules.get("multiprocessing.synchronize")
    if synchronize is not None:
        for thing in list(synchronize.util._afterfork_registry.values()):
            if isinstance(thing, synchronize.SemLock):
                thing._make_methods()
