"""What has to match: fields by name, normalised on both sides, or by a function of the user's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import testbench
from testbench.errors import DivergenceError, UsageError


@testbench.boundary
def fetch(url: str, stamp: int = 0, who: str = "") -> str:
    """Return what was asked for."""
    return url


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """Return a tape with one call."""
    path = tmp_path / "t.tape"
    with testbench.record(path):
        fetch("https://example.org/A", 1, "me")
    return path


def replays(tape: Path, match: Any, *args: Any) -> bool:
    """Tell whether a call replays under a rule, and what is recorded of that is the tape again."""
    again = tape.with_name("again.tape")
    try:
        with testbench.replay(tape, rerecord=again, match=match):
            assert fetch(*args) == "https://example.org/A"
    except DivergenceError:
        return False
    return again.read_bytes() == tape.read_bytes()


OP = f"call.{__name__}.fetch"
LIVE = ("https://example.org/a", 2, "you")


def lower(value: Any) -> Any:
    """Return text in lower case."""
    return value.lower()


@pytest.mark.parametrize(
    ("match", "same"),
    [
        ({}, False),
        ({OP: ["who"]}, False),
        ({OP: ["-url", "-stamp", "-who"]}, True),
        ({"call": [{"url": lower}, "url"]}, True),
        ({"*": [{"url": lower}, "-stamp", "-who"]}, True),
        ({"*": {"": lambda request: request["url"].lower()}}, True),
        ({OP: "stamp", "*": lambda recorded, live: None}, False),
        ({OP: lambda recorded, live: None if recorded["stamp"] < live["stamp"] else "older"}, True),
        ({OP: ["-url", "-who", lambda recorded, live: None if recorded == {"stamp": 1} else "other"]}, True),
        ({"process": ["argv"]}, False),
    ],
)
def test_rules(tape: Path, match: Any, same: bool) -> None:
    """Fields are left out, taken alone, normalised, or left to a function; the most particular rule counts."""
    assert replays(tape, match, *LIVE) is same


def test_a_field_that_is_none(tape: Path) -> None:
    """A name that no request has is an error that says which there are."""
    with pytest.raises(UsageError, match="which has url, stamp, who"):
        replays(tape, {OP: ["uri"]}, *LIVE)


def test_a_rule_that_raises(tape: Path) -> None:
    """It is named, and nothing of the tape is used up."""
    with pytest.raises(UsageError, match="raised ZeroDivisionError"):
        replays(tape, {OP: {"stamp": lambda stamp: 1 / (stamp - 1)}}, *LIVE)


@pytest.mark.parametrize("wrong", [{"call": 7}, {"call": [7]}, {"call": {"url": "x"}}])
def test_what_is_no_rule_is_refused(wrong: Any, tmp_path: Path) -> None:
    """The error says what was expected, before anything is recorded or replayed."""
    with pytest.raises(UsageError, match="match= says"):
        testbench.replay(tmp_path / "t.tape", match=wrong)


def _raises(recorded: Any, live: Any) -> str:
    raise ZeroDivisionError


@pytest.mark.parametrize(
    "match", [{OP: _raises}, {"call": _raises}, {"*": _raises}, {OP: "-nothing"}, {OP: {"x": str}}]
)
def test_a_rule_is_asked_of_what_is_the_same_too(match: Any, tape: Path) -> None:
    """One that raises, or names what is not there, does not wait for a difference to be found out."""
    with pytest.raises(UsageError):
        replays(tape, match, "https://example.org/A", 1, "me")


def test_a_rule_may_refuse_what_is_the_same(tape: Path) -> None:
    """A function decides in the end."""
    assert not replays(tape, {OP: lambda recorded, live: "never"}, "https://example.org/A", 1, "me")


def test_a_rule_of_a_kind_is_not_of_all_its_ops(tape: Path) -> None:
    """A field that not every op of the kind has can be left out of those that have it."""
    assert replays(tape, {"call": "-nothing"}, "https://example.org/A", 1, "me")
