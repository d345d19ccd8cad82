"""What children do to files comes back on replay, when the program has seen their end."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import testbench

GIT = ["git", "-c", "user.name=ada", "-c", "user.email=ada@example.org"]

SCRIPTS = {
    "new file": "echo hello > new",
    "empty file": ": > empty",
    "other content": "echo other > old",
    "same size": "printf OLD > old",
    "appended": "echo more >> log",
    "shorter": "printf l > log",
    "replaced": "echo whole > tmp; mv tmp old",
    "deleted": "rm old",
    "renamed": "mv old new",
    "renamed over": "mv old log",
    "mode": "chmod 640 old; chmod 711 sub",
    "time": "touch -d '2001-02-03 04:05:06.789' old sub",
    "links": "ln -s old link; ln -s /nowhere/at/all dangling; ln -s .. up",
    "another link": "ln -sfn log was",
    "link instead of file": "rm old; ln -s log old",
    "file instead of link": "rm was; echo file > was",
    "touched link": "touch -h -d 2002-03-04 was",
    "directories": "mkdir -p a/b/c d; chmod 500 d",
    "file instead of directory": "rm -r sub; echo x > sub",
    "directory instead of file": "rm old; mkdir old; echo x > old/x",
    "renamed directory": "mv sub bus; echo more > bus/inner/new",
    "moved into each other": "mkdir n; mv sub n; mv n/sub/inner n/sub/other; rm n/sub/leaf",
    "deleted directory": "rm -r sub",
    "directory made again": "rm -r sub; mkdir -p sub/inner; echo x > sub/inner/deep",
    "fifo": "mkfifo pipe; chmod 600 pipe",
    "no UTF-8": "printf x > \"$(printf 'n\\377\\376')\"; ln -s \"$(printf '\\377')\" \"$(printf 'l\\200')\"",
    "odd names": "echo 1 > 'a b'; echo 2 > '-n'; echo 3 > \"$(printf 'new\\nline')\"; echo 4 > CASE; echo 5 > case",
    "holes": "truncate -s 3M holes; printf end >> holes",
    "much": "head -c 9000000 /dev/zero | tr '\\0' x > much",
    "hard links": "ln old twin; echo twin >> twin",
    "read only": "echo ro > ro; chmod 444 ro; mkdir rd; echo in > rd/in; chmod 555 rd",
    "in a directory that is read only": "chmod 755 shut; echo new > shut/new; chmod 555 shut",
    "nothing": ":",
    "made and gone": "mkdir t; echo x > t/x; rm -r t",
}


def beginning(place: Path) -> None:
    """Make what the scripts find."""
    (place / "old").write_text("old")
    (place / "log").write_text("line\n")
    (place / "was").symlink_to("old")
    (place / "sub" / "inner").mkdir(parents=True)
    (place / "sub" / "leaf").write_text("leaf")
    (place / "sub" / "inner" / "deep").write_text("deep")
    (place / "shut").mkdir(mode=0o555)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_tree_is_the_same_after_a_replay(site: Any, sh: Any, name: str) -> None:
    """Whatever a child does to files is done again: contents, names, modes, times, links, directories."""
    site.prepare(beginning)
    site.agree(lambda place: sh(SCRIPTS[name], place))


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_second_child_is_seen_as_well_as_the_first(site: Any, sh: Any, name: str) -> None:
    """A tree that is watched already tells the same as one that is looked at for the first time."""
    site.prepare(beginning)

    def program(place: Path) -> None:
        sh("mkdir deep; echo 1 > deep/one; ln -s old second; rm log; echo line > log", place)
        sh(SCRIPTS[name], place)
        sh("echo last > last; for d in deep sub old bus a/b n/sub; do [ ! -d $d ] || echo more > $d/more; done", place)

    site.agree(program)


@pytest.mark.parametrize("fault", ["no queue", "no room"])
@pytest.mark.parametrize("name", SCRIPTS)
def test_it_is_the_same_where_the_kernel_does_not_tell_of_changes(
    site: Any, sh: Any, name: str, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without inotify everything is looked at, each time, and the same is found."""

    def refuse(*_: Any) -> Any:
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(
        "testbench.recorders.files._inotify.Inotify." + {"no queue": "__init__", "no room": "add"}[fault], refuse
    )
    site.prepare(beginning)

    def program(place: Path) -> None:
        sh("echo 1 > one; echo 2 > two", place)
        sh(SCRIPTS[name], place)
        sh("echo 3 > two", place)

    site.agree(program)


