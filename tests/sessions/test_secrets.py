"""Secrets in sessions: none reaches the disk, the program sees them, and a replay matches with others or with none."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest

import testbench
from testbench.errors import DivergenceError, RecordingError
from tests.redaction.planted import in_texts, passwords, private_key, tokens


@testbench.boundary
def fetch(password: str, what: object = None) -> object:
    """Return what was asked for."""
    return what


@testbench.boundary
def get_secret(name: str) -> str:
    """Return a secret under a name that says so."""
    return SECRETS[name]


@testbench.boundary
def refuse(token: str) -> None:
    """Raise what names a secret."""
    raise PermissionError(13, f"token={token} is not allowed", token)


SECRETS = {"db_password": "s-from-a-vault-77"}

ECHO = "import sys; sys.stdout.write(sys.argv[1]); sys.stderr.write(sys.argv[1]); sys.stdout.write(sys.stdin.read())"
SLOWLY = """
import sys
for letter in sys.stdin.read():
    sys.stdout.write(letter)
    sys.stdout.flush()
"""


def run(*args: str, given: str = "") -> bytes:
    """Run a child and return its output."""
    return subprocess.run([sys.executable, "-c", *args], input=given.encode(), capture_output=True, check=True).stdout


def read_slowly(text: str, size: int) -> list[bytes]:
    """Return what a child prints letter by letter, read in small pieces."""
    with subprocess.Popen(
        [sys.executable, "-c", SLOWLY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        for at in range(0, len(text), 5):
            child.stdin.write(text[at : at + 5].encode())
        child.stdin.close()
        return list(iter(lambda: child.stdout.read(size), b""))  # type: ignore[union-attr]


def forms(secret: str) -> list[bytes]:
    """Return a secret as it may stand in a file: as it is, in hexadecimal, in base64, and upside down."""
    data = secret.encode()
    return [data, data.hex().encode(), base64.b64encode(data), data[::-1]]


def everything_of(tape: Path) -> bytes:
    """Return the bytes of a tape, those of its blobs, and those of what can be decompressed in it."""
    data = tape.read_bytes()
    found = [data]
    with testbench.open_tape(tape) as opened:
        found += [opened.blob(digest) for digest in _digests(opened)]
    for start in (b"\x78\x9c", b"\x78\xda"):
        at = data.find(start)
        while at >= 0:
            found.append(_unpacked(data[at:]))
            at = data.find(start, at + 1)
    return b"\n".join(found)


def _digests(tape: Any) -> list[bytes]:
    return [digest for digest, _ in tape._reader.blobs()]


def _unpacked(data: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, 1 << 20)
    except zlib.error:
        return b""


def on_disk(tape: Path, secrets: list[str]) -> list[str]:
    """Return which secrets a tape holds in any form."""
    data = everything_of(tape)
    return [secret for secret in secrets if any(form in data for form in forms(secret))]


def test_no_secret_of_a_planted_corpus_reaches_the_disk(tmp_path: Path) -> None:
    """200 secrets, in arguments, stdin, stdout, stderr, pieces of streams, values and errors: none is on the tape."""
    keys, people = tokens(), passwords(160)
    texts, rest = in_texts(people[:100]), people[100:]
    tape = tmp_path / "planted.tape"
    with testbench.record(tape) as session:
        for number in range(0, 40, 10):
            run(ECHO, " ".join(keys[number : number + 10]), given="\n".join(texts[number : number + 10]))
        for number in range(40, 100, 20):
            run(ECHO, "nothing", given="\n".join(texts[number : number + 20]))
            assert b"".join(read_slowly("\n".join(texts[number : number + 20]), 3)).decode() == "\n".join(
                texts[number : number + 20]
            )
        for password in rest[:20]:
            run(ECHO, f"--password={password}")
            assert fetch(password, {"api_key": password[::-1] + "9", "list": [password]}) is not None
        for password in rest[20:40]:
            run("pass", "--token", password)
        for password in rest[40:60]:
            with pytest.raises(PermissionError, match="not allowed"):
                refuse(password)
        assert get_secret("db_password") == "s-from-a-vault-77"
        read_slowly(private_key(), 7)
        assert session.redactions >= 200
    planted = [*keys, *people, "s-from-a-vault-77", *private_key().splitlines()[1:-1]]
    assert len(planted) >= 200
    assert on_disk(tape, planted) == []
    assert testbench.check(tape) == []


def program(secret: str) -> list[Any]:
    """Use a secret in many places; return what came back."""
    caught = ""
    try:
        refuse(secret)
    except PermissionError as error:
        caught = str(error)
    pieces = read_slowly(f"password={secret}!\nok\n", 4)
    return [run(ECHO, f"--token={secret}", given=secret), pieces, fetch(secret, [secret, 1]), caught]


def test_the_program_sees_the_secret_while_recording(tmp_path: Path) -> None:
    """Redaction changes what is written, and nothing that the program gets."""
    with testbench.record(tmp_path / "t.tape"):
        got = program("s3cr3t-value-1")
    assert got[0] == b"--token=s3cr3t-value-1s3cr3t-value-1"
    assert b"".join(got[1]) == b"password=s3cr3t-value-1!\nok\n"
    assert got[2:] == [["s3cr3t-value-1", 1], "[Errno 13] token=s3cr3t-value-1 is not allowed: 's3cr3t-value-1'"]
    assert on_disk(tmp_path / "t.tape", ["s3cr3t-value-1"]) == []


@pytest.mark.parametrize("other", ["s3cr3t-value-1", "an0ther-val-2x"])
def test_a_replay_gives_placeholders_of_equal_length(tmp_path: Path, other: str) -> None:
    """With the same secret or another one, a replay gives the placeholder, and what is recorded again is the tape."""
    tape, again = tmp_path / "t.tape", tmp_path / "again.tape"
    with testbench.record(tape):
        live = program("s3cr3t-value-1")
    with testbench.replay(tape, rerecord=again):
        replayed = program(other)
    assert replayed[0] == live[0].replace(b"s3cr3t-value-1", b"${SECRET:1...}")
    assert [len(piece) for piece in replayed[1]] == [len(piece) for piece in live[1]]
    assert b"".join(replayed[1]) == b"".join(live[1]).replace(b"s3cr3t-value-1", b"${SECRET:1...}")
    assert again.read_bytes() == tape.read_bytes()


def test_a_placeholder_that_comes_back_matches(tmp_path: Path) -> None:
    """What a program got from one boundary and hands to the next is the same secret, on replay the placeholder."""

    def chain() -> None:
        fetch(get_secret("db_password"), "x")

    with testbench.record(tmp_path / "t.tape"):
        chain()
    with testbench.replay(tmp_path / "t.tape"):
        chain()


def test_two_secrets_are_not_one(tmp_path: Path) -> None:
    """A program that uses its first password in the place of the second has diverged."""
    with testbench.record(tmp_path / "t.tape"):
        fetch("first-pass-1")
        fetch("second-pass2")
    with pytest.raises(DivergenceError) as caught, testbench.replay(tmp_path / "t.tape"):
        fetch("first-pass-1")
        fetch("first-pass-1")
    assert "first-pass-1" not in str(caught.value)


def test_a_divergence_shows_no_secret(tmp_path: Path) -> None:
    """Live requests and tapes that hold secrets are shown with placeholders."""
    tape = tmp_path / "t.tape"
    with testbench.record(tape, redact=False):
        fetch("on-the-tape-1", "a")
    assert on_disk(tape, ["on-the-tape-1"]) == ["on-the-tape-1"]
    with pytest.raises(DivergenceError) as caught, testbench.replay(tape):
        fetch("live-secret-2", "b")
    told = f"{caught.value} {caught.value.args}"
    assert "on-the-tape-1" not in told
    assert "live-secret-2" not in told


def test_a_tape_that_was_recorded_without_redaction_replays_with_another_secret(tmp_path: Path) -> None:
    """Both sides are compared in their redacted form."""
    with testbench.record(tmp_path / "t.tape", redact=False):
        fetch("on-the-tape-1", "a")
    with testbench.replay(tmp_path / "t.tape"):
        assert fetch("live-secret-2", "a") == "a"


def test_leaks_show_no_secret(tmp_path: Path) -> None:
    """What a report says of a leak is redacted."""
    with testbench.record(tmp_path / "t.tape", leaks="ignore") as session:
        pid = os.posix_spawn("/bin/true", ["true", "--password", "hunter2-leak"], {})
        os.waitpid(pid, 0)
        child = os.fork()
        if not child:
            os._exit(0)
        os.waitpid(child, 0)
    assert "hunter2-leak" not in str(session.leaks)


def _fails(text: str) -> list[str]:
    if "now" in text:
        raise ValueError
    return []


def test_a_redactor_that_raises_aborts_the_recording(tmp_path: Path) -> None:
    """The error says which redactor; what is left behind holds nothing of the event, and an older tape stays."""
    tape = tmp_path / "t.tape"
    with testbench.record(tape):
        fetch("older")
    older = tape.read_bytes()
    with pytest.raises(RecordingError, match="_fails raised ValueError"), testbench.record(tape, redact=[_fails]):
        fetch("before-1234")
        fetch("before-1234", "now-abc-1234")
    assert tape.read_bytes() == older
    left = (tmp_path / "t.tape.failed").read_bytes()
    assert b"now-abc-1234" not in left
    assert b"before-1234" not in left


def test_secrets_of_the_environment_are_known_from_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The value of a variable with such a name is redacted where nothing else gives it away."""
    monkeypatch.setenv("CI_DEPLOY_TOKEN", "zq-83jsk-aa")
    with testbench.record(tmp_path / "t.tape"):
        run("import os; print('in the middle', os.environ['CI_DEPLOY_TOKEN'])")
    assert on_disk(tmp_path / "t.tape", ["zq-83jsk-aa"]) == []


