"""The kind ``call``: any function that the user marks with `boundary`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NoReturn, TypeVar, overload

from testbench.depth import Depth
from testbench.errors import UnsupportedError, UsageError
from testbench.protocol import Call, Effect, Matcher, Plain
from testbench.recorders._marked import about_to_call_marked
from testbench.values import decode as decode_value
from testbench.values import encode as encode_value

F = TypeVar("F", bound=Callable[..., Any])

_ACTIVE: Final[list[Call]] = []
"""The waists of the open sessions, innermost last; marked functions exist before any session does."""


_THREAD: Final = Depth()
"""How many of the open sessions have a marked function under way in this thread: what it calls belongs to that."""


class Boundary:
    """Records and answers calls of the functions marked with `boundary`."""

    kind = "call"
    version = 1
    matchers: Mapping[str, Matcher] = {}

    @contextmanager
    def install(self, call: Call) -> Iterator[None]:
        """Send marked functions through ``call``."""
        _ACTIVE.append(call)
        try:
            yield
        finally:
            _ACTIVE.remove(call)


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

    Outside of a session, and inside of another marked function, it is called as it is. Its arguments, result and
    exceptions must be values (see `testbench.values.encode`), else the recording breaks, also where the program
    swallows the error; what it does to its arguments is not recorded. Whatever `Exception` it raises is an
    outcome; its type, args, attributes and cause come back on replay.

    Args:
        function: a plain function or method.
        name: its name on the tape; module and qualified name unless given.
        ignore: parameters that are not part of the request.
        encode: turns the live result into a value.
        decode: turns that value into a live result again, while recording too.

    Raises:
        UnsupportedError: a coroutine function, a generator function, or no function at all.
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

    def effect(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Plain:
        depth, _THREAD.depth = _THREAD.depth, len(_ACTIVE)
        try:
            value = function(*args, **kwargs)
        finally:
            _THREAD.depth = depth
        return _encoded(value, encode, f"the result of {op}")

    @functools.wraps(function)
    def crossing(*args: Any, **kwargs: Any) -> Any:
        calls = _ACTIVE[_THREAD.depth :]
        if not calls:
            return function(*args, **kwargs)
        about_to_call_marked()
        try:
            request = _request(op, signature, ignore, args, kwargs)
        except UnsupportedError as error:
            _cross(calls, op, {"unfit": str(error)}, functools.partial(_fail, error))
            raise
        value = decode_value(_cross(calls, op, request, lambda: effect(args, kwargs)))
        return decode(value) if decode else value

    return crossing  # type: ignore[return-value]  # functools.wraps keeps the signature


def _cross(calls: list[Call], op: str, request: Plain, effect: Effect) -> Plain:
    """Cross into the innermost session; behind it lies the next one, and behind the outermost one the effect."""
    *outer, innermost = calls
    behind = (lambda: _cross(outer, op, request, effect)) if outer else effect
    return innermost(op, request, behind, raises=(Exception,))


def _fail(error: UnsupportedError) -> NoReturn:
    """Be the effect of a call that no tape can hold, so that each session learns of it."""
    raise error


def _encoded(value: Any, encode: Callable[[Any], Any] | None, what: str) -> Plain:
    try:
        return encode_value(encode(value) if encode else value, what)
    except UnsupportedError:
        raise
    except Exception as reason:  # it contains itself, or encode= has failed: that is no outcome of the function
        told = f"{type(reason).__name__}: {reason}"
        raise UnsupportedError(f"{what} could not be turned into a value for the tape: {told}") from reason


def _signature(function: Callable[..., Any], ignore: tuple[str, ...]) -> inspect.Signature:
    if not inspect.isroutine(function):
        raise UnsupportedError(
            f"@testbench.boundary marks functions, not {type(function).__name__}; put it under @classmethod, "
            "@staticmethod or @property, nearest to the function"
        )
    if (
        inspect.iscoroutinefunction(function)
        or inspect.isgeneratorfunction(function)
        or inspect.isasyncgenfunction(function)
    ):
        raise UnsupportedError(
            f"{function.__qualname__} is a coroutine or generator function, which @testbench.boundary cannot record "
            "yet; mark the plain function that it calls to reach the world"
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
        parameter: _encoded(value, None, f"argument {parameter} of {op}")
        for parameter, value in bound.arguments.items()
        if parameter not in ignore
    }
