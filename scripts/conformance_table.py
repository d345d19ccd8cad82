"""What came of the tests, as a table; and which differences are expected, from the page that lists them."""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

VERSION = "{}.{}".format(*sys.version_info)
ROW = re.compile(r"^\| `(?P<test>test\.[\w.]+)` \| (?P<way>\w+) \| (?P<versions>[\d., ]+) \| (?P<reason>.+) \|$", re.M)


@dataclasses.dataclass(frozen=True)
class Test:
    """What came of one test in one way."""

    test: str
    outcome: str
    reason: str
    seconds: float = 0.0
    leaks: tuple[str, ...] = ()
    traceback: str = ""


@dataclasses.dataclass(frozen=True)
class Difference:
    """A test that passed in the way before, and not in this one."""

    way: str
    came: Test


@dataclasses.dataclass
class Module:
    """A module of tests, and by way what came of each test."""

    name: str
    ways: dict[str, dict[str, Test]] = dataclasses.field(default_factory=dict)

    def passed(self, way: str) -> list[str]:
        """Return the tests that passed."""
        return [test.test for test in self.ways[way].values() if test.outcome == "passed"]

    def seconds(self, way: str) -> float:
        """Return how long the tests took, those that passed in all ways, so that the ways can be compared."""
        return sum(self.ways[way][test].seconds for test in self.passed("replayed"))

    def leaking(self) -> int:
        """Return how many tests crossed a boundary that is not on their tapes."""
        return sum(bool(test.leaks) for test in self.ways["recorded"].values())

    def differences(self) -> Iterator[Difference]:
        """Return the tests that passed in one way and not in the next."""
        for before, way in (("stock", "recorded"), ("recorded", "replayed")):
            came = self.ways[way]
            fixtures = "; ".join(test.reason for name, test in came.items() if name not in self.ways[before])
            for name in self.passed(before):
                test = came.get(name) or Test(name, "failed", f"it was not run: {fixtures}")
                if test.outcome != "passed":
                    yield Difference(way, test)

    def plain(self) -> dict[str, Any]:
        """Return everything as JSON has it."""
        return {
            "module": self.name,
            "python": VERSION,
            "passed": {way: len(self.passed(way)) for way in self.ways},
            "seconds": {way: round(self.seconds(way), 3) for way in self.ways},
            "leaking": self.leaking(),
            "differences": [{"way": found.way, **dataclasses.asdict(found.came)} for found in self.differences()],
            "leaks": {test.test: test.leaks for test in self.ways["recorded"].values() if test.leaks},
        }


class Expected:
    """The differences that the page lists for this version of Python."""

    def __init__(self, page: str) -> None:
        rows = [row for row in ROW.finditer(page) if VERSION in re.split("[, ]+", row["versions"])]
        self.reasons = {(row["test"], row["way"]): row["reason"] for row in rows}

    def has(self, found: Difference) -> bool:
        """Whether a difference is listed."""
        return (found.came.test, found.way) in self.reasons

    def stale(self, modules: list[Module]) -> list[tuple[str, str]]:
        """Return what is listed and was run without a difference."""
        ran = {(test, way) for module in modules for way, tests in module.ways.items() for test in tests}
        differ = {(found.came.test, found.way) for module in modules for found in module.differences()}
        return sorted((self.reasons.keys() & ran) - differ)


def expected(path: Path) -> Expected:
    """Read the page of expected differences."""
    return Expected(path.read_text(encoding="utf-8"))


def render(modules: list[Module], listed: Expected, *, tracebacks: bool) -> Iterator[str]:
    """Return the lines of the table, and of what differs."""
    head = ("module", "stock", "recorded", "replayed", "of stock", "leaking", "seconds: stock", "recorded", "replayed")
    rows = [head, *map(row_of, modules)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    for module in modules:
        for found in module.differences():
            mark = "as listed" if listed.has(found) else "NOT LISTED"
            yield f"\n{mark}, not {found.way}: {found.came.test}\n    {found.came.reason}"
            if tracebacks:
                yield found.came.traceback
    for test, way in listed.stale(modules):
        yield f"\nlisted, and now {way}: {test}"


def row_of(module: Module) -> tuple[str, ...]:
    """Return a module's row of the table."""
    passed = [len(module.passed(way)) for way in ("stock", "recorded", "replayed")]
    share = f"{100 * passed[2] / passed[0]:.1f} %" if passed[0] else "-"
    seconds = [f"{module.seconds(way):.1f}" for way in ("stock", "recorded", "replayed")]
    return (module.name, *map(str, passed), share, str(module.leaking()), *seconds)
