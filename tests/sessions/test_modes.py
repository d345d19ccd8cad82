from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

import testbench


@pytest.fixture(autouse=True)
def _at_a_desk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)


def say(path: Path) -> str:
    """Ask the world what stands in a file."""
    return subprocess.run(["cat", str(path)], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("word", "mode"), [("none", "replay"), ("all", "record"), ("rewrite", "record"), ("replay", "replay")]
)
def test_the_words_of_the_vcr_family_are_understood(word: str, mode: str, tmp_path: Path) -> None:
    """An alias opens the same session as the word of ours."""
    tape = tmp_path / "a.tape"
    with testbench.record(tape):
        time.time()
    with testbench.session(tape, mode=word) as session:
        time.time()
        assert session.mode == mode


def test_once_records_and_then_replays(tmp_path: Path) -> None:
    """The first run makes the tape, the next one takes it."""
    modes = []
    for _ in range(2):
        with testbench.session(tmp_path / "a.tape", mode="once") as session:
            time.time()
            modes.append(session.mode)
    assert modes == ["record", "replay"]


def test_once_never_records_under_ci(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing tape is an error that names the command to make it."""
    monkeypatch.setenv("CI", "true")
    with (
        pytest.raises(testbench.TapeNotFoundError, match="testbench record -o"),
        testbench.session(tmp_path / "a.tape", mode="once"),
    ):
        pass
    assert os.listdir(tmp_path) == []


def test_off_lets_the_world_be(tmp_path: Path) -> None:
    """Nothing is recorded and no file is made."""
    with testbench.session(tmp_path / "a.tape", mode="off") as session:
        assert session.mode == "off"
        assert time.time() > 0
    assert os.listdir(tmp_path) == []


def test_an_unknown_mode_is_an_error_that_lists_them(tmp_path: Path) -> None:
    """A word that means nothing opens nothing."""
    with pytest.raises(testbench.UsageError, match=r"replay, once, record, .*verify, off"):
        testbench.session(tmp_path / "a.tape", mode="sometimes")


def test_verify_passes_while_the_world_is_as_it_was(tmp_path: Path) -> None:
    """It runs for real, compares, and writes nothing."""
    file, tape = tmp_path / "said", tmp_path / "a.tape"
    file.write_text("hello")
    with testbench.record(tape):
        say(file)
        time.time()
    before = tape.read_bytes(), sorted(os.listdir(tmp_path))
    with testbench.verify(tape) as session:
        assert session.mode == "verify"
        assert say(file) == "hello"
        time.time()
    assert (tape.read_bytes(), sorted(os.listdir(tmp_path))) == before


def test_verify_tells_what_has_changed(tmp_path: Path) -> None:
    """The program sees the world as it is; the end of the session names the field that differs, and the tape stays."""
    file, tape = tmp_path / "said", tmp_path / "a.tape"
    file.write_text("hello")
    with testbench.record(tape):
        say(file)
    before = tape.read_bytes()
    file.write_text("farewell")
    with (
        pytest.raises(testbench.DriftError, match="the world has changed") as caught,
        testbench.session(tape, "verify"),
    ):
        assert say(file) == "farewell"
    assert caught.value.report.changes[0].fields == (("outcome.stdout", b"hello", b"farewell"),)
    assert tape.read_bytes() == before
    with testbench.verify(tape, fidelity="phase"):
        say(file)


@pytest.mark.parametrize("fidelity", ["semantic", "outcome", "phase"])
def test_verify_lets_secrets_change(fidelity: str, tmp_path: Path) -> None:
    """Another password, of another length, is no drift, in arguments, command lines and outputs; another user is."""

    def work(user: str, password: str) -> None:
        subprocess.run(["echo", user, f"--password={password}"], capture_output=True, check=True)

    with testbench.record(tmp_path / "a.tape"):
        work("me", "hunter2-1")
    with testbench.verify(tmp_path / "a.tape", fidelity=fidelity):
        work("me", "correct-horse-battery-22")
    with pytest.raises(testbench.DriftError), testbench.verify(tmp_path / "a.tape", fidelity=fidelity):
        work("you", "correct-horse-battery-22")


def test_drift_shows_no_secret_of_a_tape_without_redaction(tmp_path: Path) -> None:
    """Neither in words nor as data."""
    file, tape, token = tmp_path / "said", tmp_path / "a.tape", "ghp_" + "a1B2c3D4e5" * 3
    file.write_text(f"hello {token}")
    with testbench.record(tape, redact=False):
        say(file)
    file.write_text("farewell")
    with pytest.raises(testbench.DriftError) as caught, testbench.verify(tape):
        say(file)
    assert token not in f"{caught.value} {caught.value.report.changes!r}"
    assert "hello ${SECRET:1" in str(caught.value)


def test_verify_runs_under_the_clock_and_the_seed_of_the_tape(tmp_path: Path) -> None:
    """What was recorded under a paused clock is compared to the byte."""
    import random

    def run() -> None:
        random.Random().random()
        time.sleep(3600)
        time.time()

    tape = tmp_path / "a.tape"
    with testbench.record(tape, clock="paused", start="2030-01-01T00:00:00Z", seed=7):
        run()
    with testbench.verify(tape, fidelity="byte"):
        run()


def test_a_block_that_raises_is_not_compared(tmp_path: Path) -> None:
    """The exception of the block is the one that is seen, and nothing is left behind."""
    tape = tmp_path / "a.tape"
    with testbench.record(tape):
        time.time()
    with pytest.raises(ZeroDivisionError), testbench.verify(tape):
        1 / 0  # noqa: B018  # it raises
    assert os.listdir(tmp_path) == ["a.tape"]


def test_verify_needs_a_tape(tmp_path: Path) -> None:
    """Nothing to compare with is an error before anything runs."""
    with pytest.raises(testbench.TapeNotFoundError), testbench.verify(tmp_path / "a.tape"):
        pytest.fail("the block ran")
