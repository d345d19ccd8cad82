"""The proof programs of ``scripts/prove_order``, a few replays of each."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "prove_order.py"


@pytest.mark.slow
def test_concurrent_programs_replay_the_same_every_time() -> None:
    """Thousands of events of threads, a counter that loses increments, and a thousand tasks: outcome and tape."""
    done = subprocess.run([sys.executable, str(SCRIPT), "3"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.split(" replays")[0] for line in done.stdout.splitlines()] == [
        "mixed: 3 of 3",
        "counter: 3 of 3",
        "tasks: 3 of 3",
    ]


def test_a_replay_that_differs_is_told(tmp_path: Path) -> None:
    """The proof can fail: an outcome that is not the recorded one is counted, and named with what differs."""
    subprocess.run([sys.executable, str(SCRIPT), "1", "counter", "--keep", str(tmp_path)], check=True)
    (tmp_path / "counter.outcome").write_text("another")
    command = [sys.executable, str(SCRIPT), "1", "counter", "--replay", str(tmp_path / "counter.tape")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("differs\n", "counter, replay 1: another outcome\n")
