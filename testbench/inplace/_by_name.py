"""Redirect by name: the declared, weaker way, for interpreters whose functions cannot be redirected in place.

A *stand-in* takes the place of a function in the module that defines it and in the few of the standard library that
name it too (`posix.read` is also `os.read`). Whoever looks the function up there follows; whoever took it before
(``from time import time``, a default argument, ``self._clock = time.time``) does not. Methods of types written in C
have no name that could be replaced: ``datetime.now`` stays what it is.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import Any, Final

from testbench.errors import UsageError
from testbench.inplace import _order, _way
from testbench.inplace._attribute import Attribute
from testbench.inplace._function import Redirect
from testbench.inplace._type import TypeSlot

_NAMERS: Final = frozenset(
    (
        *("_signal", "_socket", "io", "os", "pty", "queue", "sched", "select", "selectors", "signal", "socket"),
        *("random", "socketserver", "subprocess", "telnetlib", "threading", "timeit", "trace", "uuid"),
    )
)
"""Modules of the standard library that name functions which others define."""


class StandIn:
    """Stands for one function in the modules that name it, while anything redirects it.

    A name that is bound to it meanwhile keeps it for good, and so follows every later redirect, as it would follow the
    function itself; between redirects it is the function. Like a builtin it does not become a method in a class body.

    Args:
        function: what it stands for; its name, docstring and module are taken over.

    Attributes:
        function: what it stands for.
        target: what calls go to now.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)
        self.function = self.target = function

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        return self.target(*args, **kwargs)

    def __reduce__(self) -> str:
        return self.function.__name__  # pickled by name, as the function is

    def take_places(self) -> None:
        """Stand wherever a module that we know names the function.

        Raises:
            UsageError: its own module does not name it.
        """
        own = home(self.function)
        module, name = sys.modules.get(own), getattr(self.function, "__name__", "")
        held = None if module is None else vars(module).get(name)
        if held is not self.function and held is not self:
            raise UsageError(
                f"{self.function!r} cannot be redirected by name: no module has it under its own name. If a tool that "
                "freezes time has replaced it, begin the session outside of it."
            )
        self._change_places(lambda name: name in _NAMERS or name == own, self.function, self)

    def leave_places(self) -> None:
        """Put the function back, except where the program has put something else meanwhile."""
        self._change_places(lambda name: name in _NAMERS or name == home(self.function), self, self.function)

    def _change_places(self, wanted: Callable[[str], bool], held: object, instead: object) -> None:
        for module in _modules(wanted):
            for name in [name for name, value in vars(module).items() if value is held]:
                setattr(module, name, instead)


_stand_ins: Final[dict[int, StandIn]] = {}
"""All that were ever made, by the address of their function: each is needed as long as somebody may hold it."""


class RedirectByName(Redirect):
    """`Redirect`, for those who look the function up in a module."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._stand_in = _stand_in_for(function)
        below = _order.highest(self._stand_in)
        self.original = self._stand_in.function if below is None else below._call
        self._below = below
        self._target: Callable[..., Any] | None = None

    def to(self, target: Callable[..., Any]) -> None:
        """Route calls to ``target`` from now on; again to route them to another one.

        Raises:
            UsageError: ``target`` cannot be called, the function was redirected by somebody else after this object was
                made, or its own module does not name it.
        """
        if not callable(target):
            raise UsageError(f"{self} cannot be redirected to {target!r}: it is not callable.")
        with _order.change:
            if self._target is None:
                self._enter()
            self._target = target
            if _order.highest(self._stand_in) is self:
                self._stand_in.target = target

    def _restore(self) -> None:
        if self._target is not None:
            _order.pop(self._stand_in, self)
            self._stand_in.target = self.original
            if self._below is None:
                self._stand_in.leave_places()
            self._target = None

    def __str__(self) -> str:
        return full_name(self._stand_in.function)

    def _enter(self) -> None:
        if _order.highest(self._stand_in) is not self._below:
            raise UsageError(
                f"{self} was redirected by another after this Redirect was made, so its original is out of date. "
                "Make the Redirect right before its first use."
            )
        if self._below is None:
            self._stand_in.take_places()
        _order.push(self._stand_in, self)

    def _call(self, /, *args: Any, **kwargs: Any) -> Any:
        return self._target(*args, **kwargs)  # type: ignore[misc]  # it is active: another stands above it


class TypeSlotByName(TypeSlot):
    """`TypeSlot`, where the type lets itself be changed; where it does not, the session is told that it misses this."""

    def __init__(self, owner: type, name: str) -> None:
        self._attribute = Attribute(owner, name)
        self.original = self._attribute.original
        self._follows = _can_be_set(owner, name)
        if not self._follows:
            _way.miss(
                f"{owner.__module__}.{owner.__qualname__}.{name}",
                "any line: a method of a type written in C, which interception by name does not follow",
            )

    def to(self, value: Any) -> None:
        """Put ``value`` there, if that is possible."""
        if self._follows:
            self._attribute.to(value)

    def _restore(self) -> None:
        self._attribute._restore()


FORMS: Final[Mapping[type, type]] = {Redirect: RedirectByName, TypeSlot: TypeSlotByName}


def _can_be_set(owner: type, name: str) -> bool:
    try:
        setattr(owner, name, vars(owner)[name])  # which changes nothing
    except TypeError:
        return False
    return True


def full_name(function: Callable[..., Any]) -> str:
    """Return module and name of a function."""
    return f"{home(function)}.{function.__name__}"


def home(function: Callable[..., Any]) -> str:
    """Return the name of the module that defines a function; of a bound method (``random.random``), its type."""
    module = getattr(function, "__module__", None)
    return str(module or type(getattr(function, "__self__", None)).__module__)


def earlier_names() -> Iterator[tuple[str, str]]:
    """Give what is redirected now, and where another module has named it already: that name is not followed."""
    standing = {id(each.function): full_name(each.function) for each in _stand_ins.values() if _order.highest(each)}
    for module in _modules(lambda name: name.partition(".")[0] != "testbench"):
        for name, value in list(vars(module).items()):
            if id(value) in standing:
                where = f"{module.__name__}.{name}, a name bound before the session"
                yield standing[id(value)], f"{where}, which interception by name does not follow"


def _stand_in_for(function: Callable[..., Any]) -> StandIn:
    if isinstance(function, StandIn):
        return function
    return _stand_ins.get(id(function)) or _stand_ins.setdefault(id(function), StandIn(function))


def _modules(wanted: Callable[[str], bool]) -> Iterator[ModuleType]:
    """Give the loaded modules with a wanted name; one that is only loaded when it is looked into stays unloaded."""
    for name, module in list(sys.modules.items()):
        if type(module) is ModuleType and wanted(name):
            yield module
