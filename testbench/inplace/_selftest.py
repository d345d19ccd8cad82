"""Can builtins be redirected here? Asked of the interpreter itself, once, before anything of the user's is touched."""

from __future__ import annotations

import functools
import sys
import sysconfig
from collections.abc import Callable, Iterator
from types import BuiltinFunctionType
from typing import Any, cast

from testbench.errors import UnsupportedError
from testbench.inplace import _layout
from testbench.inplace._forward import forwarded

_FIRST, _LAST = (3, 11), (3, 13)


def check_supported() -> None:
    """Make sure that builtins of this interpreter have the layout that `Redirect` rewrites.

    The first call looks at the interpreter and then rehearses on a builtin made for the purpose; later calls cost
    nothing.

    Raises:
        UnsupportedError: it says what is different here and which interpreters are supported.
    """
    reason = _reason()
    if reason is not None:
        raise UnsupportedError(
            f"functions cannot be redirected in place here: {reason}. Supported is CPython 3.11 to 3.13 on Linux with "
            'the GIL, release or debug build, 64 bit. Run the program with one of these; or pass interception="name" '
            "(--interception name on the command line) to replace names in modules instead: an earlier `from time "
            "import time` will then not be followed, nor will datetime.now. Reading, checking and comparing tapes "
            "works everywhere."
        )


@functools.cache
def _reason() -> str | None:
    return other_interpreter() or other_layout() or other_behaviour()


def other_interpreter() -> str | None:
    """Say which property of this interpreter is not one that was tried, None if all are."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.implementation.name != "cpython":
        return f"this is {sys.implementation.name}, not CPython"
    if not _FIRST <= sys.version_info[:2] <= _LAST:
        return f"this is CPython {version}"
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        return "this is a free-threaded build, where other threads would see a half-written function"
    if sys.platform != "linux":
        return f"the platform is {sys.platform}"
    return None if sys.maxsize > 2**32 else "this is a 32-bit build"


def other_layout() -> str | None:
    """Say which word of a builtin is not where it is expected, None if all are; only memory known to exist is read."""
    builtin: Any = BuiltinFunctionType
    if (builtin.__basicsize__, builtin.__weakrefoffset__) != (_layout.HEAD + 5 * _layout.WORD, _layout.HEAD + 24):
        return "builtin function objects have another size"
    body = _layout.read(cast(BuiltinFunctionType, len))
    if body.owner != id(len.__self__):  # type: ignore[attr-defined]  # typeshed sees a def, not a builtin
        return "a builtin function object does not begin with m_ml and m_self"
    definition = _layout.definition_at(body.definition)
    if definition.name != b"len" or not (definition.doc or b"").endswith((len.__doc__ or "").encode()):
        return "a method definition has another layout"
    return None


def other_behaviour() -> str | None:
    """Say which step of a redirect fails on a builtin that nobody else holds, None if all succeed."""
    subject = cast(BuiltinFunctionType, {"real": 1}.copy)
    before = _layout.read(subject)
    same = _layout.new_builtin(subject, before.definition, before.owner)
    if _layout.read(same) != before:
        return "a builtin made from the same definition is not the same"
    references = sys.getrefcount(subject.__self__)
    seen = [_routed(subject, target) for target in _rehearsal_targets()]
    _layout.write(subject, before)
    if seen != ["function", "item"] or subject() != {"real": 1}:
        return "a redirected builtin does not call its target, or is not restored"
    if sys.getrefcount(subject.__self__) != references:
        return "references are not counted as expected"
    return None


def _rehearsal_targets() -> Iterator[Callable[[], str]]:
    yield lambda: "function"
    yield iter(["item"]).__next__


def _routed(subject: BuiltinFunctionType, target: Callable[[], str]) -> object:
    body, owner = forwarded(subject, _layout.read(subject), target)
    _layout.write(subject, body)
    del owner
    return subject()