def test_a_program_reads_what_git_has_written(site: Any) -> None:
    """The files of a repository are there when the program reads them, though git is not."""

    def git(place: Path, *args: str) -> bytes:
        return subprocess.run([*GIT, *args], cwd=place, capture_output=True, check=True).stdout

    def program(place: Path) -> list[Any]:
        git(place, "init", "-q", "-b", "main")
        seen: list[Any] = []
        for number in range(3):
            (place / f"file{number}").write_text(f"content {number}")
            git(place, "add", ".")
            git(place, "commit", "-qm", f"commit {number}")
            head = (place / ".git" / "refs" / "heads" / "main").read_text()
            seen += [head, git(place, "rev-parse", "HEAD").decode() == head, sorted(os.listdir(place / ".git"))]
        git(place, "checkout", "-q", "HEAD~1")
        return [*seen, sorted(os.listdir(place)), (place / ".git" / "HEAD").read_text()]

    outcome, left = site.record(program)
    again, tree = site.replay(program)
    assert again == outcome
    assert tree.keys() == left.keys()
    own = {b"file0", b"file1", b"file2"}  # the program writes them itself, at a time of its own
    assert {path: tree[path] for path in tree if path not in own} == {
        path: left[path] for path in left if path not in own
    }


def by_popen(script: str, place: Path) -> None:
    """Start, then wait."""
    assert subprocess.Popen(["sh", "-c", script], cwd=place).wait() == 0


def by_poll(script: str, place: Path) -> None:
    """Start, then look again and again."""
    child = subprocess.Popen(["sh", "-c", script], cwd=place)
    while child.poll() is None:
        pass


