"""Redirecting plain functions written in Python."""

from __future__ import annotations

import shutil
from shutil import which as early
from typing import Any

import pytest

from testbench.errors import UsageError
from testbench.inplace import Code


def calling(cmd: Any, mode: Any = 1, path: Any = None) -> Any:
    """Call what stands in the place of the function."""
    return _stand_in(cmd, mode, path)  # type: ignore[name-defined]  # noqa: F821  # a global of the function's module


def test_everybody_who_holds_the_function_follows() -> None:
    """An early import and the attribute are one object, and both go elsewhere until it is restored."""
    redirect, real = Code(shutil.which, calling, "_stand_in"), shutil.which("sh")
    redirect.to(lambda cmd, mode, path: (cmd, mode, path))
    try:
        assert early("x") == shutil.which(cmd="x") == ("x", 1, None)
        assert redirect.original("sh") == real
        assert early.__name__ == "which"
    finally:
        redirect.restore()
    assert early("sh") == real
    redirect.restore()


def test_they_nest() -> None:
    """An inner redirect reaches the outer one by its original, and leaves first."""
    outer = Code(shutil.which, calling, "_stand_in")
    outer.to(lambda cmd, mode, path: f"outer {cmd}")
    inner = Code(shutil.which, calling, "_stand_in")
    inner.to(lambda cmd, mode, path: f"inner {inner.original(cmd, mode, path)}")
    assert early("x") == "inner outer x"
    with pytest.raises(UsageError):
        outer.restore()
    inner.restore()
    assert early("x") == "outer x"
    outer.restore()
    assert not hasattr(shutil, "_stand_in")


@pytest.mark.parametrize("function", [len, shutil.copy, Code.to, lambda: None])
def test_another_function_is_refused(function: Any) -> None:
    """What is not the function that is known is left as it is."""
    with pytest.raises(UsageError):
        Code(function, calling, "_stand_in")


def test_a_change_by_somebody_else_is_noticed() -> None:
    """A redirect that was made before another one is out of date."""
    late, first = Code(shutil.which, calling, "_stand_in"), Code(shutil.which, calling, "_stand_in")
    first.to(lambda *_: None)
    try:
        with pytest.raises(UsageError, match="was changed since"):
            late.to(lambda *_: None)
    finally:
        first.restore()
