from __future__ import annotations

import importlib.util
from typing import Any

import pytest

pytestmark = pytest.mark.slow

ASK = """
    import subprocess

    def ask():
        return subprocess.run(["cat", "said"], capture_output=True, text=True).stdout
"""


@pytest.fixture
def asking(suite: Any) -> Any:
    """Return a suite with one test that asks the world, which says hello."""
    suite.write("said", "hello")
    suite.write("asking.py", ASK)
    suite.write("test_a.py", "from asking import ask\ndef test_ask(testbench): assert ask() == 'hello'\n")
    return suite


def test_the_first_run_records_and_the_next_one_replays(asking: Any) -> None:
    """A test that asks for the fixture gets a tape of its own, named after it."""
    asking.run(expect="1 passed")
    assert asking.tapes == ["test_a/test_ask.tape"]
    asking.write("said", "farewell")
    asking.run(expect="1 passed")
    assert "nothing recorded and nothing replayed" in asking.run("--testbench-mode=off", expect="1 failed")


def test_the_fixture_gives_the_live_session(suite: Any) -> None:
    """Mode, recorders and clock of the session are at hand in the test."""
    suite.write(
        "test_a.py",
        """
        import pytest, time

        @pytest.mark.testbench(clock="paused", start="2030-01-01T00:00:00Z")
        def test_clock(testbench):
            assert testbench.mode in ("record", "replay")
            testbench.clock.advance(3600)
            assert time.time() == 1893459600
        """,
    )
    for _ in range(2):
        suite.run(expect="1 passed")


def test_a_tape_is_kept_only_if_the_test_passed(asking: Any) -> None:
    """A test that fails while recording leaves the good tape as it was, if any, and says where its own is."""
    asking.write("said", "farewell")
    assert "there is still no" in asking.run(expect="1 failed")
    asking.write("said", "hello")
    asking.run(expect="1 passed")
    good = (asking.path / "tapes/test_a/test_ask.tape").read_bytes()
    asking.write("said", "farewell")
    out = asking.run("--testbench-mode=record", expect="1 failed")
    assert (asking.path / "tapes/test_a/test_ask.tape").read_bytes() == good
    assert "this run is in test_ask.tape.failed" in out
    assert "pytest test_a.py::test_ask --testbench-mode=record" in out


def test_a_skipped_test_keeps_no_tape(suite: Any) -> None:
    """What ended early is no recording to go by."""
    suite.write("test_a.py", "import pytest\ndef test_a(testbench): pytest.skip('not today')\n")
    suite.run(expect="1 skipped")
    assert suite.tapes == []


def test_a_failed_replay_says_so_with_a_command_to_paste(asking: Any) -> None:
    """The report has the divergence, that the test was replayed, and how to record it again."""
    asking.run(expect="1 passed")
    asking.write("asking.py", ASK.replace('"said"', '"other"'))
    out = asking.run(expect="1 failed")
    assert "MismatchError" in out
    assert "asking.py:5 in ask" in out
    assert "Replayed from" in out
    assert "To record it again:  pytest test_a.py::test_ask --testbench-mode=record" in out


def test_a_test_that_swallows_its_divergence_fails_all_the_same(asking: Any) -> None:
    """Not even a handler of everything turns a failed replay green; what else failed comes second."""
    asking.write(
        "test_a.py",
        """
        from asking import ask

        def test_ask(testbench):
            try:
                ask()
            except BaseException:
                pass
        """,
    )
    asking.run(expect="1 passed")
    asking.write("asking.py", ASK.replace('"said"', '"other"'))
    assert "MismatchError" in asking.run(expect="1 failed")


def test_events_that_nobody_asked_for_fail_the_test(asking: Any) -> None:
    """A test that does less than its tape fails itself, and not its teardown."""
    asking.run(expect="1 passed")
    asking.write("test_a.py", "def test_ask(testbench): pass\n")
    assert "LeftoverError" in asking.run(expect="1 failed")


