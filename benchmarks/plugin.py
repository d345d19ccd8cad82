"""What the pytest plugin costs: 1,000 tests, each with a small tape of its own, and a suite that does not use it.

Each suite is run by a pytest of its own, in turns, and the processor time of the shortest run of each counts, so that
other load and the disk do not. Compiled code is kept from run to run, as it usually is.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from _table import at_most, beside

ROUNDS = 5
FILES, TESTS = 10, 100
TEST = """
def test_{number}({fixture}):
    first = time.time()
    assert time.monotonic() and first
"""


def suite(folder: Path, fixture: str) -> None:
    """Write a suite."""
    folder.mkdir()
    (folder / "pytest.ini").write_text("[pytest]\n")
    for file in range(FILES):
        tests = [TEST.format(number=number, fixture=fixture) for number in range(TESTS)]
        (folder / f"test_{file}.py").write_text("".join(["import time\n", *tests]))


def run(folder: Path, *options: str) -> float:
    """Run a suite; return seconds of processor time."""
    before = os.times()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    kept = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder.parent / "compiled")}
    environ = {**os.environ, **kept, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    subprocess.run(command, cwd=folder, env=environ, stdout=subprocess.DEVNULL, check=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def main() -> None:
    """Measure and print."""
    plugin, number = ("-p", "testbench.pytest_plugin"), FILES * TESTS
    with tempfile.TemporaryDirectory() as name:
        plain, using = Path(name) / "plain", Path(name) / "using"
        suite(plain, "")
        suite(using, "testbench")
        run(using, *plugin, "--testbench-mode=record")
        cases = {
            "without": lambda: run(plain, "-p", "no:testbench"),
            "unused": lambda: run(plain, *plugin),
            "replaying": lambda: run(using, *plugin, "--testbench-mode=replay"),
        }
        best = dict.fromkeys(cases, float("inf"))
        for _ in range(ROUNDS):
            for case, measure in cases.items():
                best[case] = min(best[case], measure())
    beside(f"{number:,} tests, without the plugin", best["without"] / number * 1000, " ms a test")
    at_most("the plugin, not used, adds", (best["unused"] - best["without"]) / number * 1000, 0.1, " ms a test")
    at_most("the plugin, replaying, adds", (best["replaying"] - best["without"]) / number * 1000, 2, " ms a test")


if __name__ == "__main__":
    main()
