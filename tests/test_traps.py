"""Eighteen traps into which tools of this kind have fallen; one test each, numbered, and what befell whom."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
import unicodedata
from pathlib import Path
from time import time as imported_early
from typing import Any

import pytest

import testbench
from testbench.recorders import Clock

ROOT = Path(__file__).parents[1]


@testbench.boundary
def ask(what: Any) -> Any:
    """Stand for the world."""
    return what


def run(*words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a directory, with this testbench."""
    given = {name: value for name, value in os.environ.items() if name not in ("CI", "PYTHONHASHSEED")}
    return subprocess.run(
        words,
        cwd=cwd,
        env={**given, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )


def say(text: bytes) -> bytes:
    """Let a child say something."""
    code = f"import sys; sys.stdout.buffer.write({text!r})"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """Return where the tape of a test is."""
    return tmp_path / "a.tape"


def test_01_a_mismatch_does_not_move_the_cursor(tape: Path) -> None:
    """Who catches a mismatch and asks rightly afterwards is not answered from one place further on."""
    with testbench.record(tape):
        ask(1)
        ask(2)
    with pytest.raises(testbench.MismatchError) as caught, testbench.replay(tape):
        for what in ("wrong", 1, 2):
            with pytest.raises(testbench.MismatchError):
                ask(what)
    assert caught.value.report.seq == 0


def test_02_a_missing_payload_is_an_error() -> None:
    """Neither reading nor checking passes over it, and it is never taken for an empty one."""
    broken = ROOT / "tapes/broken/blob-missing.tape"
    with pytest.raises(testbench.BlobMissingError), testbench.open_tape(broken) as tape:
        list(tape)
    assert "blob" in " ".join(finding.code for finding in testbench.check(broken))


def test_03_a_session_that_nobody_closes_does_not_lose_its_events(tape: Path) -> None:
    """They are in a file beside, and the program is told."""
    code = "import testbench, time\ntestbench.record('a.tape').open()\ntime.time()\n"
    done = run(sys.executable, "-c", code, cwd=tape.parent)
    assert "a session was still open when the program ended" in done.stderr
    assert not tape.exists()
    with testbench.open_tape(f"{tape}.failed") as aside:
        assert "time" in [event.op for event in aside]


def test_04_events_that_nobody_asked_for_fail_by_every_way(tape: Path) -> None:
    """In Python and on the command line the end of a replay looks for them."""
    with testbench.record(tape):
        time.time()
    with pytest.raises(testbench.LeftoverError), testbench.replay(tape):
        pass
    done = run(sys.executable, "-m", "testbench", "replay", "a.tape", "--", sys.executable, "-c", "", cwd=tape.parent)
    assert (done.returncode, "leftover" in done.stderr) == (71, True)


def test_05_a_name_imported_earlier_is_followed(tape: Path) -> None:
    """A function bound before the session, as a name or as a default argument, is recorded and replayed."""

    def stamp(now: Any = imported_early) -> tuple[float, float]:
        return imported_early(), now()

    with testbench.record(tape):
        recorded = stamp()
    with testbench.replay(tape):
        assert stamp() == recorded


def test_06_sleeping_moves_the_clock_that_is_waited_for(tape: Path) -> None:
    """A loop that polls the clock and sleeps ends, paused and replayed, without waiting for an hour."""

    def poll() -> int:
        turns, deadline = 0, time.monotonic() + 3600
        while time.monotonic() < deadline:
            time.sleep(60)
            turns += 1
        return turns

    with testbench.record(tape, clock="paused"):
        assert poll() == 60
    with testbench.replay(tape):
        assert poll() == 60


def test_07_the_runner_measures_by_the_real_clock(tape: Path) -> None:
    """A clock that jumps by years in a test is not the one by which pytest tells how long the test took."""
    tests = "import pytest, time\n@pytest.mark.testbench(clock='paused')\ndef test_a(testbench): time.sleep(10**8)\n"
    (tape.parent / "test_a.py").write_text(tests)
    (tape.parent / "conftest.py").write_text("def pytest_runtest_logreport(report): assert report.duration < 10**4\n")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
    loaded = run(*command, "--testbench-mode=off", "--collect-only", cwd=tape.parent).returncode == 0
    command += [] if loaded else ["-p", "testbench.pytest_plugin"]
    for _ in range(2):
        done = run(*command, cwd=tape.parent)
        assert done.returncode == 0, done.stdout + done.stderr


def test_08_redaction_changes_neither_the_live_value_nor_the_match(tape: Path) -> None:
    """The program sees the secret while it records, the tape does not, and another secret matches on replay."""
    secret, other = (f"ghp_{letters * 9}" for letters in ("aB3x", "Zz9q"))
    with testbench.record(tape):
        assert ask({"TOKEN": secret, "name": "ada"}) == {"TOKEN": secret, "name": "ada"}
    assert secret.encode() not in tape.read_bytes()
    with testbench.replay(tape):
        assert ask({"TOKEN": other, "name": "ada"})["name"] == "ada"
    with pytest.raises(testbench.MismatchError) as caught, testbench.replay(tape):
        ask({"TOKEN": other, "name": "eve"})
    assert other not in str(caught.value)


def test_09_a_run_that_fails_does_not_replace_a_good_tape(tape: Path) -> None:
    """What was there stays, and the new recording is kept beside."""
    with testbench.record(tape):
        ask(1)
    good = tape.read_bytes()
    with pytest.raises(ZeroDivisionError), testbench.record(tape):
        ask(2)
        1 / 0  # noqa: B018  # it raises
    assert tape.read_bytes() == good
    assert Path(f"{tape}.failed").exists()


def test_10_nothing_to_look_at_is_no_success(tape: Path) -> None:
    """A pattern that names no tape, a missing tape and an empty file all fail."""
    command = [sys.executable, "-m", "testbench", "check"]
    assert run(*command, cwd=tape.parent).returncode == 2
    assert run(*command, "none/*.tape", cwd=tape.parent).returncode == 3
    tape.write_bytes(b"")
    assert run(*command, "a.tape", cwd=tape.parent).returncode == 3
    with pytest.raises(testbench.NotATapeError), testbench.replay(tape):
        pytest.fail("the block ran")


def test_11_another_hash_seed_is_told(tape: Path) -> None:
    """The header has it, a replay under another one warns, and the command line takes the recorded one."""
    record = "import testbench\nwith testbench.record('a.tape'): pass\n"
    assert run(sys.executable, "-c", record, cwd=tape.parent, PYTHONHASHSEED="7").returncode == 0
    with testbench.open_tape(tape) as read:
        assert read.meta["hash_seed"] == "7"
    replay = record.replace("record", "replay")
    done = run(sys.executable, "-c", replay, cwd=tape.parent, PYTHONHASHSEED="8")
    assert "recorded under PYTHONHASHSEED=7" in done.stderr
    program = [sys.executable, "-c", "print(hash('a'))"]
    by_hand = run(*program, cwd=tape.parent, PYTHONHASHSEED="7")
    done = run(sys.executable, "-m", "testbench", "replay", "a.tape", "--", *program, cwd=tape.parent)
    assert (done.stdout, done.stderr) == (by_hand.stdout, "")


def test_12_randomness_seeded_before_the_session_is_on_the_tape(tape: Path) -> None:
    """The shared generator draws on replay what it drew when it was recorded, whatever its state is now."""
    before = random.getstate()
    try:
        random.seed(5)
        with testbench.record(tape):
            recorded = [random.random(), random.randrange(10**9)]
        random.seed(6)
        with testbench.replay(tape):
            assert [random.random(), random.randrange(10**9)] == recorded
    finally:
        random.setstate(before)


def test_13_what_a_child_says_is_not_tidied(tape: Path) -> None:
    """Line ends, trailing blanks, control characters and bytes that are no text come back as they were."""
    said = b"a\r\nb  \t\n\n\x00\x1b[31m\xff\xfe\xed\xa0\x80 end \r"
    with testbench.record(tape):
        assert say(said) == said
    with testbench.replay(tape):
        assert say(said) == said


def test_14_a_tape_of_another_meaning_is_refused(tape: Path) -> None:
    """A recorder whose events mean something else has another version, and does not replay the old ones."""

    class Newer(Clock):
        version = Clock.version + 1

    with testbench.record(tape, recorders=["clock"]):
        time.time()
    with pytest.raises(testbench.TapeVersionError), testbench.replay(tape, recorders=[Newer()]):
        pytest.fail("the block ran")


def test_15_a_timeout_stays_a_timeout(tape: Path) -> None:
    """A child that was given up is given up again on replay, at once, with what it had said until then."""

    def give_up() -> bytes | None:
        code = "import time; print('begun', flush=True); time.sleep(60)"
        with pytest.raises(subprocess.TimeoutExpired) as caught:
            subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, timeout=1)
        return caught.value.output

    with testbench.record(tape):
        recorded = give_up()
    with testbench.replay(tape):
        assert give_up() == recorded


