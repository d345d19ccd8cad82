"""Comparing requests exactly."""

from __future__ import annotations

import math
import struct
from typing import Any

import pytest

from testbench.sessions._matching import differences, exact
from testbench.values import same

ODD_NAN = struct.unpack("<d", b"\x01\x00\x00\x00\x00\x00\xf8\x7f")[0]


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (1, True),
        (1, 1.0),
        (0.0, -0.0),
        ("a", b"a"),
        ([1], [1, 2]),
        ({"a": 1}, {"b": 1}),
        (None, False),
        (math.nan, ODD_NAN),
    ],
)
def test_what_a_program_can_tell_apart_is_different(left: Any, right: Any) -> None:
    """Equality of Python is too kind: types, signs of zero and bits of NaN count."""
    assert not same(left, right)
    assert exact(left, right) is not None


@pytest.mark.parametrize("value", [None, 1, -0.0, math.nan, "\ud800", b"", [[], {}], {"a": [math.nan]}])
def test_a_value_is_the_same_as_itself(value: Any) -> None:
    """Also NaN, which is not equal to itself."""
    assert same(value, value)
    assert exact(value, value) is None


def test_the_fields_that_differ_are_named_with_both_values() -> None:
    """A missing field counts as None."""
    recorded: dict[str, Any] = {"argv": ["a"], "cwd": None, "gone": 1}
    live: dict[str, Any] = {"argv": ["b"], "cwd": None, "new": 2}
    assert differences(recorded, live) == [("argv", ["a"], ["b"]), ("gone", 1, None), ("new", None, 2)]
    assert exact(recorded, live) == "argv, gone, new differ"
    assert exact({"argv": 1}, {"argv": 2}) == "argv differs"
    assert exact(1, 2) == "the requests differ"