def test_the_header_is_redacted(tmp_path: Path) -> None:
    """What a user adds to the header is redacted as well."""
    with testbench.record(tmp_path / "t.tape", meta={"url": "https://me:s3cr3t-99@example.org"}):
        pass
    assert on_disk(tmp_path / "t.tape", ["s3cr3t-99"]) == []


def test_values_are_given_by_the_user(tmp_path: Path) -> None:
    """A value that nothing else gives away is redacted in pieces of a stream too."""
    with testbench.record(tmp_path / "t.tape", redact_values=["just plain words"]):
        assert b"".join(read_slowly("these are just plain words, no more", 3)) == b"these are just plain words, no more"
    assert on_disk(tmp_path / "t.tape", ["just plain words"]) == []


def test_two_recordings_of_the_same_are_alike(tmp_path: Path) -> None:
    """Under a paused clock and with pieces of one size, redaction adds nothing that differs between two runs."""
    tapes = [tmp_path / "a.tape", tmp_path / "b.tape"]
    for tape in tapes:
        with testbench.record(tape, clock="paused"):
            fetch("s3cr3t-value-1", ["x", {"token": "an0ther-1"}])
            get_secret("db_password")
    assert tapes[0].read_bytes() == tapes[1].read_bytes()


def test_a_splice_goes_on_with_the_same_placeholders(tmp_path: Path) -> None:
    """A secret of the old part has its placeholder in the new part too, and new secrets get new numbers."""
    tape = tmp_path / "t.tape"
    with testbench.record(tape):
        fetch("first-pass-1", "a")
        fetch("second-pass-2", "b")
    with testbench.session(tape, mode="splice"):
        fetch("first-pass-9", "a")
        fetch("first-pass-9", "c")
        fetch("th1rd-password", "d")
    asked = [event.request for event in testbench.open_tape(tape)]
    assert [row["what"] for row in asked] == ["a", "c", "d"]  # type: ignore[index]
    assert [row["password"] for row in asked] == ["${SECRET:1.}", "${SECRET:1.}", "${SECRET:3...}"]  # type: ignore[index]
    assert on_disk(tape, ["first-pass-1", "first-pass-9", "th1rd-password"]) == []