def test_16_a_call_made_once_is_not_answered_twice(tape: Path) -> None:
    """Asking more often than when it was recorded is a divergence, in the middle and at the end."""
    with testbench.record(tape):
        ask(1)
        ask(2)
    with pytest.raises(testbench.MismatchError, match="answered at seq 0"), testbench.replay(tape):
        ask(1)
        ask(1)
    with pytest.raises(testbench.ExhaustedError), testbench.replay(tape):
        ask(1)
        ask(2)
        ask(2)


def test_17_a_missing_tape_is_not_an_empty_one(tape: Path) -> None:
    """A replay without a tape fails, also where the block makes no call; nothing is written."""
    for mode in ("replay", "none"):
        with pytest.raises(testbench.TapeNotFoundError), testbench.session(tape, mode=mode):
            pytest.fail("the block ran")
    assert os.listdir(tape.parent) == []


def test_18_forms_of_unicode_are_kept_apart(tape: Path) -> None:
    """A letter with an accent in one character and in two are different questions, and different answers."""
    one, two = unicodedata.normalize("NFC", "e\u0301"), unicodedata.normalize("NFD", "\u00e9")
    assert one != two
    for _ in range(2):
        with testbench.session(tape, mode="record" if _ == 0 else "replay"):
            assert [ask(one), ask(two), say(two.encode())] == [one, two, two.encode()]
    with pytest.raises(testbench.MismatchError), testbench.replay(tape):
        ask(two)
