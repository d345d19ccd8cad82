"""Runs the tests of one module in one way, in this process: ``conformance_child.py FILE``.

The file is a job as JSON::

    {"module": "test.test_popen", "way": "stock", "only": null, "match": "", "report": "FILE", "tapes": "FOLDER"}

It writes one line of JSON per test to the report, and goes on where an earlier process left the same report. In the
ways ``recorded`` and ``replayed`` each test has a tape of its own, and a test that does not pass ends the process, so
that what it left behind (threads, children, open descriptors) troubles no other test.
"""

from __future__ import annotations

import contextlib
import faulthandler
import fcntl
import gc
import importlib
import json
import os
import sys
import time
import types
import unittest
import unittest.case
import unittest.mock
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from conformance_cage import enter as enter_cage
from conformance_outcomes import Outcomes, Report

STALL_S = 5.0
"""How long a replay waits for a lane that never comes."""
ANYBODY = ["*"]
"""Whom the tests may talk to by sockets, which are live in all three ways."""
HIGH = 500
"""Our only descriptor is above what a program counts, as it would see it otherwise."""

_call = unittest.TestCase.__call__


class Way:
    """How every test of this process runs."""

    def __init__(self, way: str, tapes: Path, report: Report) -> None:
        self.way, self._tapes, self._report = way, tapes, report
        self._caged = False

    def __call__(self, test: unittest.TestCase, result: Outcomes) -> None:
        """Run one test, everything around it outside its session."""
        name = test.id()
        if name in self._report.begun:
            return
        self._report.add(begin=name)
        self._lock_in()
        same_for_all_ways()
        result.begin()
        started = time.monotonic()
        leaks = self._run(test, result)
        seconds = time.monotonic() - started
        outcome, reason = result.outcome or "failed", result.reason or "nothing was said of it"
        reason = "" if outcome == "passed" else reason
        self._report.add(
            test=name, outcome=outcome, reason=reason, seconds=seconds, leaks=leaks, traceback=result.traceback
        )
        if outcome == "failed" and self.way != "stock":
            result.stop()

    def _run(self, test: unittest.TestCase, result: Outcomes) -> list[str]:
        """Run one test in its session, and return the leaks."""
        try:
            with self._session(f"{test.id()}.tape") as result.session:
                _call(test, result)
        except BaseException as error:  # the test's own, like SystemExit, or the session's
            result.fail(error)
        return [str(leak) for leak in getattr(result.session, "leaks", ())]

    def _lock_in(self) -> None:
        """Take the ability to start processes away before the first test; fixtures of a module may have used it."""
        if self.way == "replayed" and not self._caged:
            import testbench  # noqa: F401  # while this process can still ask the world

            enter_cage(lambda what: self._report.add(caged=what))
            self._caged = True

    def _session(self, name: str) -> contextlib.AbstractContextManager[Any]:
        if self.way == "stock":
            return contextlib.nullcontext()
        import testbench

        if self.way == "recorded":
            return testbench.record(self._tapes / name, leaks="ignore", allow=ANYBODY)
        return testbench.replay(self._tapes / name, stall_s=STALL_S, allow=ANYBODY)


def same_for_all_ways() -> None:
    """Bring what outlives a test, and is not on its tape, into the same state; randomness is, and stays random."""
    gc.collect()


def tests_of(suite: unittest.TestSuite) -> Iterator[unittest.TestCase]:
    """Return all tests of a suite in order."""
    for part in suite:
        if isinstance(part, unittest.TestSuite):
            yield from tests_of(part)
        else:
            yield part


def load(module: str, only: list[str] | None, match: str) -> unittest.TestSuite:
    """Import a module of tests, whose names for temporary files are made from the pid, under one that never changes."""
    with unittest.mock.patch("os.getpid", return_value=1):
        importlib.import_module("test.support.os_helper")
    helper = importlib.import_module("test.support.script_helper")
    helper.interpreter_requires_environment()  # it asks a child, and remembers the answer
    suite = unittest.defaultTestLoader.loadTestsFromModule(importlib.import_module(module))
    wanted = tuple(f"{name}." for name in ([module] if only is None else only))  # a module, a class, or one test
    return unittest.TestSuite(
        test for test in tests_of(suite) if f"{test.id()}.".startswith(wanted) and match in test.id()
    )


def main() -> None:
    """Run what is left of the job, and say so when that was everything."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    sys.path.insert(1, str(Path(__file__).resolve().parents[1]))
    report = Report(job["report"])
    faulthandler.enable(fcntl.fcntl(2, fcntl.F_DUPFD_CLOEXEC, HIGH))
    if hasattr(unittest.case, "time"):  # since 3.12 unittest times each test, inside of what a session spans
        unittest.case.time = types.SimpleNamespace(perf_counter=lambda: 0.0)
    suite = load(job["module"], job["only"], job["match"])
    way = Way(job["way"], Path(job["tapes"]), report)
    result = Outcomes(report)
    with unittest.mock.patch.object(unittest.TestCase, "__call__", lambda test, *_: way(test, result)):
        suite.run(result)
    if not result.shouldStop:
        report.add(end=True)
    sys.stdout.flush()
    os._exit(0)  # threads that a failed test left behind are not waited for


if __name__ == "__main__":
    main()
