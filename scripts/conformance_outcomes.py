"""Keeps what is said of a test while it runs, and writes it to the report."""

from __future__ import annotations

import json
import traceback
import unittest
from pathlib import Path
from typing import Any

LONGEST = 320
"""Characters of a reason."""


class Report:
    """The lines written so far, by this process and by earlier ones; the file is never open while a test runs."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        lines = self._path.read_text(encoding="utf-8").splitlines() if self._path.exists() else []
        self.begun = {line["begin"] for line in map(json.loads, lines) if "begin" in line}

    def add(self, **line: Any) -> None:
        """Write one line."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


class Outcomes(unittest.TestResult):
    """Keeps what is said of the running test; a failure is not taken back."""

    def __init__(self, report: Report) -> None:
        super().__init__()
        self._report = report
        self.begin()

    def begin(self) -> None:
        """Forget the test before."""
        self.outcome, self.reason, self.traceback = "", "", ""
        self.session: Any = None

    def say(self, outcome: str, reason: str = "", trace: str = "") -> None:
        """Remember an outcome."""
        if self.outcome != "failed":
            self.outcome, self.reason, self.traceback = outcome, reason, trace

    def fail(self, error: BaseException) -> None:
        """Remember the first error, or rather the divergence that it came of."""
        cause = getattr(self.session, "failure", None) or error
        trace = "".join(traceback.format_exception(error))
        before = cause.__context__  # a failed assertion, and then a ``finally`` that diverges
        reason = f"{one_line(before)}; then " if isinstance(before, AssertionError) else ""
        self.say("failed", reason + one_line(cause), trace if cause is error else f"{trace}\n{cause}")

    def addSuccess(self, test: unittest.TestCase) -> None:  # noqa: N802
        """The test passed, or has so far."""
        self.say("passed")

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:  # noqa: N802
        """The test, or a part of it, was not run."""
        self.say("skipped", reason)

    def addExpectedFailure(self, test: unittest.TestCase, err: Any) -> None:  # noqa: N802
        """The test failed, as it should."""
        self.say("passed")

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:  # noqa: N802
        """The test should have failed."""
        self.say("failed", "it passed, which was not expected")

    def addError(self, test: unittest.TestCase, err: Any) -> None:  # noqa: N802
        """The test, or a fixture of a class or module, raised."""
        if isinstance(test, unittest.TestCase):
            self.fail(err[1])
        else:
            self._report.add(fixture=test.id(), reason=one_line(err[1]))

    addFailure = addError  # noqa: N815

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Any) -> None:  # noqa: N802
        """A part of the test has ended."""
        if err is not None:
            self.fail(err[1])


def one_line(error: BaseException) -> str:
    """Return the last lines of a traceback as one."""
    return " ".join(" ".join(traceback.format_exception_only(error)).split())[:LONGEST]
