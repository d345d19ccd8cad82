"""Generators of numpy, where it is installed: the tests of numpy_cases.py, in a process of their own.

A process that has loaded numpy is another one: it has threads of its own and takes longer to open a session.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

CASES = Path(__file__).with_name("numpy_cases.py")


@pytest.mark.skipif(importlib.util.find_spec("numpy") is None, reason="numpy is not installed")
def test_generators_of_numpy_replay() -> None:
    """Every test of the cases passes, and there are some."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(CASES)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
