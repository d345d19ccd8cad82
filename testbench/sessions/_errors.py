"""Exceptions as outcomes: what of a live exception goes on the tape, and how it is raised again.

No type is ever imported because a tape names it: a class must be among those that the live program already has, and be
one that the recorder lists as an outcome.
"""

from __future__ import annotations

import sys
from types import MemberDescriptorType
from typing import Any, Final

from testbench.errors import RecordingError, UnsupportedError
from testbench.tape import Raised
from testbench.values import decode, encode

_HEAPTYPE: Final = 1 << 9  # Py_TPFLAGS_HEAPTYPE: set on classes that were made by Python code
_SKIP: Final = frozenset({"obj", "__suppress_context__"})  # AttributeError.obj is an arbitrary live object


def capture(error: BaseException) -> Raised:
    """Return an exception as an outcome: type name, args, and the attributes that it has set.

    Raises:
        RecordingError: it could not be raised again exactly (a local class, an attribute that is no value).
    """
    cls = type(error)
    name = f"{cls.__module__}.{cls.__qualname__}"
    try:
        if _find(name, (BaseException,)) is not cls:
            raise UnsupportedError(f"the class {name} cannot be found again by its name")
        state = {key: encode(value, f"attribute {key}") for key, value in _state(error).items()}
        raised = Raised(name, [encode(arg, "an argument") for arg in error.args], state)
        rebuild(raised, (cls,))
    except Exception as reason:
        raise RecordingError(
            f"{name} was raised across a recorded boundary and could not be raised again on replay: {reason}. "
            "Define the class at module level with plain arguments and attributes, or catch it inside the boundary."
        ) from error
    return raised


def rebuild(raised: Raised, allowed: tuple[type[BaseException], ...]) -> BaseException:
    """Return the exception of an outcome.

    Raises:
        UnsupportedError: this program has no such class, or it is not one of ``allowed``.
    """
    cls = _find(raised.type, allowed)
    if cls is None:
        raise UnsupportedError(
            f"the tape says that {raised.type} was raised, and this program has no such exception among its outcomes; "
            "import the module that defines it before replaying"
        )
    args = [decode(arg) for arg in raised.args]
    error = cls.__new__(cls, *args)
    # The C fields (errno, start, name, ...) are set by the init of the nearest built-in base; a Python __init__ may
    # want other arguments than those that ended up in args, and is not run.
    base = next(c for c in cls.__mro__ if not c.__flags__ & _HEAPTYPE)
    base.__init__(error, *args)  # type: ignore[misc]  # an exception class, see `_find`
    error.args = tuple(args)
    members = _members(cls)
    for key, value in raised.state.items():
        if key in members:
            setattr(error, key, decode(value))
        else:
            error.__dict__[key] = decode(value)
    return error


def _find(name: str, allowed: tuple[type[BaseException], ...]) -> type[BaseException] | None:
    parts = name.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        found: Any = sys.modules.get(".".join(parts[:cut]))
        for part in parts[cut:]:
            found = vars(found).get(part) if hasattr(found, "__dict__") else None
        if isinstance(found, type) and issubclass(found, allowed):
            return found
    return None


def _members(cls: type[BaseException]) -> set[str]:
    """Return the names of the C fields of an exception class (CPython: ``PyMemberDef``)."""
    return {
        key
        for base in cls.__mro__
        if not base.__flags__ & _HEAPTYPE
        for key, value in vars(base).items()
        if isinstance(value, MemberDescriptorType) and key not in _SKIP
    }


def _state(error: BaseException) -> dict[str, Any]:
    state = {}
    for key in sorted(_members(type(error))):
        value = getattr(error, key, None)
        if value is not None:
            state[key] = value
    return {**state, **error.__dict__}
