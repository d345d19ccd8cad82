"""Placeholders for what differs between machines: the working directory, the home, the interpreter, the user's own.

They work both ways: ``/home/me/app/data`` becomes ``${CWD}/data`` on a tape, and on replay the path that it is there.
On one machine nothing is lost, since a text that holds ``${CWD}`` itself gets a mark.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any, AnyStr, Final

from testbench.errors import UsageError
from testbench.protocol import Plain

CWD: Final = "${CWD}"
TMP: Final = "${TMP}"
HOME: Final = "${HOME}"
PYTHON: Final = "${PYTHON}"

_NAME: Final = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")


class Places:
    """Placeholders and what they stand for in this process.

    Args:
        values: paths, or other texts, by placeholder. Of those that are equal the first counts; one that is empty, or
            only the root, stands for nothing.

    Attributes:
        names: the placeholders, in order.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self.names = list(values)
        found: dict[str, str] = {}
        for name, value in values.items():
            if value not in ("", "/"):
                found.setdefault(value, name)
        longest = sorted(found, key=len, reverse=True)
        names = "|".join(name[2:-1] for name in values)
        known = "|".join(map(re.escape, longest)) or "(?!)"
        self._texts = _Both(known, names, found, dict(values))

    def contract(self, value: Plain, *, bytes_too: bool = True) -> Plain:
        """Return a value as it stands on a tape; the very same where nothing in it has a placeholder."""
        return _each(value, self._texts.contract, (str, bytes) if bytes_too else (str,))

    def expand(self, value: Plain, *, bytes_too: bool = True) -> Plain:
        """Return a value of a tape as it is on this machine."""
        return _each(value, self._texts.expand, (str, bytes) if bytes_too else (str,))


class _Both:
    """The replacements, for text and for bytes."""

    def __init__(self, known: str, names: str, by_value: dict[str, str], by_name: dict[str, str]) -> None:
        there = rf"(?<![\w.-])(?P<value>{known})(?![\w-]|\.\w)|\$\{{(?P<marks>=*)(?P<name>{names})\}}"
        back = rf"\$\{{(?P<marks>=*)(?P<name>{names})\}}"
        self._there, self._back = (re.compile(pattern) for pattern in (there, back))
        self._there_bytes, self._back_bytes = (re.compile(os.fsencode(pattern)) for pattern in (there, back))
        self._by_value, self._by_name = by_value, by_name

    def contract(self, text: AnyStr) -> AnyStr:
        """Return a text of the program as it stands on a tape."""
        if isinstance(text, bytes):
            return self._there_bytes.sub(lambda found: os.fsencode(self._named(found, os.fsdecode)), text)
        return self._there.sub(lambda found: self._named(found, str), text)

    def expand(self, text: AnyStr) -> AnyStr:
        """Return a text of a tape as the program gets it."""
        if isinstance(text, bytes):
            return self._back_bytes.sub(lambda found: os.fsencode(self._meant(found, os.fsdecode)), text)
        return self._back.sub(lambda found: self._meant(found, str), text)

    def _named(self, found: re.Match[Any], plain: Callable[[Any], str]) -> str:
        if found["value"] is not None:
            return self._by_value[plain(found["value"])]
        return f"${{={plain(found['marks'])}{plain(found['name'])}}}"

    def _meant(self, found: re.Match[Any], plain: Callable[[Any], str]) -> str:
        marks, name = plain(found["marks"]), plain(found["name"])
        return f"${{{marks[1:]}{name}}}" if marks else self._by_name[f"${{{name}}}"]


def _each(value: Plain, change: Callable[[Any], Any], kinds: tuple[type, ...]) -> Plain:
    if isinstance(value, kinds):
        changed: Plain = change(value)
        return value if changed == value else changed
    if isinstance(value, list):
        items = [_each(item, change, kinds) for item in value]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    if isinstance(value, dict):
        fields = {key: _each(item, change, kinds) for key, item in value.items()}
        return fields if any(fields[key] is not item for key, item in value.items()) else value
    return value


def check_placeholders(given: Any) -> Any:
    """Return what is given as ``placeholders=``: whether there are any, or the user's own.

    Raises:
        UsageError: it is something else.
    """
    if isinstance(given, bool):
        return given
    if not isinstance(given, Mapping):
        raise UsageError(
            f"placeholders={given!r}; expected True, False, or a mapping such as {{'${{DATA}}': '/srv/data'}}"
        )
    for name, value in given.items():
        if not isinstance(name, str) or _NAME.fullmatch(name) is None:
            raise UsageError(f"placeholders= holds the name {name!r}; expected capitals in braces, such as '${{DATA}}'")
        if not isinstance(value, (str, os.PathLike)):
            raise UsageError(f"placeholders= says {name} is {value!r}; expected a text or a path")
    return {name: os.fspath(value) for name, value in given.items()}


def places(given: bool | Mapping[str, str]) -> Places | None:
    """Return the placeholders of a new tape; None if it has none."""
    if given is False:
        return None
    own = {} if given is True else dict(given)
    return Places({**own, **{name: value for name, value in _usual().items() if name not in own}})


def places_of(names: Iterable[Any], given: bool | Mapping[str, str]) -> Places | None:
    """Return the placeholders of a tape that is replayed, with what they stand for here.

    Args:
        names: those that its header lists.
        given: the user's own.

    Raises:
        UsageError: one of them stands for nothing here.
    """
    listed = [name for name in names if isinstance(name, str) and _NAME.fullmatch(name)]
    if not listed:
        return None
    known = {**_usual(), **({} if isinstance(given, bool) else given)}
    for name in listed:
        if name not in known:
            raise UsageError(
                f"the tape was recorded with a placeholder {name}, and nobody says what that is here; give "
                f"placeholders={{{name!r}: ...}}"
            )
    return Places({name: known[name] for name in listed})


def _usual() -> dict[str, str]:
    from tempfile import gettempdir  # loads `random` and more, which a program without placeholders need not

    return {PYTHON: sys.executable, CWD: _working_directory(), TMP: gettempdir(), HOME: os.path.expanduser("~")}


def _working_directory() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:  # it has been taken away; so no path is in it
        return ""
