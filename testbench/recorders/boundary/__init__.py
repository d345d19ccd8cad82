"""The kind ``call``: any function that the user marks with `boundary`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar, overload

from testbench.errors import UnsupportedError, UsageError
from testbench.protocol import Call, Matcher, Plain
from testbench.recorders.boundary._crossing import OPEN, Open, cross, encoded, performed, sessions
from testbench.recorders.boundary._generator import Steps
from testbench.values import decode as decode_value

F = TypeVar("F", bound=Callable[..., Any])


class Boundary:
    """Records and answers calls of the functions marked with `boundary`."""

    kind = "call"
    version = 1
    matchers: Mapping[str, Matcher] = {}

    @contextmanager
    def install(self, call: Call) -> Iterator[None]:
        """Send marked functions through ``call``."""
        opened = Open(call)
        OPEN.append(opened)
        try:
            yield
        finally:
            OPEN.remove(opened)


@overload
def boundary(function: F, /) -> F: ...


@overload
def boundary(
    *,
    name: str | None = None,
    ignore: tuple[str, ...] = ("self", "cls"),
    encode: Callable[[Any], Any] | None = None,
    decode: Callable[[Any], Any] | None = None,
) -> Callable[[F], F]: ...


def boundary(
    function: F | None = None,
    /,
    *,
    name: str | None = None,
    ignore: tuple[str, ...] = ("self", "cls"),
    encode: Callable[[Any], Any] | None = None,
    decode: Callable[[Any], Any] | None = None,
) -> F | Callable[[F], F]:
    """Mark a function as a boundary: recorded as one event, answered on replay without being run.

    Of a generator function, each step of its generators is an event: what was sent or thrown into it, and what it
    yielded or returned. Outside of a session, and inside of another marked function, it is called as it is. Its
    arguments, result and exceptions must be values (see `testbench.values.encode`), else the recording breaks, also
    where the program swallows the error; what it does to its arguments is not recorded. Whatever `Exception` it raises
    is an outcome; its type, args, attributes and cause come back on replay.

    Args:
        function: a plain function, method or generator function.
        name: its name on the tape; module and qualified name unless given.
        ignore: parameters that are not part of the request.
        encode: turns the live result, or what a generator yields, into a value.
        decode: turns that value into a live result again, while recording too.

    Raises:
        UnsupportedError: a coroutine function, or no function at all.
        UsageError: ``ignore`` names something that is no parameter, or only one of ``encode`` and ``decode`` is given.
    """
    if function is not None:
        return _mark(function, name, ignore, None, None)
    if (encode is None) != (decode is None):
        raise UsageError("@testbench.boundary takes encode= and decode= together: one undoes the other")
    return lambda marked: _mark(marked, name, ignore, encode, decode)


def _mark(
    function: F,
    name: str | None,
    ignore: tuple[str, ...],
    encode: Callable[[Any], Any] | None,
    decode: Callable[[Any], Any] | None,
) -> F:
    signature = _signature(function, ignore)
    op = name or f"{function.__module__}.{function.__qualname__}"

    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def stepping(*args: Any, **kwargs: Any) -> Any:
            live = function(*args, **kwargs)
            return Steps(op, lambda: _request(op, signature, ignore, args, kwargs), encode, decode, live).run()

        return stepping  # type: ignore[return-value]  # functools.wraps keeps the signature

    def effect(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Plain:
        return encoded(performed(lambda: function(*args, **kwargs)), encode, f"the result of {op}")

    @functools.wraps(function)
    def crossing(*args: Any, **kwargs: Any) -> Any:
        into = sessions()
        if not into:
            return function(*args, **kwargs)
        outcome = cross(into, op, lambda: _request(op, signature, ignore, args, kwargs), lambda: effect(args, kwargs))
        value = decode_value(outcome)
        return decode(value) if decode else value

    return crossing  # type: ignore[return-value]  # functools.wraps keeps the signature


def _signature(function: Callable[..., Any], ignore: tuple[str, ...]) -> inspect.Signature:
    if not inspect.isroutine(function):
        raise UnsupportedError(
            f"@testbench.boundary marks functions, not {type(function).__name__}; put it under @classmethod, "
            "@staticmethod or @property, nearest to the function"
        )
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise UnsupportedError(
            f"{function.__qualname__} is a coroutine function, which @testbench.boundary cannot record yet; mark the "
            "plain function that it calls to reach the world"
        )
    signature = inspect.signature(function)
    unknown = sorted(set(ignore) - set(signature.parameters) - {"self", "cls"})
    if unknown:
        raise UsageError(
            f"{function.__qualname__} has no parameter {unknown[0]!r} to ignore; it has {list(signature.parameters)}"
        )
    return signature


def _request(
    op: str, signature: inspect.Signature, ignore: tuple[str, ...], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Plain]:
    """Return the arguments by parameter name, so that ``f(1)`` and ``f(x=1)`` are one request."""
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    return {
        parameter: encoded(value, None, f"argument {parameter} of {op}")
        for parameter, value in bound.arguments.items()
        if parameter not in ignore
    }
