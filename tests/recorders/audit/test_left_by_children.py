"""A program that reads what a child has left is told, unless a tape tells of it or it is the program's own doing."""

# ruff: noqa: D103  # the names of the programs say what they do
from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import testbench

Program = Callable[[Path], Any]


def sh(place: Path, script: str) -> None:
    """Let a child do something there."""
    subprocess.run(["sh", "-c", script], cwd=place, check=True)


def made(place: Path) -> None:
    sh(place, "echo x > new")
    (place / "new").read_text()


def made_with_the_time_of_another(place: Path) -> None:
    sh(place, "cp -p old new")
    (place / "new").read_bytes()


def changed(place: Path) -> None:
    sh(place, "echo x >> old")
    with open(place / "old") as file:
        file.read()


def changed_after_the_program_has_written_it(place: Path) -> None:
    (place / "own").write_text("own")
    sh(place, "echo x >> own")
    (place / "own").read_text()


def made_again_after_the_program_has_removed_it(place: Path) -> None:
    sh(place, "true")
    (place / "old").unlink()
    sh(place, "echo x > old")
    (place / "old").read_text()


def listed(place: Path) -> None:
    sh(place, "mkdir sub; touch sub/x")
    os.listdir(place / "sub")


def scanned_by_a_relative_path(place: Path) -> None:
    sh(place, "mkdir sub; touch sub/x")
    here = Path.cwd()
    os.chdir(place)
    try:
        list(os.scandir("sub"))
    finally:
        os.chdir(here)


def copied(place: Path) -> None:
    sh(place, "echo x > new")
    shutil.copy(place / "new", place / "copy")
    (place / "copy").read_text()


def left_by_a_fork(place: Path) -> None:
    pid = os.fork()
    if pid == 0:
        (place / "new").write_text("x")
        os._exit(0)
    os.waitpid(pid, 0)
    (place / "new").read_text()


def left_for_a_program_of_os_system(place: Path) -> None:
    os.system(f"echo x > {place}/new")
    (place / "new").read_text()


LEFT: list[Program] = [
    *(made, made_with_the_time_of_another, changed, changed_after_the_program_has_written_it),
    *(made_again_after_the_program_has_removed_it, listed, scanned_by_a_relative_path, copied, left_by_a_fork),
    left_for_a_program_of_os_system,
]


def was_there_before(place: Path) -> None:
    sh(place, "cat old")
    (place / "old").read_text()


def own_after_a_child(place: Path) -> None:
    sh(place, "true")
    (place / "own").write_text("own")
    (place / "own").read_text()
    os.listdir(place)


def own_in_a_new_directory(place: Path) -> None:
    sh(place, "true")
    with tempfile.TemporaryDirectory(dir=place) as there:
        Path(there, "own").write_text("own")
        Path(there, "own").rename(Path(there, "other"))
        shutil.move(there, place / "moved")
        (place / "moved" / "other").read_text()
        list(os.scandir(place / "moved"))
        Path(there).mkdir()


def own_by_a_link(place: Path) -> None:
    sh(place, "true")
    (place / "link").symlink_to(place)
    (place / "link" / "own").write_text("own")
    (place / "own").read_text()


def output_of_a_child(place: Path) -> None:
    with open(place / "output", "w") as file:
        subprocess.run(["echo", "x"], stdout=file, check=True)
    (place / "output").read_text()


def its_mode(place: Path) -> None:
    sh(place, "true")
    (place / "old").chmod(0o600)
    (place / "old").read_text()


def a_log_that_is_open(place: Path) -> None:
    with open(place / "log", "a") as log:
        sh(place, "true")
        log.write("line")
        log.flush()
        (place / "log").read_text()
    (place / "log").read_text()


OWN: list[Program] = [
    *(was_there_before, own_after_a_child, own_in_a_new_directory, own_by_a_link, output_of_a_child, its_mode),
    a_log_that_is_open,
]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Give a directory with an old file."""
    there = tmp_path / "place"
    there.mkdir()
    (there / "old").write_text("old")
    for path in (there / "old", there):
        os.utime(path, (1, 1))
    return there


def leaks_of(program: Program, place: Path, **options: Any) -> list[str]:
    """Record a program, twice each line; return what is listed."""
    with testbench.record(place.parent / "run.tape", leaks="ignore", **options) as session:
        program(place)
    return [str(leak) for leak in session.leaks if leak.name != "process.fork"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # CPython 3.12 warns of forks beside threads
@pytest.mark.parametrize("program", LEFT, ids=lambda program: program.__name__)
def test_it_is_named_with_its_line(program: Program, place: Path) -> None:
    """The file, the line, and what to do."""
    told = [leak for leak in leaks_of(program, place) if leak.startswith("audit.left_by_child")]
    assert len(told) == 1
    assert f"'path': '{place}" in told[0]
    assert f"in {program.__name__};" in told[0]
    assert 'effects="roots"' in told[0]


@pytest.mark.parametrize("program", OWN, ids=lambda program: program.__name__)
def test_what_is_the_programs_own_is_not(program: Program, place: Path) -> None:
    """Nor what was there before the first child began, nor what is on the tape."""
    assert leaks_of(program, place) == []


@pytest.mark.parametrize("options", [{"effects": "roots"}, {"files": "sealed"}, {"files": "observed"}], ids=str)
@pytest.mark.parametrize("program", [made, changed, listed, copied], ids=lambda program: program.__name__)
def test_what_a_tape_tells_of_is_not(program: Program, options: Any, place: Path) -> None:
    """By way of what children do to files, or of what the program reads."""
    assert leaks_of(program, place, **options) == []


def test_what_is_allowed_is_not(place: Path) -> None:
    """By the path of a directory, or of the file."""
    assert leaks_of(made, place, allow=[f"{place}/"]) == []
    (place / "new").unlink()
    assert leaks_of(made, place, allow=[f"{place}/new"]) == []


def test_outside_of_the_roots_it_is_named(place: Path) -> None:
    """Where children were not given a directory, the tape does not tell of it."""
    (place / "sub").mkdir()

    def program(place: Path) -> None:
        sh(place / "sub", "echo x > ../new")
        (place / "new").read_text()

    assert len(leaks_of(program, place, effects="roots")) == 1
    assert leaks_of(program, place, effects="roots", roots=[place]) == []
