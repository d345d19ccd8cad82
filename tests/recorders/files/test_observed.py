"""An observed tape reads the real files, and says where they are not what they were."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import testbench


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Begin in a directory with a few files."""
    made = tmp_path / "place"
    (made / "folder").mkdir(parents=True)
    (made / "text.txt").write_text("content")
    (made / "link").symlink_to("text.txt")
    monkeypatch.chdir(made)
    return made


def observed(tape: Path, program: Callable[[], Any], change: Callable[[], Any]) -> Any:
    """Record, change the world, replay."""
    with testbench.record(tape, files="observed", leaks="fail"):
        program()
    change()
    with testbench.replay(tape):
        return program()


def read() -> bytes:
    """Read the file."""
    return Path("text.txt").read_bytes()


def test_contents_are_not_on_the_tape(place: Path, tmp_path: Path) -> None:
    """Only length and digest are; the file itself is read on replay."""
    Path("text.txt").write_text("x" * 10_000)
    assert observed(tmp_path / "run.tape", read, lambda: None) == b"x" * 10_000
    assert (tmp_path / "run.tape").stat().st_size < 5_000
    with testbench.open_tape(tmp_path / "run.tape") as tape:
        (event,) = [event for event in tape if event.kind == "files"]
    assert event.outcome.value["size"] == 10_000
    assert event.outcome.value["content"] is None


def test_what_a_checkout_changes_is_no_difference(place: Path, tmp_path: Path) -> None:
    """Times and inodes are answered from the tape, as they were."""

    def program() -> list[Any]:
        return [read(), os.stat("text.txt"), os.stat("text.txt").st_mtime_ns, os.listdir("."), os.readlink("link")]

    tape = tmp_path / "run.tape"
    with testbench.record(tape, files="observed"):
        recorded = program()
    Path("copy").write_text("content")
    os.replace("copy", "text.txt")
    os.utime("text.txt", (0, 0))
    Path("__pycache__").mkdir()
    with testbench.replay(tape):
        assert program() == recorded


@pytest.mark.parametrize(
    ("program", "change", "told"),
    [
        (read, lambda: Path("text.txt").write_text("changed"), r"was a file of 7 bytes, sha-256 ed7.*is a file of 7"),
        (read, lambda: Path("text.txt").write_text("more content"), "is a file of 12 bytes"),
        (read, lambda: os.unlink("text.txt"), "is no such file or directory"),
        (lambda: os.path.exists("none"), lambda: Path("none").touch(), "was no such file.* is a file of 0 bytes"),
        (lambda: os.stat("text.txt"), lambda: os.truncate("text.txt", 1), "was a file of 7 bytes, and is a file of 1"),
        (lambda: os.path.isdir("folder"), lambda: os.rmdir("folder"), "was a directory, and is no such file"),
        (lambda: os.listdir("."), lambda: Path("new").touch(), r"one with new \(4 entries\)"),
        (lambda: list(os.scandir(".")), lambda: os.rmdir("folder"), r"a directory with folder \(dir\)"),
        (lambda: os.readlink("link"), lambda: (os.unlink("link"), os.symlink("folder", "link")), "is 'folder'"),
        (lambda: os.access("text.txt", os.X_OK), lambda: os.chmod("text.txt", 0o755), "was False, and is True"),
        (lambda: os.listdir("folder"), lambda: shutil.rmtree("folder"), "is no such file or directory"),
    ],
)
def test_every_difference_is_told(
    place: Path, tmp_path: Path, program: Callable[[], Any], change: Callable[[], Any], told: str
) -> None:
    """Content, length, presence, kind, listing, link, permission: the replay ends, and says what was and what is."""
    with pytest.raises(testbench.RefusedError, match=told):
        observed(tmp_path / "run.tape", program, change)


def test_a_file_that_came_is_told(place: Path, tmp_path: Path) -> None:
    """What could not be opened, and can be now, is a difference."""

    def program() -> bytes:
        try:
            return Path("none").read_bytes()
        except FileNotFoundError:
            return b"none"

    with pytest.raises(testbench.RefusedError, match=r"'none' is not what it was .* was no such file"):
        observed(tmp_path / "run.tape", program, lambda: Path("none").touch())


def test_a_swallowed_difference_fails_at_the_end(place: Path, tmp_path: Path) -> None:
    """A program that handles every exception does not make a replay good."""

    def program() -> None:
        try:
            read()
        except Exception:
            raise AssertionError("it is none that programs handle") from None

    with pytest.raises(testbench.RefusedError):
        observed(tmp_path / "run.tape", program, lambda: os.unlink("text.txt"))


def test_an_observed_tape_cannot_be_spliced(place: Path, tmp_path: Path) -> None:
    """Where the disk differs, the event that says otherwise would be on the new tape by then; so it is refused."""
    observed(tmp_path / "run.tape", read, lambda: None)
    with pytest.raises(testbench.UsageError, match="mode splice needs files='sealed'"):
        testbench.session(tmp_path / "run.tape", "splice").open()
