"""Plain values: comparing them, and turning live objects into them and back (tuples, sets, paths, …).

A plain value stands for itself. Everything else becomes a dict with one key that starts with ``$``; a user's own dict
that looks like one is written as ``$dict``, so that nothing is ever taken for something else.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from marshal import dumps
from typing import Any, Final

from testbench.errors import TapeDamagedError, UnsupportedError
from testbench.protocol import Plain

_PLAIN: Final = frozenset({type(None), bool, int, float, str, bytes})


def encode(value: Any, where: str = "value") -> Plain:
    """Return the plain form of a live object.

    Args:
        value: plain scalars, and any nesting of list, dict, tuple, set, frozenset, bytearray, complex and paths.
        where: what the object is, for the error.

    Raises:
        UnsupportedError: a type that could not be given back exactly (subclasses included).
    """
    kind = type(value)
    if kind in _PLAIN:
        return value  # type: ignore[no-any-return]  # the set above is the scalar half of Plain
    if kind is list:
        return [encode(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if kind is dict:
        if all(type(key) is str for key in value) and not _looks_encoded(value):
            return {key: encode(item, f"{where}[{key!r}]") for key, item in value.items()}
        return {"$dict": [[encode(k, f"{where} key"), encode(v, f"{where}[{k!r}]")] for k, v in value.items()]}
    encoder = _ENCODERS.get(kind)
    if encoder is None:
        raise UnsupportedError(
            f"{where} is a {kind.__module__}.{kind.__qualname__}, which a tape cannot give back exactly; expected "
            "None, bool, int, float, str, bytes, list, dict, tuple, set, frozenset, bytearray, complex or a pathlib "
            "path. Convert it, or give @testbench.boundary an encode= and a decode= function."
        )
    return encoder(value, where)


def decode(value: Plain) -> Any:
    """Return the live object that was given to `encode`.

    Raises:
        TapeDamagedError: a dict with a ``$`` key that `encode` never writes.
    """
    if type(value) is list:
        return [decode(item) for item in value]
    if type(value) is not dict:
        return value
    if not _looks_encoded(value):
        return {key: decode(item) for key, item in value.items()}
    ((name, content),) = value.items()
    try:
        return _DECODERS[name](content)
    except (KeyError, TypeError, ValueError) as error:
        raise TapeDamagedError(f"a value on the tape says {name!r} and holds no such thing: {error!r}") from error


def same(left: Plain, right: Plain) -> bool:
    """Compare two plain values exactly: ``1`` is not ``True``, NaN equals itself, ``-0.0`` is not ``0.0``.

    Their serial forms are compared, which C code writes in one go: version 2 of `marshal` keeps every type and bit, and
    knows neither interned strings nor references.
    """
    try:
        return left is right or dumps(left, 2) == dumps(right, 2)
    except ValueError:
        return False  # one of them is no plain value: nothing on a tape is the same


def _looks_encoded(value: dict[Any, Any]) -> bool:
    return len(value) == 1 and next(iter(value)).startswith("$")


def _items(name: str) -> Callable[[Any, str], Plain]:
    return lambda value, where: {name: [encode(item, f"{where}[{i}]") for i, item in enumerate(value)]}


def _unordered(name: str) -> Callable[[Any, str], Plain]:
    # The iteration order of a set depends on the hash seed; the tape must not.
    return lambda value, where: {name: sorted((encode(item, f"{where} item") for item in value), key=repr)}


_ENCODERS: Final[dict[type, Callable[[Any, str], Plain]]] = {
    tuple: _items("$tuple"),
    set: _unordered("$set"),
    frozenset: _unordered("$frozenset"),
    bytearray: lambda value, where: {"$bytearray": bytes(value)},
    complex: lambda value, where: {"$complex": [value.real, value.imag]},
    pathlib.PosixPath: lambda value, where: {"$path": str(value)},
    pathlib.PurePosixPath: lambda value, where: {"$purepath": str(value)},
}

_DECODERS: Final[dict[str, Callable[[Any], Any]]] = {
    "$dict": lambda content: {decode(key): decode(item) for key, item in content},
    "$tuple": lambda content: tuple(decode(item) for item in content),
    "$set": lambda content: {decode(item) for item in content},
    "$frozenset": lambda content: frozenset(decode(item) for item in content),
    "$bytearray": lambda content: bytearray(b"").join([content]),  # bytearray(n) would allocate n bytes
    "$complex": lambda content: complex(*content),
    "$path": pathlib.PosixPath,
    "$purepath": pathlib.PurePosixPath,
}
