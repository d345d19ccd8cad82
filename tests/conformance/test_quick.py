"""CPython's own tests pass recorded, and again replayed where no process can start: a fixed part of them."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
PAGE = """
| test | not | Python | reason |
| --- | --- | --- | --- |
| `test.test_a.A.test_one` | replayed | {version} | it opens a file |
| `test.test_a.A.test_two` | replayed | 2.7 | it is old |
"""


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the module that compares."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module("conformance_table")


def module(table: ModuleType, **ways: str) -> object:
    """Return a module of two tests, with their outcomes by way as letters: p for passed, f for failed."""
    names = ["test.test_a.A.test_one", "test.test_a.A.test_two"]
    return table.Module(
        "test.test_a",
        {
            way: {
                name: table.Test(name, "passed" if letter == "p" else "failed", "")
                for name, letter in zip(names, letters, strict=True)
            }
            for way, letters in ways.items()
        },
    )


def missing() -> list[str]:
    """Return the modules of tests that this interpreter came without."""
    names = ("test.test_subprocess", "test.test_popen", "test.test_asyncio.test_subprocess", "test.test_secrets")
    if importlib.util.find_spec("test.support") is None:
        return list(names)
    return [name for name in names if importlib.util.find_spec(name) is None]


@pytest.mark.slow
def test_the_quick_part_differs_nowhere() -> None:
    """Every test of the quick part that passes stock passes recorded and replayed, or is listed with a reason."""
    if missing():
        pytest.skip(f"this Python came without {', '.join(missing())}")
    command = [sys.executable, str(SCRIPTS / "conformance_run.py"), "--quick", "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert sum(module["passed"]["replayed"] for module in json.loads(done.stdout)) >= 60


def test_a_test_that_does_not_replay_is_a_difference(table: ModuleType) -> None:
    """What passes recorded and not replayed differs, and so does what passes stock and not recorded."""
    found = list(module(table, stock="pp", recorded="pf", replayed="ff").differences())
    assert [(difference.way, difference.came.test[-3:]) for difference in found] == [
        ("recorded", "two"),
        ("replayed", "one"),
    ]


def test_only_what_the_page_lists_for_this_python_is_expected(table: ModuleType) -> None:
    """A listed difference is expected on the versions it is listed for, and nowhere else."""
    listed = table.Expected(PAGE.format(version=f"{table.VERSION}, 2.7"))
    found = list(module(table, stock="pp", recorded="pp", replayed="ff").differences())
    assert [listed.has(difference) for difference in found] == [True, False]


def test_what_no_longer_differs_is_reported(table: ModuleType) -> None:
    """A listed test that passes again is named, so that it is taken off the page."""
    listed = table.Expected(PAGE.format(version=table.VERSION))
    passing = module(table, stock="pp", recorded="pp", replayed="pp")
    assert listed.stale([passing]) == [("test.test_a.A.test_one", "replayed")]
