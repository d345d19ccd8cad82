"""The time of whoever runs the program stays real: durations of pytest, its timeouts by both methods, faulthandler."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

FILE = """
    import time
    import pytest
    import testbench

    @pytest.fixture(params=["record", "replay"])
    def session(request, tmp_path_factory):
        path = tmp_path_factory.getbasetemp() / "run.tape"
        if request.param == "record":
            return testbench.record(path, clock="paused", leaks="ignore")
        return testbench.replay(path)

    def test_long(session):
        with session:
            begun = time.perf_counter()
            time.sleep(31_536_000)
            assert time.perf_counter() - begun == 31_536_000

    def test_endless(session, tmp_path):
        with testbench.record(tmp_path / "endless.tape", clock="paused", leaks="ignore"):
            time.sleep(31_536_000)
            while True:
                pass
"""

BY_SIGNAL = """
    import signal
    import pytest

    def bark(number, frame):
        pytest.fail("Timeout >0.3s")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(item):
        before = signal.signal(signal.SIGALRM, bark)
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        try:
            return (yield)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
"""
"""What pytest-timeout does by its method ``signal``, in short."""

BY_THREAD = """
    import os
    import sys
    import threading
    import pytest

    def bark():
        sys.stderr.write("Timeout of a thread")
        sys.stderr.flush()
        os._exit(7)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(item):
        timer = threading.Timer(0.3, bark)
        timer.start()
        try:
            return (yield)
        finally:
            timer.cancel()
            timer.join()
"""
"""What pytest-timeout does by its method ``thread``, in short."""


def run(place: Path, conftest: str, *options: str) -> Any:
    """Run the file above by a pytest of its own; return how it ended."""
    (place / "test_it.py").write_text(dedent(FILE))
    (place / "conftest.py").write_text(dedent(conftest))
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", *options, "test_it.py"]
    return subprocess.run([*command, f"--basetemp={place / 'base'}"], cwd=place, capture_output=True, text=True)


def test_durations_are_real(tmp_path: Path) -> None:
    """A test whose program sleeps for a year has taken no year, recorded and replayed."""
    done = run(tmp_path, "", "-k", "long", "--junitxml=report.xml", "--durations=0")
    assert done.returncode == 0, done.stdout
    cases = [*ElementTree.parse(tmp_path / "report.xml").iter("testcase")]
    assert len(cases) == 2
    assert all(float(case.attrib["time"]) < 3600 for case in cases)


def test_a_timeout_by_a_signal_is_real(tmp_path: Path) -> None:
    """It ends a test that computes for ever on a paused clock, and leaves those alone that only sleep for a year."""
    done = run(tmp_path, BY_SIGNAL, "-k", "long or record")
    assert "Timeout >0.3s" in done.stdout
    assert "1 failed, 2 passed" in done.stdout


def test_a_timeout_by_a_thread_is_real(tmp_path: Path) -> None:
    """It ends the whole run, as that method does."""
    done = run(tmp_path, BY_THREAD, "-s", "-k", "long or record")
    assert (done.returncode, "Timeout of a thread" in done.stderr) == (7, True), done.stdout


@pytest.mark.parametrize("mode", ["record", "replay"])
def test_a_dump_of_tracebacks_is_real(tmp_path: Path, mode: str) -> None:
    """`faulthandler.dump_traceback_later` looks at the real clock, whatever that of the program does."""
    program = f"""
        import faulthandler, time, testbench
        with testbench.record("run.tape", clock="paused"):
            time.sleep(31_536_000)
        faulthandler.dump_traceback_later(0.2, exit=True)
        session = testbench.replay("run.tape") if {mode!r} == "replay" else testbench.record("b.tape", clock="paused")
        with session:
            time.sleep(31_536_000)
            while True:
                pass
    """
    done = subprocess.run([sys.executable, "-c", dedent(program)], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert "Timeout" in done.stderr
