"""What may pass the waist: a value is copied when it is plain, and refused by name when it is not."""

from __future__ import annotations

from typing import Any, Final, NoReturn

from testbench.errors import UsageError
from testbench.protocol import Plain
from testbench.tape._items import DEPTH_LIMIT

ATOMS: Final = frozenset({type(None), bool, int, float, str, bytes})
"""The plain types that hold no others, and that nobody can change."""

_FIXES: Final = (
    ((tuple,), "list(value)"),
    ((set, frozenset), "sorted(value)"),
    ((bytearray, memoryview), "bytes(value)"),
    ((bool, int, float, str, bytes, list, dict), "to the built-in type it is derived from"),
)


def plain(value: object, name: str = "value") -> Plain:
    """Copy a value that is `Plain`, or refuse it.

    Args:
        value: anything.
        name: what the value is called in the refusal.

    Returns:
        An equal value that shares nothing changeable with the one given.

    Raises:
        UsageError: something in it is not None, bool, int, float, str, bytes, list or dict with str keys, by exact
            type; or it is nested deeper than 64, or refers to itself. The text names the place, the type and the fix.
    """
    try:
        return _copy(value, DEPTH_LIMIT)
    except NotPlainError:
        refuse(value, name)


class NotPlainError(Exception):
    """Met something that is not plain; where and what is found out by `refuse`, off the fast path."""


def _copy(value: Any, room: int) -> Plain:
    kind = type(value)
    if kind in ATOMS:
        return value  # type: ignore[no-any-return]  # the exact types were just checked
    if kind is dict and room:
        copy: dict[str, Plain] = {}
        for key, item in list(value.items()):  # a list: another thread may change the dict meanwhile
            if type(key) is not str:
                raise NotPlainError
            copy[key] = item if type(item) in ATOMS else _copy(item, room - 1)
        return copy
    if kind is list and room:
        return [item if type(item) in ATOMS else _copy(item, room - 1) for item in value]
    raise NotPlainError


def refuse(value: Any, path: str = "value") -> NoReturn:
    """Walk to the first thing that is not plain and raise UsageError that names it."""
    room = DEPTH_LIMIT
    while type(value) is dict or type(value) is list:
        if not room:
            raise UsageError(
                f"{_middle_out(path)} is nested deeper than {DEPTH_LIMIT} levels, or contains itself; a tape keeps "
                f"{DEPTH_LIMIT}. Flatten it: a list of rows, or one text made by json.dumps(value)."
            )
        room -= 1
        path, value = _suspect(value, path, room)
    raise UsageError(
        f"{_middle_out(path)} is of type {type_name(value)}; a tape keeps None, bool, int, float, str, bytes, list and "
        f"dict with str keys, by exact type. Convert it first: {_fix(value)}."
    )


def _suspect(value: Any, path: str, room: int) -> tuple[str, Any]:
    """Return the path and the value of the first child that is at fault."""
    rows = value.items() if type(value) is dict else enumerate(value)
    for key, item in list(rows):
        if type(value) is dict and type(key) is not str:
            raise UsageError(
                f"{_middle_out(path)} has the key {glimpse(key)} of type {type_name(key)}; a tape keeps dicts with str "
                "keys only. Convert it first: {str(key): item for key, item in value.items()}."
            )
        try:
            _copy(item, room)
        except NotPlainError:
            return f"{path}[{glimpse(key)}]", item
    raise UsageError(
        f"{_middle_out(path)} changed while it was recorded. Give the recorder a copy that no other thread changes."
    )


def _fix(value: object) -> str:
    return next((fix for kinds, fix in _FIXES if issubclass(type(value), kinds)), "str(value), or its fields in a dict")


def type_name(value: object) -> str:
    """Name the type of a value, with its module where it is not a built-in one."""
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def glimpse(value: object) -> str:
    """Show a value in at most 60 characters, without calling a ``__repr__`` that is foreign code."""
    if type(value) not in ATOMS:
        return "..."
    if type(value) is int and value.bit_length() > 256:
        return _middle_out(hex(value), 60)  # CPython refuses to write huge ints in decimal
    return _middle_out(repr(value[:60] if type(value) in (str, bytes) else value), 60)  # type: ignore[index]


def _middle_out(text: str, size: int = 160) -> str:
    half = size // 2
    return text if len(text) <= size else f"{text[:half]}...{text[-half:]}"