def test_a_missing_tape_is_an_error_in_replay_even_if_nothing_is_asked(suite: Any) -> None:
    """A renamed test that makes no call does not pass by an empty tape; under CI nothing is recorded."""
    suite.write("test_a.py", "def test_a(testbench): pass\n")
    out = suite.run("--testbench-mode=replay", expect="1 failed")
    assert "there is no tape at" in out
    assert "pytest test_a.py::test_a --testbench-mode=record" in out
    out = suite.run(CI="1", expect="1 failed")
    assert "CI is set, so it only replays" in out
    assert "the session with" in out
    assert "did not open" in out
    assert suite.tapes == []


@pytest.mark.parametrize(
    ("plugin", "mark", "ini"),
    [("pytest_asyncio", "asyncio", "asyncio_default_fixture_loop_scope = function\n"), ("anyio", "anyio", "")],
)
def test_asynchronous_tests_are_recorded_too(plugin: str, mark: str, ini: str, suite: Any) -> None:
    """By a plugin for asyncio, and by hand with asyncio.run; sleeps take no time on replay."""
    if importlib.util.find_spec(plugin) is None:
        pytest.skip(f"{plugin} is not installed")
    suite.write("pytest.ini", f"[pytest]\n{ini}")
    suite.write("conftest.py", "import pytest\n@pytest.fixture\ndef anyio_backend(): return 'asyncio'\n")
    suite.write(
        "test_a.py",
        """
        import asyncio, pytest, time

        async def work():
            child = await asyncio.create_subprocess_exec("echo", "hi", stdout=asyncio.subprocess.PIPE)
            out, _ = await child.communicate()
            await asyncio.sleep(0.3)
            return out

        @pytest.mark.MARK
        async def test_plugin(testbench): assert await work() == b"hi\\n"

        def test_by_hand(testbench): assert asyncio.run(work()) == b"hi\\n"
        """.replace("MARK", mark),
    )
    suite.run(expect="2 passed")
    out = suite.run("--testbench-mode=replay", "--durations=0", "-vv", expect="2 passed")
    seconds = [float(line.split("s ")[0]) for line in out.splitlines() if "s call" in line]
    assert len(seconds) == 2
    assert max(seconds) < 30  # sane, that is: no reading of the tape's clock against the real one


def test_pytest_measures_by_the_real_clock(suite: Any) -> None:
    """Durations are those of the real clock, also where it is paused, or the session open since the set-up."""
    suite.write(
        "test_a.py",
        """
        import pytest, time

        @pytest.mark.testbench(clock="paused", start="2090-01-01T00:00:00Z")
        def test_paused(testbench): time.sleep(100_000)

        @pytest.fixture
        def early(testbench):
            testbench.open()
            time.sleep(100_000)
            yield time.time()

        @pytest.mark.testbench(clock="paused")
        def test_early(early): assert time.time() == early
        """,
    )
    suite.write(
        "conftest.py",
        """
        def pytest_runtest_logreport(report):
            assert 0 <= report.duration < 60, report.duration
            assert 1.7e9 < report.start < 3e9
    """,
    )
    for mode in ("record", "replay"):
        suite.run(f"--testbench-mode={mode}", expect="2 passed")


def test_a_fixture_may_open_the_session_itself(asking: Any) -> None:
    """What a fixture asks the world then belongs to the tape of the test."""
    asking.write(
        "test_a.py",
        """
        import pytest
        from asking import ask

        @pytest.fixture
        def said(testbench):
            testbench.open()
            return ask()

        def test_ask(said): assert said == "hello"
        """,
    )
    asking.run(expect="1 passed")
    asking.write("said", "farewell")
    asking.run("--testbench-mode=replay", expect="1 passed")


def test_a_fixture_that_fails_ends_the_session(suite: Any) -> None:
    """The world is restored and no tape kept when the test itself never runs."""
    suite.write(
        "test_a.py",
        """
        import pytest, time

        @pytest.fixture
        def broken(testbench):
            testbench.open()
            raise ValueError("broken")

        def test_a(broken): pass
        def test_b(testbench): time.time()
        """,
    )
    suite.run(expect="1 passed, 1 error")
    assert suite.tapes == ["test_a/test_b.tape"]


