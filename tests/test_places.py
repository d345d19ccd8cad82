"""Tapes for other machines: paths stand as placeholders, and mean what they mean where the tape is replayed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import testbench
from testbench.errors import UsageError
from testbench.places import Places

HERE = Places({"${CWD}": "/home/me/app", "${HOME}": "/home/me", "${TMP}": "/tmp", "${ROOT}": "/"})
PARTS = [
    "/home/me/app",
    "/home/me",
    "/tmp",
    "${CWD}",
    "${=CWD}",
    "${",
    "}",
    "$",
    "=",
    "/",
    "x",
    ":",
    "${TMP}",
    "\udc80",
]


@testbench.boundary
def fetch(path: str) -> str:
    """Return a path below another."""
    return f"{path}/found"


def run(*args: str, cwd: Path | None = None) -> bytes:
    """Run the interpreter and return its output."""
    return subprocess.run([sys.executable, *args], cwd=cwd, capture_output=True, check=True).stdout


@given(st.lists(st.sampled_from(PARTS)).map("".join))
def test_nothing_is_lost_on_one_machine(text: str) -> None:
    """Whatever a text holds, placeholders and escaped ones too, it comes back exactly, as text and as bytes."""
    for value in (text, os.fsencode(text)):
        assert HERE.expand(HERE.contract(value)) == value


@pytest.mark.parametrize(
    ("text", "there"),
    [
        ("/home/me/app/data", "${CWD}/data"),
        ("/home/me/.ssh", "${HOME}/.ssh"),
        ("--out=/tmp/x:/home/me", "--out=${TMP}/x:${HOME}"),
        ("file:///tmp/x", "file://${TMP}/x"),
        ("/home/me2/x", "/home/me2/x"),
        ("/var/tmp/x", "/var/tmp/x"),
        ("${CWD}", "${=CWD}"),
        ("/", "/"),
    ],
)
def test_what_stands_on_the_tape(text: str, there: str) -> None:
    """The longest path counts, whole names only; a placeholder that was there before gets a mark."""
    assert HERE.contract(text) == there


def test_a_tape_replays_in_another_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests match with the paths of the other place, and outcomes name these."""
    here, there, tape = tmp_path / "here", tmp_path / "elsewhere", tmp_path / "t.tape"
    here.mkdir()
    there.mkdir()
    monkeypatch.chdir(here)

    def program(place: Path) -> list[Any]:
        return [run("-c", "pass", str(place / "x"), cwd=place), fetch(str(place / "y"))]

    with testbench.record(tape, placeholders=True):
        assert program(here) == [b"", f"{here}/y/found"]
    spawn, *_, call = testbench.open_tape(tape)
    assert spawn.request["argv"] == ["${PYTHON}", "-c", "pass", "${CWD}/x"]  # type: ignore[index,call-overload]
    assert call.request == {"path": "${CWD}/y"}
    monkeypatch.chdir(there)
    with testbench.replay(tape, rerecord=tmp_path / "again.tape"):
        assert program(there) == [b"", f"{there}/y/found"]
    assert (tmp_path / "again.tape").read_bytes() == tape.read_bytes()


def test_placeholders_of_ones_own(tmp_path: Path) -> None:
    """A pair of the user's is used like the others; a replay must be told what it is there."""
    tape = tmp_path / "t.tape"
    with testbench.record(tape, placeholders={"${DATA}": "/srv/data"}):
        assert fetch("/srv/data/a") == "/srv/data/a/found"
    with testbench.replay(tape, placeholders={"${DATA}": "/mnt/d"}):
        assert fetch("/mnt/d/a") == "/mnt/d/a/found"
    with pytest.raises(UsageError, match="nobody says what that is here"), testbench.replay(tape):
        pass


def test_bytes_of_streams_stay(tmp_path: Path) -> None:
    """What a child prints is what it printed, to the byte: programs count it."""
    tape, code = tmp_path / "t.tape", "import os; print(os.path.expanduser('~'))"
    with testbench.record(tape, placeholders=True):
        printed = run("-c", code)
    with testbench.replay(tape):
        assert run("-c", code) == printed
    (*_, said) = testbench.open_tape(tape)
    assert said.outcome.value["stdout"] == printed  # type: ignore[union-attr,index,call-overload]


@pytest.mark.parametrize("wrong", ["${CWD}", 7, {"CWD": "/x"}, {"${CWD}": 7}])
def test_what_is_no_placeholder_is_refused(wrong: Any, tmp_path: Path) -> None:
    """The error says what was expected."""
    with pytest.raises(UsageError, match="placeholders="):
        testbench.record(tmp_path / "t.tape", placeholders=wrong)
