"""The marker ``testbench``: what may be written in it, and what it comes to for a test."""

from __future__ import annotations

import os
from pathlib import PurePosixPath
from typing import Any, Final

import pytest

MARKER: Final = "testbench"

FIXTURES: Final = ("testbench", "testbench_class", "testbench_module", "testbench_session")

_OWN: Final = ("mode", "tape")
"""Options of the marker itself; all others are those of `testbench.Testbench`."""


def explain_marker(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        "testbench(mode=None, tape=None, **options): how the fixture testbench records and replays a test; tape is "
        "a path below the directory of tapes, options are those of testbench.Testbench (clock, start, seed, ...)",
    )


def complain_of_marker(item: pytest.Item) -> None:
    """Refuse a marker written on a test that does not use the fixture; on a class or module it may be for others.

    Raises:
        pytest.UsageError: it would do nothing.
    """
    for mark in item.own_markers:
        if mark.name == MARKER and not set(FIXTURES) & set(getattr(item, "fixturenames", ())):
            raise pytest.UsageError(
                f"{item.nodeid} has the marker testbench and does not use the fixture, so that nothing is recorded or "
                "replayed; add testbench to its arguments, or @pytest.mark.usefixtures('testbench')"
            )


def options_of(node: pytest.Item | pytest.Collector) -> dict[str, Any]:
    """Return what the markers of a test say, the nearest first.

    Raises:
        TypeError: an option is unknown, or was not given by name.
    """
    found: dict[str, Any] = {}
    for mark in node.iter_markers(MARKER):
        if mark.args:
            raise TypeError(f"the marker testbench takes options by name only, and was given {mark.args!r}")
        found = {**mark.kwargs, **found}
    if found:
        _check_names(found)
        _check_tape(found.get("tape"))
    return found


def tape_of(node: pytest.Item | pytest.Collector) -> str | os.PathLike[str] | None:
    """Return the tape that the nearest marker names, if it names one that `options_of` lets pass."""
    given = next((mark.kwargs["tape"] for mark in node.iter_markers(MARKER) if "tape" in mark.kwargs), None)
    return given if _is_below(given) else None


def _check_tape(given: Any) -> None:
    if given is not None and not _is_below(given):
        raise TypeError(
            f"the marker testbench has tape={given!r}; expected a path of a file below the directory of tapes, as text"
        )


def _is_below(given: Any) -> bool:
    if not isinstance(given, str | os.PathLike):
        return False
    path = PurePosixPath(given)
    return bool(path.name) and not path.is_absolute() and ".." not in path.parts


def _check_names(options: dict[str, Any]) -> None:
    import attrs

    from testbench._api import Testbench

    known = [*_OWN, *(field.name for field in attrs.fields(Testbench))]
    for name in options:
        if name not in known:
            raise TypeError(f"the marker testbench has no option {name!r}; expected one of {', '.join(known)}")
