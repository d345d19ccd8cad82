"""Secrets on tapes that are there already: found by scan, and gone after scrub."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import testbench
from testbench.cli import main
from testbench.errors import TapeIncompleteError
from tests.redaction.planted import passwords, private_key, tokens

PASSWORD = passwords(1)[0]
TOKEN = tokens()[0]


@testbench.boundary
def fetch(what: str, password: str = "") -> str:
    """Return what was asked for."""
    return what


def dirty(tape: Path) -> Path:
    """Record secrets without redaction: in blobs, in pieces of a stream, and before the place that gives them away."""
    with testbench.record(tape, redact=False, clock="paused", meta={"url": f"https://me:{PASSWORD}@example.org"}):
        fetch(PASSWORD)
        fetch("x", PASSWORD)
        fetch(f"{'long text ' * 400}{TOKEN}\n{private_key()}")
        code = "import sys\nfor c in sys.argv[1]: sys.stdout.write(c); sys.stdout.flush()"
        with subprocess.Popen([sys.executable, "-c", code, TOKEN], stdout=subprocess.PIPE, bufsize=0) as child:
            assert child.stdout is not None
            while child.stdout.read(3):
                pass
    return tape


def shape(tape: Path) -> list[tuple[object, ...]]:
    """Return what a scrub leaves alone."""
    with testbench.open_tape(tape) as opened:
        return [(event.seq, event.lane, event.kind, event.op, event.at_ns, event.took_ns) for event in opened]


def test_scrub_replaces_and_keeps_the_rest(tmp_path: Path) -> None:
    """Nothing secret is left, not even before the place that gave it away; order, lanes and times are the same."""
    tape = dirty(tmp_path / "t.tape")
    before = shape(tape)
    found = testbench.scan(tape)
    assert {secret.rule for secret in found} >= {"url", "name", "github", "private-key"}
    report = testbench.scrub(tape)
    assert (report.path, report.events) == (tape, len(before))
    assert report.redactions >= len(found)
    assert shape(tape) == before
    assert testbench.check(tape) == []
    assert testbench.scan(tape) == []
    data = tape.read_bytes()
    assert not [secret for secret in (PASSWORD, TOKEN, *private_key().splitlines()[1:-1]) if secret.encode() in data]


def test_a_clean_tape_is_not_touched(tmp_path: Path) -> None:
    """What has no secrets, or has placeholders for them already, stays as it is."""
    tape = tmp_path / "t.tape"
    with testbench.record(tape):
        fetch("x", PASSWORD)
    before = tape.stat()
    assert testbench.scrub(tape).redactions == 0
    assert (tape.stat().st_ino, tape.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_scrubbing_again_with_more_rules_gives_new_numbers(tmp_path: Path) -> None:
    """A placeholder that is there already is not given to another secret."""
    tape = tmp_path / "t.tape"
    with testbench.record(tape):
        fetch("just plain words", PASSWORD)
    testbench.scrub(tape, redact_values=["just plain words"])
    (event,) = testbench.open_tape(tape)
    assert event.request == {"what": "${SECRET:2.....}", "password": "${1......}"}


def test_a_scrubbed_tape_replays(tmp_path: Path) -> None:
    """The program that recorded it matches, with its secrets or others."""
    tape = dirty(tmp_path / "t.tape")
    testbench.scrub(tape, tmp_path / "clean.tape")
    with testbench.replay(tmp_path / "clean.tape", leaks="ignore"):
        assert fetch(PASSWORD) != PASSWORD
        fetch("x", PASSWORD)
        fetch(f"{'long text ' * 400}{TOKEN}\n{private_key()}")
        code = "import sys\nfor c in sys.argv[1]: sys.stdout.write(c); sys.stdout.flush()"
        with subprocess.Popen([sys.executable, "-c", code, TOKEN], stdout=subprocess.PIPE, bufsize=0) as child:
            assert child.stdout is not None
            while child.stdout.read(3):
                pass


def test_an_unfinished_tape_is_refused(tmp_path: Path) -> None:
    """It is told to be recovered first, and not touched."""
    tape = dirty(tmp_path / "t.tape")
    tape.write_bytes(tape.read_bytes()[:-80])
    with pytest.raises(TapeIncompleteError, match="testbench recover"):
        testbench.scrub(tape)


def test_scan_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It ends with 1 where it finds something, 0 where not, and never prints a secret."""
    tape = dirty(tmp_path / "t.tape")
    assert main(["scan", str(tape)]) == 1
    told = capsys.readouterr().out
    assert "request.password: name" in told
    assert PASSWORD not in told
    assert TOKEN not in told
    assert main(["scan", "--json", str(tape)]) == 1
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"tape", "seq", "name", "place", "rule", "size"} == set(rows[0])
    assert main(["scrub", str(tape)]) == 0
    assert "secrets replaced" in capsys.readouterr().out
    assert main(["scan", str(tape)]) == 0
    assert "no secrets found" in capsys.readouterr().out


def test_values_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A variable named on the command line is a secret by its value; one that is not set is an error."""
    monkeypatch.setenv("MY_PHRASE", "just plain words")
    tape = tmp_path / "t.tape"
    with testbench.record(tape):
        fetch("just plain words")
    assert main(["scan", str(tape)]) == 0
    assert main(["scan", "--redact-env", "MY_PHRASE", str(tape)]) == 1
    assert "just plain words" not in capsys.readouterr().out
    assert main(["scan", "--redact-env", "NOT_SET", str(tape)]) == 2


def test_what_is_shown_of_a_dirty_tape(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command line shows placeholders for the secrets of a tape that was recorded without redaction."""
    tape, other = dirty(tmp_path / "t.tape"), tmp_path / "other.tape"
    with testbench.record(other, redact=False, clock="paused"):
        fetch("x", f"{PASSWORD}2")
    shows = ["--blobs"], ["--json", "--blobs"], ["--processes"], ["--processes", "--json"]
    for words in (*(["show", *options, str(tape)] for options in shows), ["diff", str(tape), str(other)]):
        main(words)
        told = capsys.readouterr().out
        assert "${" in told, words
        assert f"password='{PASSWORD}" not in told, words
        assert f'"password": "{PASSWORD}' not in told, words
        assert TOKEN not in told, words
    main(["show", "--secrets", "--blobs", str(tape)])
    assert TOKEN in capsys.readouterr().out
