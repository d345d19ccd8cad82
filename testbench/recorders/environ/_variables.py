"""``os.environ`` and ``os.environb``: each variable that the program asks for is a fact, if it may be told.

Op ``variable`` has a name as request. Its outcome is the value, None for no such variable, or a dict that says why the
value is withheld; then the program reads the live one, and where there is none on replay, that is refused. Op
``variables`` is a look at all of them: the patterns of the names that are told then, and those that there were.

A replay gives ``os.environ`` the recorded variables for as long as it lasts; so whoever copies it, prints it or goes
through it finds them, and all that the program does with it is real. The C library keeps its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import Any, Final

from testbench.errors import TapeDamagedError
from testbench.inplace import Attribute
from testbench.protocol import Call, Plain
from testbench.recorders._asker import program_asks
from testbench.recorders.environ._copies import Copies
from testbench.recorders.environ._names import Names, matches
from testbench.recorders.environ._restored import Restored

_OP: Final = "variable"
_ALL: Final = "variables"
_ASTRAY: Final = "set the variable outside of the function that is a boundary, which a replay does not run"
_WITHHELD: Final = (
    "the recording had a value for {name}, which is not on the tape because {why}; set {name} for the replay too, to "
    "any value that the program can live with"
)
_WHY: Final = {"name": "its name looks like that of a secret, or was named as one", "value": "it looks like a secret"}


class Variables:
    """The variables of one session.

    Args:
        call: the waist.
        names: what may be told.
    """

    def __init__(self, call: Call, names: Names) -> None:
        self._call = call
        self._names = names
        self._data: dict[bytes, bytes] = os.environ._data  # type: ignore[attr-defined]  # what both mappings share
        self._initial: dict[bytes, bytes] = {}
        self._told: set[str] = set()
        self._known: set[str] = set()
        """What is not to be asked: it was told, or is the program's own by now."""
        self._astray: set[str] = set()
        self._written: set[str] = set()
        """What the program has set or deleted, ever."""
        self._cleared = False
        self._looked = False
        self._copies = Copies()

    def install(self, stack: ExitStack) -> None:
        """Stand in front of the mappings until the stack is unwound."""
        self._foresee(stack)
        self._initial.update(self._data)
        for name, made in (
            ("__getitem__", self._getting),
            ("__setitem__", self._setting),
            ("__delitem__", self._deleting),
            ("__iter__", self._going_through),
            ("__len__", self._counting),
            ("clear", self._clearing),
        ):
            attribute = Attribute(os._Environ, name)
            stack.push(attribute)
            attribute.to(made(attribute.original))

    def _foresee(self, stack: ExitStack) -> None:
        """Give the process what a replay knows, and take it back at the end."""
        restored = Restored(self._data)
        stack.callback(restored.restore)
        for _, told in self._call.foretold(_ALL):
            values = _values(told)
            absent = dict.fromkeys(name for name in self._looked_at(_patterns(told)) if name not in values)
            for name, value in {**absent, **values}.items():
                if not isinstance(value, dict):
                    restored.set(name, value)
            self._know(values)
        for request, told in self._call.foretold(_OP):
            asked = request.get("name") if isinstance(request, dict) else None
            if not isinstance(told, dict):
                restored.set(asked, told)
                self._know([str(asked)])

    # Methods of the mapping, each made of its original.

    def _getting(self, original: Callable[..., Any]) -> Callable[..., Any]:
        known, asked = self._known, self._asked

        def getitem(environ: Any, key: Any) -> Any:
            if type(key) is not str or key not in known:
                asked(environ, key)
            return original(environ, key)

        return getitem

    def _setting(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def setitem(environ: Any, key: Any, value: Any) -> None:
            original(environ, key, value)
            self._changed(environ, key)

        return setitem

    def _deleting(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def delitem(environ: Any, key: Any) -> None:
            self._asked(environ, key)  # whether there is one
            original(environ, key)
            self._changed(environ, key)

        return delitem

    def _going_through(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def iterate(environ: Any) -> Iterator[Any]:
            self._asked_all(environ)
            return iter(self._copies.given(list(original(environ))))

        return iterate

    def _counting(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def length(environ: Any) -> Any:
            self._asked_all(environ)
            return original(environ)

        return length

    def _clearing(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def clear(environ: Any) -> None:
            original(environ)
            self._cleared = self._cleared or (self._is_ours(environ) and not self._call.inside())

        return clear

    # What they mean.

    def _asked(self, environ: Any, key: Any) -> None:
        name = self._name(environ, key)
        if name is None or name in self._known or self._copies.holds(key):
            return
        if not self._call.follows() or not program_asks():
            return
        request: Plain = {"name": name}
        if name in self._astray:
            self._call.leak(_OP, request, lambda: None, instead=_ASTRAY)
            return
        own = self._cleared or name in self._written  # as it was then, by what the program has done
        told = self._call.fact(_OP, request, lambda: self._outcome(name), listed=not own)
        if isinstance(told, dict) and self._live(name) is None:
            instead = _WITHHELD.format(name=name, why=_WHY.get(str(told.get("withheld")), "it was withheld"))
            self._call.leak(_OP, request, lambda: None, instead=instead)
        self._know([name])

    def _know(self, names: Iterable[str]) -> None:
        self._told.update(names)
        self._known |= self._told

    def _outcome(self, name: str) -> Plain:
        live = self._live(name)
        if live is not None and self._names.is_withheld(name):
            return {"withheld": "name"}
        return {"withheld": "value"} if live is not None and self._names.holds_secret(name, live) else live

    def _all(self) -> Plain:
        patterns = self._names.patterns
        names = sorted(name for name in self._looked_at(patterns) if name not in self._known)
        return {"patterns": [*patterns], "values": {name: self._outcome(name) for name in names}}

    def _looked_at(self, patterns: list[str]) -> list[str]:
        """Return the names of live variables that are told when the program looks at all of them."""
        names = map(os.fsdecode, list(self._data))
        return [name for name in names if matches(name, patterns)]

    def _live(self, name: str) -> str | None:
        value = self._data.get(os.fsencode(name))
        return None if value is None else os.fsdecode(value)

    def _is_ours(self, environ: Any) -> bool:
        return bool(environ._data is self._data)

    def _name(self, environ: Any, key: Any) -> str | None:
        """Return the name that a key stands for; None where the original says what is wrong with it."""
        if not self._is_ours(environ):
            return None
        try:
            encoded = environ.encodekey(key)
        except (TypeError, UnicodeEncodeError):
            return None
        return os.fsdecode(encoded)

    def _asked_all(self, environ: Any) -> None:
        if self._looked or not self._is_ours(environ) or not self._call.follows() or not program_asks():
            return
        self._know(_values(self._call.fact(_ALL, None, self._all)))
        self._looked = True

    def _changed(self, environ: Any, key: Any) -> None:
        """Note that somebody has changed a variable: the program, or what is performed for it and is not replayed."""
        name = self._name(environ, key)
        if name is None:
            return
        if self._call.inside():
            self._known.discard(name)
            self._astray.add(name)
            return
        self._astray.discard(name)
        self._written.add(name)
        key, again = os.fsencode(name), name in self._known and name not in self._told
        if again and self._data.get(key) == self._initial.get(key):
            self._known.discard(name)  # it is back as it was: the program has restored a copy
        else:
            self._known.add(name)


def _values(told: Plain) -> dict[str, Plain]:
    values = told.get("values") if isinstance(told, dict) else None
    if not isinstance(values, dict):
        raise TapeDamagedError(f"the tape holds {told!r} for all variables; expected their patterns and values")
    return values


def _patterns(told: Plain) -> list[str]:
    patterns = told.get("patterns") if isinstance(told, dict) else None
    return [pattern for pattern in patterns if isinstance(pattern, str)] if isinstance(patterns, list) else []
