"""Overlays of sessions: what a recorded program changes stays aside, and so does what a replay does again."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

import testbench
from testbench.errors import UsageError
from tests.trees import tree_of


def program(root: Path) -> str:
    """Let a child write, read it, and write something else."""
    subprocess.run(["sh", "-c", "echo made > made; rm text"], cwd=root, check=True)
    (root / "own").write_text("own")
    return (root / "made").read_text()


def changes(session: testbench.Session) -> list[tuple[str, str]]:
    """Return what is another in the overlay of a session."""
    return [(change.what, change.path) for change in session.files.diff()]


CHANGES = [("added", "made"), ("added", "own"), ("deleted", "text")]


@pytest.mark.usefixtures("enclosed")
def test_a_recording_and_its_replay_stay_aside(root: Path, tmp_path: Path) -> None:
    """Both tell the same changes, the replay without a child; the directory stays what it was until it is applied."""
    before, tape = tree_of(root), tmp_path / "run.tape"
    with testbench.record(tape, effects="roots", overlay=root) as session:
        assert program(root) == "made\n"
        assert changes(session) == CHANGES
    assert tree_of(root) == before
    with testbench.replay(tape, overlay=root) as session:
        assert program(root) == "made\n"
        assert changes(session) == CHANGES
        session.files.discard()
        assert changes(session) == []
    assert tree_of(root) == before
    with testbench.replay(tape, overlay=testbench.Overlay(root)) as session:
        program(root)
        session.files.apply()
    assert sorted(path.name for path in root.iterdir()) == ["binary", "inner", "link", "made", "own"]


@pytest.mark.usefixtures("enclosed")
@pytest.mark.parametrize("by_path", [True, False])
def test_a_child_whose_directory_is_named_is_followed(root: Path, tmp_path: Path, *, by_path: bool) -> None:
    """Whether it is given its directory or has that of the program: what it writes is on the tape."""
    tape = tmp_path / "run.tape"
    where = {"roots": [str(root)]} if by_path else {}
    with testbench.record(tape, effects="roots", overlay=root, **where):
        program(root)
    [changed] = [
        event for event in testbench.open_tape(tape) if event.op == "changed" and event.outcome.value["changes"]
    ]
    assert {change[1] for change in changed.outcome.value["changes"]} >= {"made", "text"}


def test_reads_are_recorded_by_the_names_that_the_program_gives(root: Path, tmp_path: Path) -> None:
    """A tape of sealed reads made in an overlay replays without it, and without the files."""
    tape = tmp_path / "run.tape"
    with testbench.record(tape, files="sealed", overlay=root):
        read = [(root / "text").read_text(), sorted(path.name for path in root.iterdir())]
    (root / "text").unlink()
    with testbench.replay(tape):
        assert [(root / "text").read_text(), sorted(path.name for path in root.iterdir())] == read


def test_an_overlay_needs_no_tape(root: Path, tmp_path: Path) -> None:
    """In mode off it is there as well."""
    with testbench.session(tmp_path / "run.tape", "off", overlay=root) as session:
        (root / "own").write_text("own")
        assert changes(session) == [("added", "own")]
    assert not (root / "own").exists()


def test_a_session_without_one_says_so(tmp_path: Path) -> None:
    """Asking for changes where none are held is an error that says what to give."""
    with (
        testbench.record(tmp_path / "run.tape", files="programs") as session,
        pytest.raises(UsageError, match="overlay="),
    ):
        session.files.diff()
    with pytest.raises(UsageError, match="files"):
        testbench.Testbench(overlay=tmp_path, recorders=["clock"])


@pytest.mark.usefixtures("enclosed")
def test_a_child_beside_the_overlay_is_followed_into_it(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its directory holds that of the overlay: what it does there stays aside, in the replay too."""
    monkeypatch.chdir(root.parent)
    before, tape = tree_of(root), tmp_path / "run.tape"
    large = b"x" * 100_000
    script = (
        "echo made > root/made; mkdir root/sub; rm root/text; head -c 100000 /dev/zero | tr '\\0' x > root/inner/large"
    )

    def act() -> list[str]:
        subprocess.run(["sh", "-ec", f"{script}; echo beside > beside"], check=True)
        assert (root / "inner" / "large").read_bytes() == large
        return sorted(os.listdir("root"))

    with testbench.record(tape, effects="roots", overlay=root) as session:
        recorded = act()
        told = changes(session)
    assert told == [("added", "inner/large"), ("added", "made"), ("added", "sub"), ("deleted", "text")]
    assert tree_of(root) == before
    Path("beside").unlink()
    with testbench.replay(tape, overlay=root) as session:
        assert act() == recorded
        assert changes(session) == told
    assert tree_of(root) == before
    assert Path("beside").read_text() == "beside\n"
    with testbench.replay(tape):
        assert act() == recorded
    assert (root / "made").read_text() == "made\n"


@pytest.mark.usefixtures("enclosed")
def test_effects_of_a_recording_without_one_are_done_in_it(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replay in an overlay does nothing to the directory, whatever the tape was made in."""
    monkeypatch.chdir(root.parent)
    tape = tmp_path / "run.tape"

    def act() -> None:
        subprocess.run(["sh", "-ec", "echo made > root/made; rm root/text"], check=True)

    with testbench.record(tape, effects="roots"):
        act()
    (root / "made").unlink()
    (root / "text").write_text("here again")
    before = tree_of(root)
    with testbench.replay(tape, overlay=root) as session:
        act()
        assert changes(session) == [("added", "made"), ("deleted", "text")]
    assert tree_of(root) == before
