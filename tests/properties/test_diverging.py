"""The law of concurrent programs that leave their tape: each is told so, soon, and none hangs or passes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

_PROGRAMS = Path(__file__).with_name("diverging.py")
_EACH = 10
_LIMIT_S = 5


def _told(first: int) -> list[dict[str, Any]]:
    """Run some of the programs, in a process that ends with all stacks if one of them hangs."""
    command = [sys.executable, str(_PROGRAMS), str(first), str(first + _EACH)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=2 * _EACH * _LIMIT_S, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("first", range(0, 60, _EACH))
def test_every_diverging_concurrent_program_is_told_so(first: int) -> None:
    """Each of sixty programs, changed in one of fifteen ways, diverges in time, and all its lanes are shown."""
    told = _told(first)
    assert [each["seed"] for each in told] == list(range(first, first + _EACH))
    for each in told:
        assert each["code"] is not None, each
        assert each["seconds"] < _LIMIT_S, each
        assert any(row["name"] == "main" and row["where"] for row in each["lanes"]), each
