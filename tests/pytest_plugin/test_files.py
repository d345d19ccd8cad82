"""Tests whose reads are on the tape: of their own files, and of those that pytest makes anew for each run."""

from __future__ import annotations

import os
from typing import Any

import pytest

pytestmark = pytest.mark.slow

TESTS = """
    import importlib.metadata, inspect, logging, mimetypes, os, zoneinfo
    import pytest

    pytestmark = pytest.mark.testbench(files="sealed")

    def test_reads(testbench, tmp_path):
        (tmp_path / "made").write_text("made")
        assert (tmp_path / "made").read_text() == "made"
        assert os.listdir(tmp_path) == ["made"]
        with open("data.txt") as stream:
            assert stream.read() == "data"
        import own_helper
        assert own_helper.DATA == "data"

    def test_does_not_read_itself(testbench):
        logging.getLogger().error("no", exc_info=ValueError())
        zoneinfo.ZoneInfo("Europe/Berlin")
        mimetypes.guess_type("a.txt")
        importlib.metadata.version("pytest")
        assert "def test_reads" in inspect.getsource(test_reads)
"""


def test_reads_of_a_test_need_no_files(suite: Any) -> None:
    """With its data gone, and in another directory for temporary files, a test passes as it did."""
    suite.write("test_reads.py", TESTS)
    suite.write("own_helper.py", "with open('data.txt') as stream:\n    DATA = stream.read()\n")
    data = suite.write("data.txt", "data")
    suite.run("--testbench-mode=record", expect="2 passed")
    os.unlink(data)
    suite.run("--testbench-mode=replay", expect="2 passed")
    suite.run("--testbench-mode=replay", "-k", "itself", expect="1 passed, 1 deselected")
