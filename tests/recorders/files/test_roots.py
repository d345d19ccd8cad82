"""Under which directories the doings of children are looked for, and where they are on replay."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import testbench


def names(place: Path) -> list[str]:
    """Return all paths in a directory."""
    return sorted(path.relative_to(place).as_posix() for path in place.rglob("*"))


def changed(tape: Path) -> list[list[Any]]:
    """Return root and path of every change on a tape."""
    events = [event for event in testbench.open_tape(tape) if event.kind == "files"]
    return [change[:2] for event in events for change in event.outcome.value["changes"]]  # type: ignore[union-attr, index, call-overload]


def test_the_working_directory_of_the_child_is_the_default(site: Any, sh: Any, tmp_path: Path) -> None:
    """What a child does elsewhere is not looked at."""
    other = tmp_path / "other"
    other.mkdir()
    site.record(lambda place: sh(f"echo in > in; echo out > {other}/out", place))
    assert changed(site.tape) == [["cwd", ""], ["cwd", "in"]]


def test_without_one_of_its_own_it_has_that_of_the_program(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative or absent working directory is one of the program's."""

    def program(place: Path) -> list[str]:
        monkeypatch.chdir(place)
        (place / "sub").mkdir(exist_ok=True)
        subprocess.run(["touch", "here"], check=True)
        subprocess.run(["touch", "there"], cwd="sub", check=True)
        return names(place)

    assert site.record(program)[0] == ["here", "sub", "sub/there"]
    assert site.replay(program)[0] == ["here", "sub", "sub/there"]


