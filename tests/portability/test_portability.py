"""Coarse tapes carry over: what one CPython recorded, every other one replays. Fine ones do on the same version.

The interpreters are those of the environments that ``scripts/setup`` makes beside ``pyproject.toml``, and this one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import testbench

ROOT = Path(__file__).parents[2]
VERSIONS = ("3.11", "3.12", "3.13")
HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"


def environments() -> dict[str, Path]:
    """Return the interpreters that are there, by version."""
    found = {}
    for told in ROOT.glob(".venv*/pyvenv.cfg"):
        lines = dict(line.split(" = ", 1) for line in told.read_text().splitlines() if " = " in line)
        found[".".join(lines.get("version", "").split(".")[:2])] = told.with_name("bin") / "python"
    return {**found, HERE: Path(sys.executable)}


ENVIRONMENTS = environments()


def launch(version: str, program: str, mode: str, tape: Path) -> subprocess.CompletedProcess[str]:
    """Run one of the programs on one Python."""
    return subprocess.run(
        [ENVIRONMENTS[version], "-W", "error", Path(__file__).with_name(program), mode, tape],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )


def outcomes_of(done: subprocess.CompletedProcess[str]) -> Any:
    """Return what the steps of a program came to."""
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


Recorded = Callable[[str, str], tuple[Path, Any]]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """Record a program on a Python, once; give the tape and what the steps came to."""
    known: dict[tuple[str, str], tuple[Path, Any]] = {}

    def record(version: str, program: str) -> tuple[Path, Any]:
        if (version, program) not in known:
            tape = tmp_path_factory.mktemp("tapes") / f"{version}.tape"
            known[version, program] = tape, outcomes_of(launch(version, program, "record", tape))
        return known[version, program]

    return record


def need(*versions: str) -> None:
    """Skip the test where one of the versions is not there."""
    for version in versions:
        if version not in ENVIRONMENTS:
            pytest.skip(f"there is no environment of Python {version} here; scripts/setup {version} makes one")


@pytest.mark.parametrize("replayed_by", VERSIONS)
@pytest.mark.parametrize("recorded_by", VERSIONS)
def test_a_coarse_tape_carries_over(recorded_by: str, replayed_by: str, recorded: Recorded) -> None:
    """Another Python gives the recorded outcomes, step by step, without starting a process."""
    need(recorded_by, replayed_by)
    tape, outcomes = recorded(recorded_by, "coarse.py")
    assert outcomes_of(launch(replayed_by, "coarse.py", "replay", tape)) == outcomes


@pytest.mark.parametrize("version", VERSIONS)
def test_a_fine_tape_is_for_the_same_version(version: str, recorded: Recorded) -> None:
    """The Python that recorded it gives the recorded outcomes, in another process."""
    need(version)
    tape, outcomes = recorded(version, "fine.py")
    assert outcomes_of(launch(version, "fine.py", "replay", tape)) == outcomes


@pytest.mark.parametrize(("recorded_by", "replayed_by"), [("3.11", "3.12"), ("3.12", "3.11"), ("3.11", "3.13")])
def test_children_of_asyncio_carry_over_or_say_that_they_do_not(
    recorded_by: str, replayed_by: str, recorded: Recorded
) -> None:
    """An event loop of another version may take other turns; a replay tells of that, or has the same outcomes."""
    need(recorded_by, replayed_by)
    tape, outcomes = recorded(recorded_by, "fine.py")
    done = launch(replayed_by, "fine.py", "replay", tape)
    if done.returncode == 0:
        assert outcomes_of(done) == outcomes
    else:
        assert "DivergenceError" in done.stderr or "MismatchError" in done.stderr


@pytest.mark.parametrize(
    "options",
    [{"bufsize": 0}, {"bufsize": 1 << 20}, {"pipesize": 1 << 16}, {"text": True}],
    ids=["unbuffered", "large buffer", "large pipe", "text"],
)
def test_buffers_are_no_part_of_a_coarse_tape(options: dict[str, Any], tmp_path: Path) -> None:
    """A program that only buffers or decodes differently now gets what was recorded."""

    def program(**options: Any) -> bytes:
        done = subprocess.run(["cat"], input=options.pop("input", b"in" * 5000), stdout=subprocess.PIPE, **options)
        return done.stdout if isinstance(done.stdout, bytes) else done.stdout.encode()

    with testbench.record(tmp_path / "run.tape"):
        outcome = program()
    with testbench.replay(tmp_path / "run.tape"):
        given = {"input": "in" * 5000} if "text" in options else {}
        assert program(**options, **given) == outcome


def test_how_long_a_timeout_is_changes_no_answer(tmp_path: Path) -> None:
    """What a child did within one minute, it did within two; whether it was in time is on the tape."""
    with testbench.record(tmp_path / "run.tape"):
        outcome = subprocess.run(["echo", "in time"], stdout=subprocess.PIPE, timeout=60).stdout
    with testbench.replay(tmp_path / "run.tape"):
        assert subprocess.run(["echo", "in time"], stdout=subprocess.PIPE, timeout=120).stdout == outcome
