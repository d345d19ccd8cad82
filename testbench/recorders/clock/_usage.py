"""What the process has used, and how busy the machine is: ``resource.getrusage``, ``os.getloadavg``."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from types import ModuleType
from typing import Any, Final

from testbench.inplace import Redirect
from testbench.protocol import Call, Plain
from testbench.recorders._imports import Importing, when_imported
from testbench.recorders.clock._virtual import VirtualClock

_LOAD: Final = os.getloadavg
_FIELDS: Final = 16
"""How many numbers ``getrusage`` gives, the first two as floats."""


def install_usage(call: Call, stack: ExitStack, virtual: VirtualClock | None) -> None:
    """Send both through ``call`` until the stack unwinds; where time stands still, nothing is used."""
    still = virtual is not None and virtual.still
    _redirected(stack, _LOAD, lambda original: _load(call, original, still))

    def resource_is_there(resource: ModuleType) -> None:
        make = resource.struct_rusage
        _redirected(stack, resource.getrusage, lambda original: _usage(call, original, make, still))

    when_imported("resource", stack, Importing(), resource_is_there)


def _redirected(stack: ExitStack, function: Any, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    redirect = Redirect(function)
    stack.push(redirect)
    redirect.to(make(redirect.original))


def _load(call: Call, original: Callable[..., Any], still: bool) -> Callable[..., Any]:
    """Outcome: the three averages."""

    def getloadavg() -> Any:
        return tuple(call("getloadavg", {}, lambda: [0.0] * 3 if still else [*original()], raises=(OSError,)))  # type: ignore[arg-type]  # that list

    return getloadavg


def _usage(call: Call, original: Callable[..., Any], make: Callable[..., Any], still: bool) -> Callable[..., Any]:
    """Outcome: the sixteen numbers."""

    def getrusage(who: Any) -> Any:
        if type(who) is not int:
            return original(who)

        def effect() -> Plain:
            used = [*original(who)]  # whom there is not is refused as ever
            return [0.0, 0.0, *[0] * (_FIELDS - 2)] if still else used

        return make(call("getrusage", {"who": who}, effect, raises=(OSError, ValueError, OverflowError)))

    return getrusage
