"""``os.environ`` and ``os.environb``: what the program reads there is told, as far as it may be."""

from __future__ import annotations

import contextlib
import os
from _thread import _local
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, Final, cast

from testbench.inplace import Attribute
from testbench.protocol import Call, Plain
from testbench.recorders._environ_asker import program_asks
from testbench.recorders._environ_names import holds_password

_WITHHELD: Final = False
"""Stands on the tape for a value that may not: it is read live."""


class _Lane(_local):
    """What one thread has been told: values by name, None for no such variable; whether that is all there is."""

    def __init__(self) -> None:
        self.told: dict[str, Any] = {}
        self.complete = False


class Variables:
    """Answers reads of the environment, each thread for itself, so that it does not matter which one is first.

    Op ``get`` has the name as request and the value, None or `_WITHHELD` as outcome; op ``all`` gives everything that
    may be told, by name. What a thread was told it is not told again. Variables that the program sets or deletes are
    its own from then on, and live in both modes.

    Args:
        call: the waist.
        tellable: whether a variable may stand on the tape, by its name.
    """

    def __init__(self, call: Call, tellable: Callable[[str], bool]) -> None:
        self._call = call
        self._tellable = tellable
        self._lane = _Lane()
        self._own: set[str] = set()
        self._astray: set[str] = set()
        self._methods: dict[str, Callable[..., Any]] = {}

    def install(self, stack: ExitStack) -> None:
        """Stand in front of the live environment until the stack is unwound."""
        for name, method in (
            ("__getitem__", self._get),
            ("__setitem__", self._set),
            ("__delitem__", self._delete),
            ("__iter__", self._names),
            ("__len__", self._count),
        ):
            attribute = Attribute(os._Environ, name)
            stack.callback(attribute.restore)
            self._methods[name] = attribute.original
            attribute.to(_method(method, attribute.original, self._tellable))

    def _get(self, environ: Any, key: Any) -> Any:
        live = self._methods["__getitem__"]
        name = self._may_tell(environ, key)
        if name is None or name in self._own or not program_asks() or not self._call.follows():
            return live(environ, key)
        if name in self._astray:
            return self._stray(environ, key, name)
        told = self._ask(name)
        if told is _WITHHELD:
            return live(environ, key)
        if told is None:
            raise KeyError(key) from None
        return told if environ is os.environ else os.fsencode(told)

    def _set(self, environ: Any, key: Any, value: Any) -> None:
        self._methods["__setitem__"](environ, key, value)
        self._take(self._may_tell(environ, key))

    def _delete(self, environ: Any, key: Any) -> None:
        live = self._methods["__delitem__"]
        name = self._may_tell(environ, key)
        if name is None or name in self._own or not program_asks() or not self._call.follows():
            live(environ, key)
        else:
            self._get(environ, key)  # there is a KeyError where the tape says so
            with contextlib.suppress(KeyError):
                live(environ, key)
        self._take(name)

    def _names(self, environ: Any) -> Iterator[Any]:
        return iter(self._list(environ, program_asks()))

    def _count(self, environ: Any) -> int:
        return len(self._list(environ, program_asks()))

    def _list(self, environ: Any, asks: bool) -> list[Any]:
        """Return the keys: of what is live and cannot be told, and of what is told."""
        live = list(self._methods["__iter__"](environ))
        ours = environ is os.environ or environ is os.environb
        if not asks or not ours or not self._call.follows():
            return live
        self._ask_all()
        shown = [key for key in live if self._is_shown(environ, key)]
        have = {os.fsdecode(key) for key in shown}
        more = [name for name, told in self._lane.told.items() if told and name not in have | self._own]
        return [*shown, *(more if environ is os.environ else map(os.fsencode, more))]

    def _is_shown(self, environ: Any, key: Any) -> bool:
        name = self._may_tell(environ, key)
        return name is None or name in self._own or self._lane.told.get(name) is not None

    def _may_tell(self, environ: Any, key: Any) -> str | None:
        if environ is os.environ and type(key) is str:
            name = key
        elif environ is os.environb and type(key) is bytes:
            name = os.fsdecode(key)
        else:
            return None
        return name if self._tellable(name) else None

    def _ask(self, name: str) -> Any:
        lane = self._lane
        if name not in lane.told and not lane.complete:
            request: Plain = {"name": name}
            lane.told[name] = self._call("get", request, lambda: self._outcome(name))
        return lane.told.get(name)

    def _ask_all(self) -> None:
        lane = self._lane
        if not lane.complete:
            told = self._call("all", None, self._everything)
            lane.told = {**lane.told, **cast("dict[str, Plain]", told)}
            lane.complete = True

    def _everything(self) -> Plain:
        names = [name for name in self._methods["__iter__"](os.environ) if self._tellable(name)]
        return {name: self._outcome(name) for name in sorted(names) if name not in self._own}

    def _outcome(self, name: str) -> Plain:
        try:
            value: str = self._methods["__getitem__"](os.environ, name)
        except KeyError:
            return None
        return _WITHHELD if holds_password(value) else value

    def _take(self, name: str | None) -> None:
        """Note that somebody has changed a variable: the program, or what is performed for it and is not replayed."""
        if name is not None:
            (self._astray if self._call.inside() else self._own).add(name)

    def _stray(self, environ: Any, key: Any, name: str) -> Any:
        instead = "set the variable outside of the function that is a boundary, which a replay does not run"
        request: Plain = {"name": name}
        return self._call.leak("get", request, lambda: self._methods["__getitem__"](environ, key), instead=instead)


def _method(bound: Callable[..., Any], live: Callable[..., Any], tellable: Callable[[str], bool]) -> Callable[..., Any]:
    """Return a function, which a class makes a method of; most variables are nothing to us, and are done with soon."""

    def method(environ: Any, *args: Any) -> Any:
        if args and type(args[0]) is str and not tellable(args[0]):
            return live(environ, *args)
        return bound(environ, *args)

    return method
