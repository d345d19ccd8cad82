"""Redirecting attributes of modules and Python classes."""

from __future__ import annotations

import types

import pytest

from testbench.errors import UsageError
from testbench.inplace import Attribute


class Base:
    """Has one method of each sort."""

    def method(self):
        """Tell its name."""
        return "method"

    @staticmethod
    def static():
        """Tell its name."""
        return "static"


class Child(Base):
    """Inherits them."""


def test_method_of_a_class():
    """A method is replaced for all instances, and stored again as it was."""
    stored = vars(Base)["method"]
    attribute = Attribute(Base, "method")
    attribute.to(lambda self: "new " + attribute.original(self))
    assert Child().method() == "new method"
    attribute.restore()
    assert vars(Base)["method"] is stored


def test_static_method_stays_one():
    """The original of a static method is the staticmethod object, and that is what comes back."""
    stored = vars(Base)["static"]
    attribute = Attribute(Base, "static")
    attribute.to(staticmethod(lambda: "new"))
    assert Base().static() == "new"
    attribute.restore()
    assert attribute.original is vars(Base)["static"] is stored


def test_inherited_attribute_leaves_no_trace():
    """Redirecting an inherited attribute shadows it, and restoring takes the shadow away."""
    attribute = Attribute(Child, "method")
    attribute.to(lambda self: "new")
    assert (Child().method(), Base().method()) == ("new", "method")
    attribute.restore()
    assert "method" not in vars(Child)


def test_module_attribute():
    """Attributes of modules work alike, and None is a value like any other."""
    module = types.ModuleType("subject")
    module.value = None
    attribute = Attribute(module, "value")
    attribute.to(1)
    attribute.to(2)
    assert module.value == 2
    attribute.restore()
    attribute.restore()
    assert module.value is None


def test_nesting_and_order():
    """Redirects of one attribute nest; the wrong order is refused and harms nothing."""
    module = types.ModuleType("subject")
    module.value = 0
    outer = Attribute(module, "value")
    outer.to(1)
    inner = Attribute(module, "value")
    inner.to(2)
    with pytest.raises(UsageError, match=r"subject\.value cannot be restored now"):
        outer.restore()
    assert module.value == 2
    inner.restore()
    outer.restore()
    assert module.value == 0


def test_stale_attribute_is_refused():
    """An Attribute whose owner was changed before its first use does not know what it would restore."""
    module = types.ModuleType("subject")
    module.value = 0
    attribute = Attribute(module, "value")
    module.value = 1
    with pytest.raises(UsageError, match=r"subject\.value was changed since"):
        attribute.to(2)


def test_absent_attribute_is_refused():
    """There must be something to replace."""
    with pytest.raises(UsageError, match="has no attribute 'absent'"):
        Attribute(Base, "absent")


def test_a_subscript_follows_however_often_it_was_redirected() -> None:
    """CPython 3.13 stops noticing changes of a type after the first thousand; a stale function must not be called."""

    class Mapping:
        def __getitem__(self, key: str) -> str:
            return "stock"

    def read() -> str:
        return Mapping()["key"]

    for _ in range(1200):
        attribute = Attribute(Mapping, "__getitem__")
        attribute.to(lambda mapping, key: "redirected")
        assert {read() for _ in range(20)} == {"redirected"}
        attribute.restore()
        assert {read() for _ in range(20)} == {"stock"}
