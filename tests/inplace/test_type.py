"""Redirecting entries of builtin types."""

from __future__ import annotations

import _thread
import datetime
import io

import pytest

from testbench.errors import UsageError
from testbench.inplace import TypeSlot

FIXED = datetime.datetime(2000, 1, 1)


@pytest.fixture
def slot():
    """Give a TypeSlot of datetime.now that is restored whatever happens."""
    made = TypeSlot(datetime.datetime, "now")
    yield made
    made.restore()


def test_type_and_subclasses_follow(slot):
    """The type and its subclasses, made before or after, see the new entry; restoring brings the old one back."""

    class Early(datetime.datetime):
        pass

    slot.to(classmethod(lambda cls, tz=None: (cls, tz)))

    class Late(datetime.datetime):
        pass

    assert [cls.now() for cls in (datetime.datetime, Early, Late)] == [
        (datetime.datetime, None),
        (Early, None),
        (Late, None),
    ]
    slot.restore()
    assert all(type(cls.now()) is cls for cls in (datetime.datetime, Early, Late))


def test_existing_instances_follow():
    """An instance method is redirected for objects that exist already."""
    lock = _thread.allocate_lock()
    slot = TypeSlot(type(lock), "locked")
    slot.to(lambda self: (self is lock, slot.original(self)))
    try:
        assert lock.locked() == (True, False)
    finally:
        slot.restore()
    assert lock.locked() is False


def test_c_callers_that_look_up_follow(tmp_path):
    """C code that looks the method up, as a buffered reader does, reaches the new entry."""
    sizes = []
    slot = TypeSlot(io.FileIO, "readinto")
    (tmp_path / "file").write_bytes(b"bytes")

    def readinto(self, buffer):
        sizes.append(slot.original(self, buffer))
        return sizes[-1]

    slot.to(readinto)
    try:
        with open(tmp_path / "file", "rb") as file:
            content = file.read(3)
    finally:
        slot.restore()
    assert (content, sizes) == (b"byt", [5])


def test_specialised_call_sites_follow(slot):
    """A call site that was specialised to the old entry sees the new one, and the old one again."""
    stock = datetime.datetime.now

    def call():
        return datetime.datetime.now()

    for _ in range(2000):
        call()
    slot.to(staticmethod(lambda: FIXED))
    assert call() is FIXED
    slot.restore()
    assert call() >= stock() - datetime.timedelta(days=1)


def test_original_is_the_descriptor(slot):
    """The original can be bound to any class of the family."""
    slot.to(staticmethod(lambda: FIXED))
    assert slot.original.__get__(None, datetime.datetime)() > FIXED


def test_nesting_and_order():
    """Redirects of one entry nest; leaving them in the wrong order is refused and harms nothing."""
    outer = TypeSlot(datetime.datetime, "now")
    outer.to(staticmethod(lambda: 1))
    inner = TypeSlot(datetime.datetime, "now")
    inner.to(staticmethod(lambda: 2))
    with pytest.raises(UsageError, match=r"datetime\.now cannot be restored now"):
        outer.restore()
    assert datetime.datetime.now() == 2
    inner.restore()
    assert datetime.datetime.now() == 1
    outer.restore()
    assert datetime.datetime.now() > FIXED


def test_stale_slot_is_refused(slot):
    """A TypeSlot made before another one became active is refused."""
    stale = TypeSlot(datetime.datetime, "now")
    slot.to(staticmethod(lambda: 1))
    with pytest.raises(UsageError, match="was redirected since"):
        stale.to(staticmethod(lambda: 2))


def test_restore_is_idempotent(slot):
    """Restoring twice, or without a redirect, does nothing; the slot can be used again."""
    entry = vars(datetime.datetime)["now"]
    slot.restore()
    slot.to(staticmethod(lambda: 1))
    slot.to(staticmethod(lambda: 2))
    slot.restore()
    slot.restore()
    assert vars(datetime.datetime)["now"] is entry
    slot.to(staticmethod(lambda: 3))
    assert datetime.datetime.now() == 3


@pytest.mark.parametrize("name", ["today", "absent", "__add__", "__init_subclass__"])
def test_what_is_no_entry_is_refused(name):
    """Inherited and absent names, and operators that C calls through a slot, are refused with a word on why."""
    with pytest.raises(UsageError, match=f"datetime.{name} is no entry that can be redirected"):
        TypeSlot(datetime.datetime, name)
