"""Programs that were found while recording are found on replay, where they are gone."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from shutil import which as early
from typing import Any

import pytest

import testbench


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a program and put it on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    made = folder / "tool"
    made.write_text('#!/bin/sh\necho tool "$@"\n')
    made.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    return made


def both(tape: Path, tool: Path, program: Any, **options: Any) -> tuple[Any, Any]:
    """Record with the program there, and replay without it."""
    with testbench.record(tape, **{"files": "programs", **options}):
        recorded = program()
    tool.unlink()
    with pytest.MonkeyPatch.context() as world:
        world.setenv("PATH", "/nonexistent")
        with testbench.replay(tape):
            return recorded, program()


def test_a_program_that_is_gone_is_found_where_it_was(tool: Path, tmp_path: Path) -> None:
    """Look for it, look at it, run it: all of it is answered from the tape; what was never there is still not."""

    def program() -> list[Any]:
        found = shutil.which("tool")
        assert found is not None
        seen = os.stat(found)
        said = subprocess.run([found, "a"], capture_output=True, text=True, check=True).stdout
        return [
            found,
            early("tool"),
            shutil.which("no-such-tool"),
            os.path.exists(found),
            os.path.isfile(found),
            os.access(found, os.X_OK),
            Path(found).stat().st_mtime_ns,
            (seen, seen.st_mtime_ns, seen.st_blocks, seen.st_atime),
            said,
        ]

    recorded, replayed = both(tmp_path / "run.tape", tool, program)
    assert replayed == recorded
    assert recorded[0] == recorded[1] == str(tool)
    assert recorded[2:6] == [None, True, True, True]


def test_a_program_may_look_for_itself(tool: Path, tmp_path: Path) -> None:
    """PATH is what it was, and what a program asks of files in its directories is answered from the tape."""

    def program() -> list[Any]:
        found = [
            os.path.join(folder, "tool")
            for folder in os.environ["PATH"].split(os.pathsep)
            if os.path.isfile(os.path.join(folder, "tool")) and os.access(os.path.join(folder, "tool"), os.X_OK)
        ]
        return [found, os.path.realpath(found[0]), os.path.exists(os.fsencode(found[0])), os.path.islink(found[0])]

    link = tool.parent / "link"
    link.symlink_to(tool)
    recorded, replayed = both(tmp_path / "run.tape", tool, program)
    assert replayed == recorded
    assert recorded[0] == [str(tool)]


def test_path_is_what_it_was_before_the_session(tool: Path, tmp_path: Path) -> None:
    """A replay gives PATH back when it ends, whatever it was."""
    with testbench.record(tmp_path / "run.tape", files="programs"):
        recorded = os.environ["PATH"]
    with pytest.MonkeyPatch.context() as world:
        for now in ("/nonexistent", None):
            world.setenv("PATH", now) if now else world.delenv("PATH")
            with testbench.replay(tmp_path / "run.tape"):
                assert os.environ["PATH"] == recorded
            assert os.environ.get("PATH") == now


def test_effects_bring_it_along(tool: Path, tmp_path: Path) -> None:
    """Who asks for what children write gets what they are looked for as well, unless they say no."""
    recorded, replayed = both(tmp_path / "run.tape", tool, lambda: shutil.which("tool"), files=None, effects="roots")
    assert recorded == replayed == str(tool)


def test_off_means_that_the_disk_is_asked(tool: Path, tmp_path: Path) -> None:
    """Without it, a replay looks for real, and nothing stands on the tape."""
    assert both(tmp_path / "run.tape", tool, lambda: shutil.which("tool"), files="off") == (str(tool), None)


def test_all_forms_of_a_question_come_back(tool: Path, tmp_path: Path) -> None:
    """Bytes, paths, other directories, other modes; wrong arguments raise as they do."""

    def ask(*args: Any, **options: Any) -> Any:
        try:
            return shutil.which(*args, **options)
        except TypeError as error:
            return str(error)

    def program() -> list[Any]:
        folder = str(tool.parent)
        return [
            ask(b"tool"),
            ask(Path("tool")),
            ask(str(tool)),
            ask("tool", os.W_OK),
            ask("tool", path=folder),
            ask("tool", path="/nonexistent"),
            ask(mode=os.F_OK, cmd="tool"),
            ask(None),
        ]

    recorded, replayed = both(tmp_path / "run.tape", tool, program)
    assert replayed == recorded
    assert recorded[4] == str(tool)


def test_another_question_is_a_divergence(tool: Path, tmp_path: Path) -> None:
    """A program that looks for something else than it did is told so."""
    tape = tmp_path / "run.tape"
    with testbench.record(tape, files="programs"):
        shutil.which("tool")
    with pytest.raises(testbench.MismatchError, match=r"files\.which"), testbench.replay(tape):
        shutil.which("other")


def test_the_function_is_as_it_was_afterwards(tool: Path, tmp_path: Path) -> None:
    """Code, parameters and behaviour are those of the standard library, also after nested sessions."""
    code = shutil.which.__code__
    with (
        testbench.record(tmp_path / "a.tape", files="programs"),
        testbench.record(tmp_path / "b.tape", files="programs"),
    ):
        assert shutil.which("tool") == str(tool)
    assert shutil.which.__code__ is code
    assert not [name for name in vars(shutil) if "testbench" in name]
    for tape in ("a.tape", "b.tape"):
        with testbench.replay(tmp_path / tape):
            assert shutil.which("tool") == str(tool)


def test_an_unknown_choice_is_refused() -> None:
    """A policy that is not there is named, with those that are."""
    with pytest.raises(
        testbench.UsageError, match="files='all' is unknown; expected one of off, programs, observed, sealed"
    ):
        testbench.Testbench(files="all")  # type: ignore[arg-type]
