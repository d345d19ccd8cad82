"""The world's half of a child: a Popen that the program never sees, on which CPython's own code does the real work.

The program's Popen (its *face*) only ever takes over outcomes; so it behaves the same whether its child is real or not.
"""

from __future__ import annotations

import functools
import io
import subprocess
import types
from collections.abc import Callable, Mapping
from typing import Any, Final

from testbench.inplace import real

_WAITING: Final = ("communicate", "wait", "_communicate", "_wait", "_remaining_time", "_check_timeout")
"""Methods of Popen that read a clock or sleep."""

STREAMS: Final = ("stdin", "stdout", "stderr")


class _Globals(dict[str, Any]):
    """The global names of the module subprocess, as they are when they are looked up, but for those given."""

    def __missing__(self, name: str) -> Any:
        return vars(subprocess)[name]


def world_class(originals: Mapping[str, Callable[..., Any]]) -> Callable[[], type]:
    """Return what gives a class of Popen on which none of our redirects lies, and whose timeouts run on the real clock.

    The class is made when it is first asked for: most sessions start no child.

    Args:
        originals: what stood in Popen before our redirects, by name.
    """
    methods = {name: originals.get(name, vars(subprocess.Popen)[name]) for name in _WAITING}

    @functools.cache
    def world() -> type:
        waiting = {name: _on_real_clock(method) for name, method in methods.items()}
        # What becomes of an abandoned child is the business of its face.
        return type("World", (subprocess.Popen,), {**originals, **waiting, "__del__": lambda self: None})

    return world


def new_world(kind: Any, face: Any, pipes: Mapping[str, Any]) -> Any:
    """Return the world's half for a Popen whose child is about to start.

    Args:
        kind: from `world_class`.
        face: the program's Popen.
        pipes: its pipes, whose real streams the new object shares with them.
    """
    world = kind.__new__(kind)
    vars(world).update(vars(face))
    for name, pipe in pipes.items():
        setattr(world, name, io.BufferedWriter(pipe.reach()) if name == "stdin" else pipe.reach())
    world.text_mode, world.encoding, world.errors = False, None, None
    return world


def _on_real_clock(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of the module subprocess bound to clocks that nobody redirects or stops."""
    if not isinstance(function, types.FunctionType) or function.__globals__ is not vars(subprocess):
        return function  # an outer session's
    names = _Globals(_time=_monotonic, time=types.SimpleNamespace(sleep=real.sleep, monotonic=_monotonic))
    copy = types.FunctionType(function.__code__, names, function.__name__, function.__defaults__, function.__closure__)
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


def _monotonic() -> float:
    return real.monotonic_ns() / 1e9