def test_classes_modules_and_runs_can_have_one_tape(asking: Any) -> None:
    """The wider fixtures keep one session open over several tests."""
    asking.write(
        "test_a.py",
        """
        from asking import ask

        class TestOne:
            def test_a(self, testbench_class): assert ask() == "hello"
            def test_b(self, testbench_class): assert ask() == "hello"
        """,
    )
    asking.write(
        "test_b.py",
        "from asking import ask\ndef test_a(testbench_module): ask()\n"
        "def test_b(testbench_module): assert ask() == 'hello'\n",
    )
    asking.run(expect="4 passed")
    assert asking.tapes == ["test_a/TestOne.tape", "test_b.tape"]
    asking.write("said", "farewell")
    asking.run("--testbench-mode=replay", expect="4 passed")
    asking.write(
        "test_b.py",
        "from asking import ask\ndef test_a(testbench_session): ask()\ndef test_b(testbench_session): assert 0\n",
    )
    asking.run("test_b.py", expect="1 failed, 1 passed")
    assert asking.tapes == ["test_a/TestOne.tape", "test_b.tape"]


def test_a_test_can_be_spliced(suite: Any) -> None:
    """What it asks as before is kept, and the rest is recorded; the new tape is kept only if it passed."""
    asking = "import subprocess\ndef test_a(testbench):\n  for word in {!r}: subprocess.run(['echo', word])\n"
    suite.write("test_a.py", asking.format("ab"))
    suite.run(expect="1 passed")
    suite.write("test_a.py", asking.format("ac") + "  assert testbench.splice.seq == 2\n")
    suite.run("--testbench-mode=splice", expect="1 passed")
    suite.write("test_a.py", asking.format("ac"))
    suite.run("--testbench-mode=replay", expect="1 passed")
    suite.write("test_a.py", asking.format("ad") + "  assert 0\n")
    suite.run("--testbench-mode=splice", expect="1 failed")
    suite.write("test_a.py", asking.format("ac"))
    suite.run("--testbench-mode=replay", expect="1 passed")


def test_workers_of_xdist_record_and_replay(suite: Any) -> None:
    """Each test has its own tape, so they can run side by side."""
    pytest.importorskip("xdist")
    suite.write(
        "test_a.py",
        """
        import pytest, subprocess, time

        @pytest.mark.parametrize("n", range(8))
        def test_n(testbench, n):
            assert subprocess.run(["echo", str(n)], capture_output=True, text=True).stdout == f"{n}\\n"
            time.sleep(0.01)
        """,
    )
    suite.run("-n4", expect="8 passed")
    assert len(suite.tapes) == 8
    suite.run("-n4", "--testbench-mode=replay", expect="8 passed")
    suite.run("--testbench-mode=replay", expect="8 passed")


def test_an_interrupted_run_leaves_the_good_tapes(suite: Any) -> None:
    """Ctrl-C in a test sets its recording aside and keeps what was there."""
    suite.write("test_a.py", "import time\ndef test_a(testbench): time.time()\n")
    suite.run(expect="1 passed")
    good = (suite.path / "tapes/test_a/test_a.tape").read_bytes()
    suite.write(
        "test_a.py", "import os, signal, time\ndef test_a(testbench):\n  time.time(); os.kill(os.getpid(), 2)\n"
    )
    assert "KeyboardInterrupt" in suite.run("--testbench-mode=record")
    assert suite.status == 2
    assert (suite.path / "tapes/test_a/test_a.tape").read_bytes() == good
    assert (suite.path / "tapes/test_a/test_a.tape.failed").exists()


def test_a_suite_that_does_not_use_it_loads_nothing_of_it(suite: Any) -> None:
    """What records and replays is imported by tests that use it, and by no others."""
    suite.write(
        "test_a.py",
        """
        import sys

        def test_a():
            engine = ("testbench._api", "testbench.sessions", "testbench.recorders", "testbench.tape", "cbor2", "attr")
            assert [name for name in engine if name in sys.modules] == []
        """,
    )
    suite.run(expect="1 passed")