KILLED = """
import subprocess, sys, testbench
with testbench.record(sys.argv[1]):
    subprocess.run(["true"], capture_output=True)
    child = subprocess.Popen(["cat"], stdin=-1, stdout=-1, bufsize=0)
    child.stdin.write(sys.argv[2].encode())
    print(child.stdout.read(100), flush=True)
    subprocess.run(["true"], capture_output=True)
    child.wait()
"""


def test_half_a_secret_does_not_reach_the_disk_when_the_recorder_is_killed(tmp_path: Path) -> None:
    """What waits for the rest of a secret is lost with the program, and what came before it is not."""
    (token,) = (each for each in tokens() if each.startswith("ghp_"))
    half = token[:30]
    argv = [sys.executable, "-c", KILLED, str(tmp_path / "t.tape"), f"the token is {half}"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stdin=subprocess.PIPE) as program:
        assert program.stdout is not None
        assert half.encode() in program.stdout.readline()
        (partial,) = tmp_path.glob("t.*partial")
        while b"process.communicate" not in partial.read_bytes():  # what is older than a moment is written out
            pass
        program.kill()
    assert half.encode() not in partial.read_bytes()
    testbench.recover(partial, tmp_path / "whole.tape")
    assert on_disk(tmp_path / "whole.tape", [half]) == []
    with testbench.open_tape(tmp_path / "whole.tape") as tape:
        assert [event.op for event in tape if event.kind == "process"][:2] == ["spawn", "communicate"]
