"""The hash seed is part of a run: it decides in which order sets of text are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

RECORD = "import testbench\nwith testbench.record('hash.tape', **{options}): pass"
REPLAY = "import testbench\nwith testbench.replay('hash.tape'): pass"


def run(place: Path, code: str, seed: str | None) -> str:
    """Run Python code under a hash seed, and return what it says."""
    others = {name: value for name, value in os.environ.items() if name != "PYTHONHASHSEED"}
    environment = others if seed is None else {**others, "PYTHONHASHSEED": seed}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=True).stderr


@pytest.mark.parametrize("replayed", ["7", None, "random"])
def test_another_hash_seed_is_warned_of(tmp_path: Path, replayed: str | None) -> None:
    """The warning says under which seed to run; the replay goes on."""
    assert run(tmp_path, RECORD.format(options={}), "5") == ""
    assert "HashSeedWarning" in (said := run(tmp_path, REPLAY, replayed))
    assert "run it with PYTHONHASHSEED=5" in said


def test_the_same_hash_seed_is_no_news(tmp_path: Path) -> None:
    """Nothing is said where both hash alike, by the header's probe, or by the seed alone as the command line writes."""
    for options in ({}, {"clock": "paused", "meta": {"hash_seed": "5"}}):
        run(tmp_path, RECORD.format(options=options), "5")
        assert run(tmp_path, REPLAY, "5") == ""


def test_without_a_fixed_seed_there_is_nothing_to_compare(tmp_path: Path) -> None:
    """Every process has a seed of its own then, so that a warning would always come."""
    run(tmp_path, RECORD.format(options={}), None)
    assert run(tmp_path, REPLAY, "5") == run(tmp_path, REPLAY, None) == ""


def test_a_paused_clock_keeps_the_hash_seed_out_of_the_header(tmp_path: Path) -> None:
    """Two recordings of a deterministic program are the same tape, whatever the seed."""
    tapes = []
    for seed in ("5", "6", None):
        run(tmp_path, RECORD.format(options={"clock": "paused"}), seed)
        tapes.append((tmp_path / "hash.tape").read_bytes())
    assert tapes[0] == tapes[1] == tapes[2]
