from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture
def orphaned(suite: Any) -> Any:
    """Return a suite with one tape in use and one that nobody uses."""
    suite.write("test_a.py", "def test_a(testbench): pass\ndef test_gone(testbench): pass\n")
    suite.run(expect="2 passed")
    suite.write("test_a.py", "def test_a(testbench): pass\ndef test_b(): pass\n")
    return suite


def test_tapes_that_nobody_uses_are_listed(orphaned: Any) -> None:
    """After a full run, with their paths; the run passes."""
    out = orphaned.run(expect="2 passed")
    assert "tapes that no test uses" in out
    assert "tapes/test_a/test_gone.tape" in out
    assert "tapes/test_a/test_a.tape\n" not in out
    assert orphaned.status == 0


def test_they_fail_the_run_where_that_is_asked_for(orphaned: Any) -> None:
    """By flag or its twins; and not where all are in use."""
    orphaned.run("--testbench-orphans=fail")
    assert orphaned.status == 1
    orphaned.run(TESTBENCH_ORPHANS="fail")
    assert orphaned.status == 1
    orphaned.run("--testbench-orphans=ignore")
    assert orphaned.status == 0
    (orphaned.path / "tapes/test_a/test_gone.tape").unlink()
    orphaned.run("--testbench-orphans=fail")
    assert orphaned.status == 0


@pytest.mark.parametrize(
    "words",
    [["-k", "test_b"], ["-m", "not slow"], ["test_a.py"], ["test_a.py::test_b"], ["--deselect=test_a.py::test_a"]],
    ids=" ".join,
)
def test_a_run_of_some_tests_finds_none(words: list[str], orphaned: Any) -> None:
    """A tape is an orphan only if the whole suite ran."""
    assert "no test uses" not in orphaned.run("--testbench-orphans=fail", *words)
    assert orphaned.status == 0


def test_workers_of_xdist_find_them_together(orphaned: Any) -> None:
    """What one worker uses is no orphan because another one does not; they are listed once."""
    pytest.importorskip("xdist")
    out = orphaned.run("-n2", "--testbench-orphans=fail")
    assert orphaned.status == 1
    assert out.count("test_gone.tape") == 1
    assert "tapes/test_a/test_a.tape\n" not in out


def test_a_suite_that_cannot_be_read_finds_none(orphaned: Any) -> None:
    """The tests of a broken module are not known, so its tapes are no orphans."""
    orphaned.write("test_broken.py", "import nothing_of_that_name\n")
    assert "no test uses" not in orphaned.run("--testbench-orphans=fail")
