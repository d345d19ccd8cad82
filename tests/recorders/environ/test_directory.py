"""The directory that the program runs in, and its way back there."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import pytest

import testbench


def test_the_way_back_leads_to_where_it_is_now(tape: Path, tmp_path: Path, elsewhere: Any) -> None:
    """A program that goes to a directory and back ends where it began, though it is told that it is elsewhere."""
    there = tmp_path / "there"
    there.mkdir()

    def program() -> Any:
        before = os.getcwd()
        os.chdir(there)
        inside = os.getcwd()
        os.chdir(Path(before))
        with contextlib.chdir(there):
            again = os.getcwdb()
        os.chdir(os.fsencode(before))
        descriptor = os.open(there, os.O_RDONLY)
        os.fchdir(descriptor)
        os.close(descriptor)
        seen = os.getcwd()
        os.chdir(before)
        return before, inside, again, seen, os.getcwd()

    with testbench.record(tape):
        recorded = program()
    with elsewhere():
        here = os.getcwd()
        with testbench.replay(tape):
            assert program() == recorded
        assert os.getcwd() == here
    assert here != recorded[0]


def test_below_it_is_where_it_is_now(tape: Path, elsewhere: Any, tmp_path: Path, monkeypatch: Any) -> None:
    """A path made of the directory leads below the real one."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "elsewhere" / "sub").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)

    def program() -> str:
        os.chdir(os.path.join(os.getcwd(), "sub"))
        return os.getcwd()

    with testbench.record(tape):
        recorded = program()
    os.chdir(tmp_path)
    with elsewhere():
        with testbench.replay(tape):
            assert program() == recorded
        assert os.getcwd() == str(tmp_path / "elsewhere" / "sub")


def test_a_directory_that_is_gone_is_gone_on_replay(tape: Path, tmp_path: Path, monkeypatch: Any) -> None:
    """The same error comes where the replaying machine has a directory."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()

    def program() -> Any:
        with pytest.raises(FileNotFoundError) as missing:
            os.getcwd()
        with pytest.raises(FileNotFoundError):
            os.path.abspath("x")
        return missing.value.errno, missing.value.args

    with testbench.record(tape):
        recorded = program()
    monkeypatch.chdir(tmp_path)
    with testbench.replay(tape):
        assert program() == recorded


def test_a_change_that_failed_changes_nothing(tape: Path, told: Any) -> None:
    """The directory is the same fact afterwards."""
    with testbench.record(tape):
        os.getcwd()
        with pytest.raises(FileNotFoundError):
            os.chdir("/nowhere/at/all")
        os.getcwd()
    assert told() == [("getcwd", {"changes": 0})]


def test_a_boundary_that_changes_it_is_named(tape: Path, tmp_path: Path, monkeypatch: Any) -> None:
    """A replay does not run it, so what is asked afterwards is a leak of the recording."""
    monkeypatch.chdir(tmp_path)

    @testbench.boundary
    def change() -> None:
        os.chdir("/")

    with testbench.record(tape, leaks="ignore") as session:
        change()
        assert os.getcwd() == "/"
    assert [leak.name for leak in session.leaks] == ["environ.getcwd"]


@pytest.mark.parametrize("path", [None, 3.5, ["x"], "with\0null"])
def test_bad_paths_raise_what_they_always_raise(tape: Path, path: Any) -> None:
    """The error is that of `os.chdir` itself."""
    with pytest.raises((TypeError, ValueError)) as stock:
        os.chdir(path)
    with testbench.record(tape), pytest.raises((TypeError, ValueError)) as recorded:
        os.chdir(path)
    assert str(recorded.value) == str(stock.value)


def test_with_placeholders_it_is_that_of_the_replay(tape: Path, tmp_path: Path, monkeypatch: Any) -> None:
    """A program that is to find its files where it is replayed is told so, and so are variables that name them."""
    here, there = tmp_path / "here", tmp_path / "there"

    def program() -> Any:
        return (
            os.getcwd(),
            os.environ["APP_DATA"],
            Path.cwd().joinpath("data.txt").read_text(),
            dict(os.environ)["TERM"],
        )

    for place, text in ((here, "one"), (there, "other")):
        place.mkdir()
        (place / "data.txt").write_text(text)
    monkeypatch.chdir(here)
    monkeypatch.setenv("APP_DATA", str(here / "data.txt"))
    monkeypatch.setenv("TERM", "vt100")
    with testbench.record(tape, placeholders=True):
        assert program() == (str(here), str(here / "data.txt"), "one", "vt100")
    monkeypatch.chdir(there)
    monkeypatch.setenv("TERM", "xterm")
    with testbench.replay(tape):
        assert program() == (str(there), str(there / "data.txt"), "other", "vt100")
