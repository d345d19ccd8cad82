"""Children in an overlay: they find it where the root is, and their changes stay there."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import testbench
from testbench.errors import UnsupportedError
from testbench.overlay import _enclosure
from tests.trees import tree_of

WRITE = 'echo written > "$0"'


def by_run(path: str) -> None:
    """Start it by subprocess."""
    subprocess.run(["sh", "-c", WRITE, path], check=True)


def by_posix_spawn_of_subprocess(path: str) -> None:
    """Start it as subprocess would by posix_spawn."""
    subprocess.run(["/bin/sh", "-c", WRITE, path], check=True, close_fds=False)


def by_system(path: str) -> None:
    """Start it by os.system."""
    assert os.system(f"echo written > {path}") == 0
    assert os.system("exit 3") == 3 << 8


def by_popen(path: str) -> None:
    """Start it by os.popen."""
    with os.popen(f"echo written > {path}") as pipe:
        pipe.read()


def by_spawnv(path: str) -> None:
    """Start it by os.spawnv."""
    assert os.spawnv(os.P_WAIT, "/bin/sh", ["sh", "-c", WRITE, path]) == 0


def by_asyncio(path: str) -> None:
    """Start it by asyncio."""

    async def run() -> int:
        return await (await asyncio.create_subprocess_exec("sh", "-c", WRITE, path)).wait()

    assert asyncio.run(run()) == 0


def by_fork(path: str) -> None:
    """Be the child, by os.fork."""
    pid = os.fork()
    if not pid:
        try:
            Path(path).write_text("written\n")
        finally:
            os._exit(0)
    os.waitpid(pid, 0)


def write_text(path: str) -> None:
    """Write to a path."""
    Path(path).write_text("written\n")


def by_multiprocessing(path: str) -> None:
    """Start it by multiprocessing, by way of spawn."""
    process = multiprocessing.get_context("spawn").Process(target=write_text, args=(path,))
    process.start()
    process.join()


WAYS = [by_run, by_posix_spawn_of_subprocess, by_system, by_popen, by_spawnv, by_asyncio, by_fork, by_multiprocessing]


@pytest.mark.usefixtures("enclosed")
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_what_a_child_writes_stays_aside(root: Path, way: Callable[[str], None]) -> None:
    """By its full path, however the child is started; the program reads it, and the root has nothing of it."""
    before = tree_of(root)
    with testbench.Overlay(root) as overlay:
        way(f"{root}/new")
        assert (root / "new").read_text() == "written\n"
        assert [change.path for change in overlay.diff()] == ["new"]
    assert tree_of(root) == before


@pytest.mark.usefixtures("enclosed")
def test_a_child_finds_what_the_program_wrote(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By full and by relative paths, in the working directory of the program or one it is given."""
    monkeypatch.chdir(root)
    with testbench.Overlay(root):
        (root / "inner" / "new").write_text("new")
        os.remove("text")

        def said(command: str, cwd: Path | str | None = None) -> str:
            return subprocess.run(command, shell=True, cwd=cwd, capture_output=True, text=True).stdout

        assert said(f"cat {root}/inner/new inner/new; pwd; ls") == f"newnew{root}\nbinary\ninner\nlink\n"
        assert said("cat new; pwd", root / "inner") == said("cat new; pwd", "inner") == f"new{root}/inner\n"
        os.chdir("inner")
        assert said("pwd") == f"{root}/inner\n"
        assert said("pwd", "/") == "/\n"
        with pytest.raises(FileNotFoundError) as caught:
            said("true", root / "none")
        assert caught.value.filename == root / "none"


@pytest.mark.usefixtures("enclosed")
def test_a_child_may_only_read_what_is_outside_where_that_is_denied(root: Path, tmp_path: Path) -> None:
    """With outside="deny" a child writes in the root, and nowhere else."""
    with testbench.Overlay(root, outside="deny"):
        done = subprocess.run(
            ["sh", "-c", 'echo a > "$0/in"; echo b > "$1/out"; echo c > /dev/null', root, tmp_path],
            capture_output=True,
            cwd=root,
        )
        assert (root / "in").read_text() == "a\n"
    assert b"ead-only" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_child_that_cannot_be_kept_is_not_started(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the system gives no mount namespace the error says so, and the real root is not written to."""
    helper = tmp_path / "helper.py"
    helper.write_text("print('mount: Operation not permitted', end='', flush=True)")
    monkeypatch.setattr(_enclosure._holder, "__file__", str(helper))
    before = tree_of(root)
    with testbench.Overlay(root):
        (root / "new").write_text("new")
        with pytest.raises(UnsupportedError, match="mount: Operation not permitted"):
            by_run(f"{root}/child")
        assert (root / "new").read_text() == "new"
    assert tree_of(root) == before


@pytest.mark.usefixtures("enclosed")
def test_what_starts_children_in_other_ways_is_refused(root: Path) -> None:
    """A child of os.posix_spawn, or one that becomes another user, is refused with what to do instead."""
    with testbench.Overlay(root):
        with pytest.raises(UnsupportedError, match="use subprocess"):
            os.posix_spawn("/bin/true", ["true"], {})
        with pytest.raises(UnsupportedError, match="another user"):
            subprocess.run(["true"], user=os.getuid())


@pytest.mark.usefixtures("enclosed")
def test_a_recording_within_an_overlay_replays_without_it(root: Path, tmp_path: Path) -> None:
    """A session inside of an overlay records what its children say of it."""
    with testbench.Overlay(root):
        (root / "new").write_text("new")
        with testbench.record(tmp_path / "run.tape"):
            recorded = subprocess.run(["cat", root / "new"], capture_output=True).stdout
    with testbench.replay(tmp_path / "run.tape"):
        assert subprocess.run(["cat", root / "new"], capture_output=True).stdout == recorded == b"new"


@pytest.mark.usefixtures("enclosed")
def test_a_program_that_replaces_itself_stays_in_it(root: Path) -> None:
    """What is executed in the place of a forked child is kept as well."""
    before = tree_of(root)
    with testbench.Overlay(root):
        pid = os.fork()
        if not pid:
            try:
                os.execvp("sh", ["sh", "-c", WRITE, f"{root}/new"])
            finally:
                os._exit(1)
        assert os.waitpid(pid, 0)[1] == 0
        assert (root / "new").read_text() == "written\n"
    assert tree_of(root) == before


def test_a_fork_that_leaves_it_ends_nothing(root: Path) -> None:
    """A child that comes to the end of the block writes to the overlay still, which is there for the program."""
    before = tree_of(root)
    with testbench.Overlay(root) as overlay:
        pid = os.fork()
        if not pid:
            try:
                overlay.close()
                (root / "late").write_text("late")
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
        assert (root / "late").read_text() == "late"
    assert tree_of(root) == before
