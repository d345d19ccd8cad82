"""A stack of redirects: the last is restored first, among everything else that was pushed, and all of them are."""

from __future__ import annotations

import sys
import time

import pytest

from testbench.inplace import Redirect, UndoStack
from testbench.inplace._undo import Undo


class Told(Undo):
    """Notes that it was restored, and fails at it if it is to."""

    def __init__(self, told: list[str], name: str, error: Exception | None = None) -> None:
        self.told, self.name, self.error = told, name, error

    def _restore(self) -> None:
        self.told.append(self.name)
        if self.error is not None:
            raise self.error


def test_what_came_last_is_undone_first() -> None:
    """Redirects, callbacks and context managers unwind in the reverse order in which they came."""
    told: list[str] = []
    with UndoStack() as stack:
        stack.push(Told(told, "a"))
        stack.push(Told(told, "b"))
        stack.callback(told.append, "c")
        stack.push(Told(told, "d"))
        stack.enter_context(Told(told, "e"))
        stack.push(Told(told, "f"))
        stack.push(lambda *_: told.append("g"))
        stack.push(Told(told, "h"))
    assert told == [*"hgfedcba"]


def test_all_are_restored_whichever_fails() -> None:
    """One that fails keeps no other from being restored; the error of the last is raised, with the others behind it."""
    told: list[str] = []
    with pytest.raises(ValueError, match="second") as raised, UndoStack() as stack:
        stack.push(Told(told, "a"))
        stack.push(Told(told, "b", ValueError("second")))
        stack.push(Told(told, "c", ValueError("first")))
        stack.push(Told(told, "d"))
    assert told == [*"dcba"]
    assert str(raised.value.__context__) == "first"


def test_what_is_handed_over_is_undone_by_the_new_stack() -> None:
    """After ``pop_all`` the old stack undoes only what comes later."""
    told: list[str] = []
    with UndoStack() as stack:
        stack.push(Told(told, "a"))
        new = stack.pop_all()
        stack.push(Told(told, "b"))
    assert told == ["b"]
    new.close()
    assert told == ["b", "a"]


def test_a_module_keeps_its_references() -> None:
    """Redirecting a function a thousand times leaves its module with the references that it had."""
    redirect = Redirect(time.gmtime)
    redirect.to(lambda *_: None)
    redirect.restore()
    before = sys.getrefcount(time)
    for _ in range(1000):
        with UndoStack() as stack:
            redirect = stack.push(Redirect(time.gmtime))
            redirect.to(lambda *_: None)
            redirect.to(lambda *_: None)
    assert sys.getrefcount(time) == before