@pytest.mark.parametrize("inside", [True, False])
def test_home_and_temporary_directory_of_the_child_are_looked_at(
    site: Any, sh: Any, tmp_path: Path, inside: bool
) -> None:
    """HOME and TMPDIR count where the child is given others than the program has, nested or not."""
    script = 'echo h > "$HOME/h"; mkdir -p "$TMPDIR/t"; echo t > "$TMPDIR/t/t"; echo c > c'

    def program(place: Path) -> list[str]:
        base = place if inside else tmp_path / "elsewhere"
        for name in ("home", "tmp"):
            (base / name).mkdir(parents=True, exist_ok=True)
            for path in sorted((base / name).rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
        sh(script, place, env={**os.environ, "HOME": str(base / "home"), "TMPDIR": str(base / "tmp")})
        return names(base)

    recorded = site.record(program)[0]
    assert {"home/h", "tmp/t/t"} <= set(recorded)
    assert site.replay(program)[0] == recorded
    assert ["home", "h"] in changed(site.tape)
    assert ["tmp", "t/t"] in changed(site.tape)


def test_the_home_of_everybody_is_not_looked_at(site: Any, sh: Any) -> None:
    """An environment that only passes on HOME makes it no root: it may be huge."""
    site.record(lambda place: sh("echo c > c", place, env=dict(os.environ)))
    assert changed(site.tape) == [["cwd", ""], ["cwd", "c"]]


def test_declared_roots_take_the_place_of_all_others(site: Any, sh: Any, tmp_path: Path) -> None:
    """With roots= that is where children are watched, and nowhere else."""
    other = tmp_path / "other"
    other.mkdir()

    def program(place: Path) -> list[str]:
        sh(f"echo in > in; echo out > {other}/out", place)
        return names(other)

    assert site.record(program, roots=[other])[0] == ["out"]
    assert changed(site.tape) == [["root 1", ""], ["root 1", "out"]]
    (other / "out").unlink()
    assert site.replay(program) == (["out"], {b".": site.replay(program)[1][b"."]})


def test_declared_roots_may_be_elsewhere_on_replay(site: Any, sh: Any, tmp_path: Path) -> None:
    """A tape is not bound to the place where it was made: roots= says where its roots are now."""
    was, now = tmp_path / "was", tmp_path / "now"
    was.mkdir()
    now.mkdir()
    site.record(lambda place: sh(f"mkdir -p {was}/a; echo x > {was}/a/x", place), roots=[was])
    site.replay(lambda place: sh(f"mkdir -p {was}/a; echo x > {was}/a/x", place), roots=[now])
    assert names(now) == ["a", "a/x"]


def test_a_tape_replays_in_another_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Roots that a child is given are where it is given them: the working directory of the replay, say."""
    tape = tmp_path / "run.tape"
    for way, options in ((testbench.record, {"effects": "roots"}), (testbench.replay, {})):
        place = tmp_path / way.__name__
        place.mkdir()
        monkeypatch.chdir(place)
        with way(tape, **options):
            subprocess.run(["sh", "-c", "mkdir d; echo x > d/x"], check=True)
        assert names(place) == ["d", "d/x"]


def test_a_root_may_be_a_symbolic_link(site: Any, sh: Any, tmp_path: Path) -> None:
    """A working directory that is reached by a link is the directory that it leads to."""

    def program(place: Path) -> list[str]:
        link = tmp_path / "link"
        link.unlink(missing_ok=True)
        link.symlink_to(place)
        sh("echo x > x", link)
        return names(link)

    site.agree(program)
    assert site.replay(program)[0] == ["x"]


def test_a_root_may_come_and_go(site: Any, sh: Any, tmp_path: Path) -> None:
    """A declared root that a child makes is made on replay, and one that it takes away is taken away."""
    root = tmp_path / "root"

    def program(place: Path) -> list[bool]:
        sh(f"mkdir {root}; echo x > {root}/x", place)
        there = [(root / "x").exists()]
        sh(f"rm -r {root}", place)
        return [*there, root.exists()]

    assert site.record(program, roots=[root])[0] == [True, False]
    assert site.replay(program)[0] == [True, False]


def test_the_tape_itself_is_no_file_of_the_program(sh: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tape in the working directory grows while children run, and is not on itself."""
    monkeypatch.chdir(tmp_path)
    with testbench.record("run.tape", effects="roots"):
        for _ in range(3):
            sh("ls > listing", tmp_path)
    assert {path for _, path in changed(tmp_path / "run.tape")} == {"", "listing"}


def test_roots_is_a_list() -> None:
    """One path alone would be taken for a list of letters, and is refused."""
    with pytest.raises(testbench.UsageError, match=r"roots='/tmp' is one path; expected a list"):
        testbench.Testbench(effects="roots", roots="/tmp")  # type: ignore[arg-type]


def test_effects_need_the_kind_that_records_them() -> None:
    """Asking for effects, and for kinds without files, is a contradiction."""
    with pytest.raises(testbench.UsageError, match="files"):
        testbench.Testbench(effects="roots", recorders=["process"])


def test_other_modes_look_at_files_as_the_tape_does(site: Any, sh: Any) -> None:
    """Verifying compares what children do now with what they did; splicing does it again, and goes on for real."""

    def program(place: Path, *more: str) -> list[str]:
        for name in ("a", "b", *more):
            sh(f"echo {name} > {name}", place)
        return names(place)

    site.record(program)
    site.begin()
    with testbench.session(site.tape, "verify"):
        program(site.place)
    site.begin()
    with testbench.session(site.tape, "splice"):
        assert program(site.place, "c") == ["a", "b", "c"]
    assert site.replay(lambda place: program(place, "c"))[0] == ["a", "b", "c"]


def test_the_command_line_records_effects_too(tmp_path: Path) -> None:
    """--effects roots does what effects="roots" does, and a replay needs no option."""
    program = (
        "import subprocess, os; subprocess.run(['sh', '-c', 'echo x > made'], check=True); print(open('made').read())"
    )
    command = [sys.executable, "-m", "testbench"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    for verb in (["record", "--effects", "roots", "-o", "run.tape"], ["replay", "run.tape"]):
        run = [*command, *verb, "--", sys.executable, "-c", program]
        done = subprocess.run(run, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (0, "x\n\n"), done.stderr
        (tmp_path / "made").unlink()
    shown = subprocess.run([*command, "info", "--json", "run.tape"], cwd=tmp_path, env=environment, capture_output=True)
    assert json.loads(shown.stdout)["meta"]["effects"] == {"roots": None}
