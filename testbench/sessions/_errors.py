"""Exceptions as outcomes: what of a live exception goes on the tape, and how it is raised again.

No type is ever imported because a tape names it: a class must be among those that the live program already has, and be
one that the recorder lists as an outcome.
"""

from __future__ import annotations

import sys
from types import MemberDescriptorType
from typing import Any, Final

from testbench.errors import RecordingError, TapeDamagedError, UnsupportedError
from testbench.protocol import Plain
from testbench.tape import Raised
from testbench.values import decode, encode

_HEAPTYPE: Final = 1 << 9  # Py_TPFLAGS_HEAPTYPE: set on classes that were made by Python code
_SKIP: Final = frozenset({"obj", "__suppress_context__"})  # AttributeError.obj is an arbitrary live object
_CAUSE: Final = "__cause__"
_UNSET: Final = object()


def capture(error: BaseException) -> Raised:
    """Return an exception as an outcome: type name, args, and the attributes that it has set, its cause among them.

    Raises:
        RecordingError: it could not be raised again exactly (a local class, an attribute that is no value).
    """
    cls = type(error)
    name = f"{cls.__module__}.{cls.__qualname__}"
    try:
        if _find(name, (BaseException,)) is not cls:
            raise UnsupportedError(f"the class {name} cannot be found again by its name")
        state = {key: encode(value, f"attribute {key}") for key, value in _state(error).items()}
        if error.__suppress_context__:  # set by ``raise ... from cause``, and by ``from None``
            state[_CAUSE] = _captured_cause(error)
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
        TapeDamagedError: its cause is no exception.
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
        if key == _CAUSE:
            error.__cause__ = _cause(value)
        elif key in members:
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


def _members(cls: type[BaseException]) -> dict[str, bool]:
    """Return the names of the C fields and ``__slots__`` of an exception class, and which of them are slots."""
    return {
        key: bool(base.__flags__ & _HEAPTYPE)
        for base in cls.__mro__
        for key, value in vars(base).items()
        if isinstance(value, MemberDescriptorType) and key not in _SKIP
    }


def _state(error: BaseException) -> dict[str, Any]:
    state = {}
    for key, is_slot in sorted(_members(type(error)).items()):
        value = getattr(error, key, _UNSET)
        if value is not _UNSET and (is_slot or value is not None):  # a C field that nobody has set is None
            state[key] = value
    return {**state, **error.__dict__}


def _captured_cause(error: BaseException) -> Plain:
    cause = error.__cause__
    if cause is None:
        return None
    raised = capture(cause)
    return [raised.type, raised.args, raised.state]


def _cause(value: Plain) -> BaseException | None:
    match value:
        case None:
            return None
        case [str() as name, list() as args, dict() as state]:
            return rebuild(Raised(name, args, state), (BaseException,))
    raise TapeDamagedError(f"the cause of an exception on the tape is {value!r}; expected its type, args and state")