def by_lines(script: str, place: Path) -> None:
    """Read the output to its end, then wait."""
    with subprocess.Popen(["sh", "-c", script], cwd=place, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.read()


def by_system(script: str, place: Path) -> None:
    """Let the shell of the system run it."""
    os.system(f"cd '{place}' && {script}")


def by_posix_spawn(script: str, place: Path) -> None:
    """Start it by the function of POSIX, wait by pid."""
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", f"cd '{place}'; {script}"], os.environ)
    os.waitpid(pid, 0)


def by_waitid(script: str, place: Path) -> None:
    """Look at its end without taking it, then take it."""
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", f"cd '{place}'; {script}"], os.environ)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert (place / "made").read_text() == "made\n"
    os.waitid(os.P_PID, pid, os.WEXITED)


def by_spawnv(script: str, place: Path) -> None:
    """Start and wait in one step."""
    os.spawnv(os.P_WAIT, "/bin/sh", ["sh", "-c", f"cd '{place}'; {script}"])


def by_asyncio(script: str, place: Path) -> None:
    """Await it."""

    async def run() -> None:
        await (await asyncio.create_subprocess_exec("sh", "-c", script, cwd=place)).wait()

    asyncio.run(run())


def by_popen_of_os(script: str, place: Path) -> None:
    """Read what it prints."""
    with os.popen(f"cd '{place}'; {script}") as stream:
        stream.read()


@pytest.mark.parametrize(
    "way",
    [by_popen, by_poll, by_lines, by_system, by_posix_spawn, by_waitid, by_spawnv, by_asyncio, by_popen_of_os],
)
def test_every_way_to_see_the_end_of_a_child_brings_its_files(
    site: Any, way: Callable[[str, Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the program knows that a child is at its end, the files of that child are there."""

    def program(place: Path) -> str:
        monkeypatch.chdir(place)
        way("echo made > made; rm -f gone", place)
        return (place / "made").read_text()

    site.prepare(lambda place: (place / "gone").write_text("x"))
    tree = site.agree(program)
    assert set(tree) == {b".", b"made"}


def test_whoever_has_a_file_open_sees_what_is_written_to_it(site: Any, sh: Any) -> None:
    """A file that a child writes to stays the same file; one that it replaces becomes another."""

    def program(place: Path) -> tuple[str, str]:
        with open(place / "log") as log, open(place / "old") as old:
            sh("echo more >> log; echo new > tmp; mv tmp old", place)
            return log.read(), old.read()

    site.prepare(beginning)
    site.agree(program)
    assert site.replay(program)[0] == ("line\nmore\n", "old")


def test_what_a_child_prints_into_a_file_is_there_once(site: Any) -> None:
    """A file that is the stdout of a child, and lies under its roots, gets its bytes once."""

    def program(place: Path) -> str:
        with open(place / "out", "w") as out:
            out.write("first\n")
            out.flush()
            subprocess.run(["sh", "-c", "echo second; echo third > more"], cwd=place, stdout=out, check=True)
            out.write("last\n")
        return (place / "out").read_text()

    assert site.record(program)[0] == "first\nsecond\nlast\n"
    assert site.replay(program)[0] == "first\nsecond\nlast\n"


def test_what_the_program_writes_itself_is_its_own_affair(site: Any, sh: Any) -> None:
    """A changed program keeps its own files: only what a child did is done again."""
    text = "recorded"

    def program(place: Path) -> str:
        (place / "own").write_text(text)
        sh("echo child > made", place)
        return (place / "own").read_text() + (place / "made").read_text()

    assert site.record(program)[0] == "recordedchild\n"
    text = "changed since"
    assert site.replay(program)[0] == "changed sincechild\n"


def test_a_program_may_undo_what_a_child_did(site: Any, sh: Any) -> None:
    """What the program does between two children is seen, so that the second one's doings are told apart from it."""

    def program(place: Path) -> list[str]:
        sh("mkdir out; echo 1 > out/a; echo 2 > out/b", place)
        shutil.rmtree(place / "out")
        os.mkdir(place / "out")
        (place / "own").write_text("own")
        sh("echo 3 > out/c; rm -f own", place)
        return sorted(os.listdir(place / "out"))

    assert site.record(program)[0] == ["c"]
    assert site.replay(program)[0] == ["c"]
    assert not (site.place / "own").exists()


def test_a_directory_may_be_another_one_for_each_child(site: Any, sh: Any) -> None:
    """A root that is taken away and made again between two children is looked at afresh."""

    def program(place: Path) -> list[str]:
        work, seen = place / "work", []
        for number in range(3):
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir()
            sh(f"echo {number} > f{number}; mkdir d; echo x > d/x", work)
            seen += sorted(os.listdir(work))
        return seen

    assert site.record(program)[0] == ["d", "f0", "d", "f1", "d", "f2"]
    assert site.replay(program)[0] == ["d", "f0", "d", "f1", "d", "f2"]


def test_several_children_at_once(site: Any) -> None:
    """Children that run side by side bring their files when each of them is waited for."""

    def program(place: Path) -> list[Any]:
        script = "for n in 1 2 3; do echo $n > {0}$n; done; mkdir {0}; echo x > {0}/x"
        children = [subprocess.Popen(["sh", "-c", script.format(name)], cwd=place) for name in "abc"]
        assert [child.wait() for child in reversed(children)] == [0, 0, 0]
        return sorted(os.listdir(place))

    site.agree(program)


def test_a_child_that_still_runs_has_done_what_it_says(site: Any) -> None:
    """What the program reads from a child, or that it still runs, brings what the child has done to files by then."""
    script = "echo 1 > one; echo ready; read go; echo 2 > one; echo 3 > three; echo again; read go; rm one"

    def program(place: Path) -> list[Any]:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen(["sh", "-c", script], cwd=place, text=True, bufsize=1, **pipes) as child:  # type: ignore[call-overload]
            seen: list[Any] = [child.stdout.readline(), (place / "one").read_text()]
            child.stdin.write("go\n")
            seen += [child.stdout.readline(), (place / "one").read_text(), sorted(os.listdir(place)), child.poll()]
            child.stdin.write("go\n")
        return [*seen, sorted(os.listdir(place))]

    site.agree(program)
    assert site.replay(program)[0] == ["ready\n", "1\n", "again\n", "2\n", ["one", "three"], None, ["three"]]


def test_contents_stand_on_the_tape_once(site: Any, sh: Any) -> None:
    """Children that write the same content again and again make a small tape."""
    big = "x" * 100_000

    def program(place: Path) -> None:
        (place / "big").write_text(big)
        for number in range(20):
            sh(f"cp big copy{number}; cp big again", place)

    site.record(program)
    assert os.path.getsize(site.tape) < 150_000


@pytest.mark.slow
def test_a_repository_that_many_children_touch_makes_a_small_tape(site: Any, sh: Any) -> None:
    """Of 500 files touched by 100 children the tape holds each content once."""
    site.prepare(lambda place: [(place / f"f{n}").write_text(f"{n}" * 2000) for n in range(500)])
    content = sum(len(f"{n}") * 2000 for n in range(500))

    def program(place: Path) -> None:
        for number in range(100):
            sh(f"touch f*; echo {number} > count", place)

    site.record(program)
    assert os.path.getsize(site.tape) < content + 4_000_000


def test_a_tape_is_recorded_again_byte_for_byte(site: Any, sh: Any, tmp_path: Path) -> None:
    """A replay writes down what it was told, files included."""
    site.prepare(beginning)
    site.agree(lambda place: sh(SCRIPTS["renamed directory"], place))
    site.replay(lambda place: sh(SCRIPTS["renamed directory"], place), rerecord=tmp_path / "again.tape")
    assert (tmp_path / "again.tape").read_bytes() == site.tape.read_bytes()


def test_a_large_sparse_file_takes_no_more_than_its_data(site: Any, sh: Any) -> None:
    """Of 4 GiB that are holes, the tape and the replayed file have only what is not."""

    def program(place: Path) -> int:
        sh("truncate -s 4G big; printf end >> big; printf start | dd of=big conv=notrunc status=none", place)
        with open(place / "big", "rb") as file:
            start = file.read(5)
            file.seek(4 << 30)
            assert (start, file.read()) == (b"start", b"end")
        return (place / "big").stat().st_size

    site.agree(program)
    assert os.path.getsize(site.tape) < 100_000
    assert (site.place / "big").stat().st_blocks * 512 < 1 << 20


def test_without_the_option_nothing_is_looked_at(site: Any, sh: Any) -> None:
    """Nobody pays who has not asked: no event, and on replay no file."""
    site.record(lambda place: sh("echo x > made", place), effects="none")
    assert [event for event in testbench.open_tape(site.tape) if event.kind == "files"] == []
    assert set(site.replay(lambda place: sh("echo x > made", place))[1]) == {b"."}


def test_rights_of_another_are_not_given(site: Any, sh: Any) -> None:
    """A file that is setuid when recorded is not on replay: a tape may come from anybody; the recording says so."""

    def program(place: Path) -> None:
        sh("echo x > tool; chmod 6755 tool", place)

    site.begin()
    with testbench.record(site.tape, effects="roots", leaks="ignore") as session:
        program(site.place)
    assert [leak.name for leak in session.leaks] == ["files.rights"]
    site.replay(program)
    assert stat.S_IMODE((site.place / "tool").stat().st_mode) == 0o755


def test_the_output_of_the_program_is_no_effect(tmp_path: Path) -> None:
    """Where it goes to a file under the roots, a replay whose output goes elsewhere leaves that file alone."""
    code = (
        "import subprocess\n"
        "with subprocess.Popen(['cat'], stdin=-1) as child:\n"
        "    print(1, flush=True)\n"
        "    child.communicate()\n"
        "print(2)\n"
    )
    command = [sys.executable, "-m", "testbench"]
    told = {}
    for way in (["record", "-o", "run.tape", "--effects", "roots"], ["replay", "run.tape"]):
        with open(tmp_path / way[0], "w") as output:
            subprocess.run([*command, *way, "--", sys.executable, "-c", code], cwd=tmp_path, stdout=output, check=True)
        told[way[0]] = (tmp_path / way[0]).read_text()
    assert told["record"] == told["replay"] == (tmp_path / "record").read_text() == "1\n2\n"


def test_directories_hand_on_their_group(site: Any, sh: Any) -> None:
    """Of a directory setgid and the sticky bit are done again, as all of its mode."""
    tree = site.agree(lambda place: sh("mkdir shared scratch; chmod 2775 shared; chmod 1777 scratch", place))
    assert [stat.S_IMODE(tree[path][0]) for path in (b"shared", b"scratch")] == [0o2775, 0o1777]
