"""What the tests of the plugin share: a suite of its own, run by a pytest of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).parents[2]


class Suite:
    """A directory with tests, and what they say when they are run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.out = ""
        self.status = -1
        self.write("pytest.ini", "[pytest]\n")

    def write(self, name: str, text: str) -> Path:
        """Write a file of the suite."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
        return path

    def run(self, *words: str, expect: str = "", under: str = ".", **environment: str) -> str:
        """Run pytest and return what it prints.

        Args:
            words: further words of its command.
            expect: what its last line counts, "2 passed, 1 failed".
            under: a directory of the suite to run it in.
            environment: further variables.
        """
        installed = any(entry.value == "testbench.pytest_plugin" for entry in metadata.entry_points(group="pytest11"))
        load = [] if installed else ["-p", "testbench.pytest_plugin"]
        given = {
            name: value for name, value in os.environ.items() if name != "CI" and not name.startswith("TESTBENCH_")
        }
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *load, *words],
            cwd=self.path / under,
            env={
                **given,
                "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
                "COLUMNS": "200",
                **environment,
            },
            capture_output=True,
            text=True,
            timeout=120,
        )
        self.out, self.status = done.stdout + done.stderr, done.returncode
        if expect:
            counted = re.findall(r"\d+ (?:passed|failed|errors?|skipped|deselected|xfailed)", self.out.splitlines()[-1])
            assert ", ".join(counted) == expect, self.out
        return self.out

    @property
    def tapes(self) -> list[str]:
        """The tapes that are there, relative to their directory."""
        return sorted(str(path.relative_to(self.path / "tapes")) for path in (self.path / "tapes").rglob("*.tape"))


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    """Return an empty suite."""
    return Suite(tmp_path)
