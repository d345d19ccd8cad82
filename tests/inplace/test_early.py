"""Class methods of types written in C that were bound before: who holds one, and that they can be redirected."""

from __future__ import annotations

import datetime
import gc
import sys
from types import ModuleType

from testbench.inplace import Redirect, bound_early


class Sub(datetime.datetime):
    """A subclass in Python."""


now, sub_now, utcnow = datetime.datetime.now, Sub.now, datetime.datetime.utcnow


def held(name: str) -> list[object]:
    """Return the objects that are found, without their classes."""
    return [method for method, _ in bound_early(datetime.datetime, name)]


def test_objects_bound_early_are_found_with_their_class() -> None:
    """By the name of the method, also those of subclasses."""
    found = {id(method): cls for method, cls in bound_early(datetime.datetime, "now")}
    assert (found[id(now)], found[id(sub_now)]) == (datetime.datetime, Sub)
    assert id(utcnow) not in found
    assert utcnow in held("utcnow")


def test_an_object_that_is_redirected_is_still_found() -> None:
    """It no longer refers to its class, and is remembered with it."""
    held("now")
    redirect = Redirect(now)
    redirect.to(lambda *_: "later")
    try:
        assert (now, datetime.datetime) in bound_early(datetime.datetime, "now")
        assert now() == "later"  # type: ignore[comparison-overlap]
    finally:
        redirect.restore()
    assert now.__self__ is datetime.datetime  # type: ignore[attr-defined]


def test_what_a_module_binds_when_it_is_imported_later_is_found(monkeypatch) -> None:
    """Another look is taken after modules were imported."""
    held("now")
    late = datetime.datetime.now
    monkeypatch.setitem(sys.modules, "test_early_late", ModuleType("test_early_late"))
    assert any(method is late for method in held("now"))


def test_objects_are_not_kept_alive() -> None:
    """Being found does not make them live longer."""
    brief = [datetime.datetime.now]
    count = len(held("now"))
    brief.clear()
    gc.collect()
    assert len(held("now")) <= count
