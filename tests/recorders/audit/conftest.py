"""A process to talk to that is no session's, and a directory that is nobody's root."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbench.recorders.audit import _paths
from tests.recorders.audit.strangers import Strangers


@pytest.fixture(scope="module")
def strangers() -> Iterator[Strangers]:
    """Run a process that listens, answers, and calls back when told to."""
    process = subprocess.Popen(
        [sys.executable, "-S", Strangers.code()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        yield Strangers(process)
        process.kill()


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """Give a path for a tape."""
    return tmp_path / "run.tape"


@pytest.fixture
def outside(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a directory that no rule covers: what counts as the directory for temporary files is another one."""
    monkeypatch.setattr(_paths, "_TEMPORARY", ())
    for name in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.setenv(name, str(tmp_path))
    return tmp_path_factory.mktemp("outside")
