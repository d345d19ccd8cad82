"""Sessions of classes, modules and whole runs: how they nest, and how xdist may spread their tests."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from typing import Any

import pytest

_PAIR = """
import subprocess

def ask(word): return subprocess.run(["echo", word], capture_output=True, text=True).stdout

class TestOne:
    def test_a(self, testbench_class): assert ask("a") == "a\\n"
    def test_b(self, testbench_class): assert ask("b") == "b\\n"
"""


def test_a_wider_session_cannot_begin_within_a_narrower_one(suite: Any) -> None:
    """The error says which is open and what to do; where the first test asks for both, all is well."""
    later = "def test_a(testbench_module): pass\ndef test_b(testbench_session): pass\n"
    suite.write("test_a.py", later)
    out = suite.run(expect="1 passed, 1 error")
    assert "the session of the whole run cannot begin while that of test_a.py is open" in out
    assert "was still open" not in out
    suite.write("test_a.py", later.replace("(testbench_module)", "(testbench_module, testbench_session)"))
    suite.run(expect="2 passed")
    suite.run("--testbench-mode=replay", expect="2 passed")


def test_the_command_fits_where_the_run_was_started_and_how(suite: Any) -> None:
    """It names the test from the working directory and the directory of tapes, and makes the tape that was missing."""
    suite.write("inner/test_a.py", "import time\ndef test_a(testbench): time.time()\n")
    out = suite.run("--testbench-mode=replay", "--testbench-dir=other", expect="1 failed", under="inner")
    found = re.search(r"For this test: pytest (.*)", out)
    assert found is not None
    words = shlex.split(found[1])
    assert words == ["test_a.py::test_a", "--testbench-mode=record", "--testbench-dir=other"]
    suite.run(*words, expect="1 passed", under="inner")
    assert (suite.path / "other/inner/test_a/test_a.tape").exists()


@pytest.mark.slow
def test_a_tape_of_a_class_replays_with_and_without_workers(suite: Any) -> None:
    """What the worker itself measures between the tests is not on it."""
    pytest.importorskip("xdist")
    suite.write("test_a.py", _PAIR)
    suite.run("-n2", "--dist=loadfile", expect="2 passed")
    shown = subprocess.run(
        [sys.executable, "-m", "testbench", "show", suite.path / "tapes/test_a/TestOne.tape"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "clock" not in shown.stdout
    suite.run("--testbench-mode=replay", expect="2 passed")
    suite.run("-n2", "--dist=loadscope", "--testbench-mode=replay", expect="2 passed")


@pytest.mark.slow
def test_tests_of_one_session_are_not_spread_over_workers(suite: Any) -> None:
    """Each worker would write its own tape there: it is an error that says how to run them, and no tape is touched."""
    pytest.importorskip("xdist")
    suite.write("test_a.py", _PAIR)
    assert "run pytest with --dist loadfile" in suite.run("-n2", expect="2 errors")
    assert suite.tapes == []
    suite.run("-n1", expect="2 passed")


def test_what_is_skipped_or_fails_as_expected_does_not_spoil_the_tape_of_its_class(suite: Any) -> None:
    """The tape is kept, and has what they asked before."""
    suite.write(
        "test_a.py",
        """
        import pytest, time

        class TestOne:
            def test_a(self, testbench_class): time.time()
            @pytest.mark.skip
            def test_b(self, testbench_class): time.time()
            def test_c(self, testbench_class): time.time(); pytest.skip()
            @pytest.mark.xfail
            def test_d(self, testbench_class): time.time(); assert 0
        """,
    )
    suite.run(expect="1 passed, 2 skipped, 1 xfailed")
    suite.run("--testbench-mode=replay", expect="1 passed, 2 skipped, 1 xfailed")


@pytest.mark.slow
@pytest.mark.parametrize(
    "ending",
    ["import os; os.kill(os.getpid(), 2)", "pytest.exit('enough')", "request.session.shouldstop = 'enough'"],
    ids=["Ctrl-C", "exit", "stop"],
)
def test_a_run_that_stops_within_a_class_leaves_its_good_tape(ending: str, suite: Any) -> None:
    """A recording of some of its tests is no tape of the class."""
    tests = """
        import pytest, time

        class TestOne:
            def test_a(self, testbench_class): time.time()
            def test_b(self, testbench_class, request): {}
            def test_c(self, testbench_class): time.time()
        """
    suite.write("test_a.py", tests.format("pass"))
    suite.run(expect="3 passed")
    good = (suite.path / "tapes/test_a/TestOne.tape").read_bytes()
    suite.write("test_a.py", tests.format(ending))
    suite.run("--testbench-mode=record")
    assert suite.status != 0
    assert (suite.path / "tapes/test_a/TestOne.tape").read_bytes() == good
    assert (suite.path / "tapes/test_a/TestOne.tape.failed").exists()
