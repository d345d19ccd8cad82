"""What a child writes to the program's own stdout and stderr, and to files it is given, appears there on replay too."""

from __future__ import annotations

import _thread
import os
import pty
import subprocess
import sys
import textwrap
from pathlib import Path
from subprocess import PIPE, STDOUT
from typing import Any

import pytest

import testbench

MAIN = """
import os, subprocess, sys, testbench

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())  # print() may need several writes

{program}

mode, tape = sys.argv[1:]
if mode == "stock":
    program()
elif mode == "record":
    with testbench.record(tape):
        program()
else:
    os.environ["PATH"] = "/nonexistent"
    with testbench.replay(tape):
        program()
"""

MIXED = """
def program():
    say("start")
    subprocess.run(["sh", "-c", "echo out; echo err >&2; echo out again"])
    child = subprocess.Popen(["sh", "-c", "read x; echo heard $x; exec cat"], stdin=subprocess.PIPE, bufsize=0)
    child.stdin.write(b"it\\n")
    say("own, in between")
    child.communicate()
    say(os.system("echo system; echo trouble >&2; exit 3"))
    subprocess.run(["sh", "-c", "echo captured; echo not captured >&2"], stdout=subprocess.PIPE)
    subprocess.run(["sh", "-c", "echo to stderr"], stdout=sys.stderr)
    subprocess.run(["sh", "-c", "echo to stdout >&2"], stderr=sys.stdout, stdout=subprocess.DEVNULL)
    subprocess.run(["sh", "-c", "echo one; echo two >&2"], stderr=subprocess.STDOUT)
    say("end")
"""


class Script:
    """A program in an interpreter of its own, with stdout and stderr of one's choice."""

    def __init__(self, place: Path, program: str) -> None:
        self.tape = place / "run.tape"
        self.path = place / "program.py"
        self.path.write_text(MAIN.format(program=textwrap.dedent(program)))

    def run(self, mode: str, **streams: Any) -> subprocess.CompletedProcess[bytes]:
        """Run it and check that it ends well."""
        done = subprocess.run([sys.executable, str(self.path), mode, str(self.tape)], **streams)
        assert done.returncode == 0, done
        return done


def _through_pipes(script: Script, mode: str) -> Any:
    done = script.run(mode, stdout=PIPE, stderr=PIPE)
    return done.stdout, done.stderr


def _through_one_pipe(script: Script, mode: str) -> Any:
    return script.run(mode, stdout=PIPE, stderr=STDOUT).stdout


def _through_files(script: Script, mode: str) -> Any:
    out, err = script.path.with_name("out"), script.path.with_name("err")
    with out.open("wb") as stdout, err.open("wb") as stderr:
        script.run(mode, stdout=stdout, stderr=stderr)
    return out.read_bytes(), err.read_bytes()


def _through_one_file(script: Script, mode: str) -> Any:
    out = script.path.with_name("out")
    out.write_bytes(b"what was there\n")
    with out.open("ab") as stdout:
        script.run(mode, stdout=stdout, stderr=STDOUT)
    return out.read_bytes()


def _lines(seen: Any) -> Any:
    """The order of a child's own bytes and the program's is only settled where the program waits for the child."""
    return sorted(seen.splitlines()) if isinstance(seen, bytes) else [_lines(part) for part in seen]


@pytest.mark.slow
@pytest.mark.parametrize("way", [_through_pipes, _through_one_pipe, _through_files, _through_one_file])
def test_inherited_output_appears_on_replay(way: Any, tmp_path: Path) -> None:
    """Children write to the program's own stdout and stderr, as it is, recorded, and replayed."""
    script = Script(tmp_path, MIXED)
    stock, recorded, replayed = (way(script, mode) for mode in ("stock", "record", "replay"))
    assert _lines(recorded) == _lines(stock)
    assert _lines(replayed) == _lines(recorded)
    again = way(script, "replay")
    assert again == replayed


@pytest.mark.slow
def test_inherited_output_keeps_its_order(tmp_path: Path) -> None:
    """Stdout and stderr that go to one pipe keep their order, among themselves and with the program's own writes."""
    program = """
    def program():
        for n in range(20):
            say("own", n)
            subprocess.run(["sh", "-c", f"echo o{n}; echo e{n} >&2; echo O{n}"])
    """
    script = Script(tmp_path, program)
    stock, recorded, replayed = (_through_one_pipe(script, mode) for mode in ("stock", "record", "replay"))
    assert stock == recorded == replayed


@pytest.mark.slow
def test_own_output_is_not_taken_for_the_childs(tmp_path: Path) -> None:
    """What the program writes itself while a child runs is neither recorded as the child's nor written twice."""
    program = """
    def program():
        child = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
        say("own")
        child.communicate(b"child\\n")
    """
    script = Script(tmp_path, program)
    for way in (_through_one_pipe, _through_one_file):
        recorded, replayed = way(script, "record"), way(script, "replay")
        assert recorded.endswith(b"own\nchild\n")
        assert replayed == recorded


@pytest.mark.slow
def test_recorded_output_appears_on_another_kind_of_stdout(tmp_path: Path) -> None:
    """A tape recorded into a pipe replays into a file, and the other way round."""
    script = Script(tmp_path, MIXED)
    _through_pipes(script, "record")
    assert _lines(_through_files(script, "replay")) == _lines(_through_pipes(script, "replay"))


@pytest.mark.slow
def test_process_left_behind_does_not_hold_up(tmp_path: Path) -> None:
    """A process that the child leaves behind keeps the inherited pipe open, and nobody waits for it."""
    os.mkfifo(tmp_path / "fifo")
    program = f"""
    def program():
        subprocess.run(["sh", "-c", "echo first; (cat {tmp_path}/fifo; echo late) & exit 0"])
        say("went on")
    """
    script = Script(tmp_path, program)
    command = [sys.executable, str(script.path), "record", str(script.tape)]
    with subprocess.Popen(command, stdout=PIPE) as running:
        assert running.wait() == 0  # although the process left behind still has our stdout
        (tmp_path / "fifo").write_text("")
        assert running.stdout.read().startswith(b"first\nwent on\n")
    assert _through_one_pipe(script, "replay") == b"first\nwent on\n"


@pytest.mark.slow
def test_full_pipe_does_not_stop_a_child_that_nobody_watches(tmp_path: Path) -> None:
    """A child that writes a megabyte to the inherited stdout ends although the program looks elsewhere."""
    os.mkfifo(tmp_path / "fifo")
    program = f"""
    def program():
        child = subprocess.Popen(["sh", "-c", "head -c 1000000 /dev/zero; echo >{tmp_path}/fifo"])
        if sys.argv[1] != "replay":
            open("{tmp_path}/fifo").read()
        say(child.wait())
    """
    script = Script(tmp_path, program)
    recorded = _through_one_pipe(script, "record")
    assert len(recorded) == 1_000_002
    assert _through_one_pipe(script, "replay") == recorded


@pytest.mark.slow
def test_terminal_output_is_reported(tmp_path: Path) -> None:
    """What goes to a terminal stays there, off the tape; the recording says so once, and the replay goes on without."""
    program = """
    def program():
        subprocess.run(["echo", "seen by the user"])
        os.system("echo and this")
    """
    script = Script(tmp_path, program)
    ours, theirs = pty.openpty()
    try:
        recorded = script.run("record", stdout=theirs, stderr=PIPE)
        assert recorded.stderr.count(b"process.terminal_output") == 1
        assert b"program.py:9 in program" in recorded.stderr
        assert os.read(ours, 1000) == b"seen by the user\r\nand this\r\n"
        assert script.run("replay", stdout=theirs, stderr=PIPE).stderr == b""
    finally:
        os.close(ours)
        os.close(theirs)
    events = [event for event in testbench.open_tape(script.tape) if event.kind == "process" and event.op != "spawn"]
    assert [event.outcome.value["stdout"] for event in events] == [None, None]


def test_log_file_is_seen_growing(ways: Any) -> None:
    """A file that is given to a child holds, at each observation, what the child had written by then."""

    def program(place: Path) -> Any:
        script = "echo one; echo ready >&2; read x; echo two"
        with open(place / "log", "wb") as log:
            child = subprocess.Popen(["sh", "-c", script], stdin=PIPE, stdout=log, stderr=PIPE)
        seen = [child.stderr.readline(), child.poll(), (place / "log").read_bytes()]
        child.communicate(b"go\n")
        return seen, (place / "log").read_bytes()

    assert ways.agree(program)[1] == ([b"ready\n", None, b"one\n"], b"one\ntwo\n")


def test_stdin_file_belongs_to_the_request(ways: Any) -> None:
    """A replay that gives a child another file to read than the recording is a divergence."""

    def program(content: bytes) -> Any:
        def body(place: Path) -> Any:
            (place / "in").write_bytes(content)
            with open(place / "in", "rb") as given:
                return subprocess.check_output(["cat"], stdin=given)

        return body

    ways.record(program(b"abc"))
    with pytest.raises(testbench.MismatchError, match="stdin_digest"):
        ways.replay(program(b"abd"))


def test_descriptors_are_given_back(ways: Any) -> None:
    """Recording and replaying leave no descriptor open."""

    def program(place: Path) -> Any:
        with open(place / "log", "wb") as log:
            subprocess.run(["echo", "x"], stdout=log)
        subprocess.run(["sh", "-c", "echo x; echo y >&2"])
        subprocess.run(["true"], capture_output=True)
        os.system("echo x")
        with pytest.raises(FileNotFoundError):
            subprocess.run(["no-such-program"])
        subprocess.Popen(["true"], stdin=PIPE, stdout=PIPE).communicate()

    def many(place: Path) -> None:
        for _ in range(3):
            program(place)

    ways.record(program)
    ways.replay(program)
    before = len(os.listdir("/proc/self/fd"))
    ways.record(many)
    ways.replay(many)
    assert _settles(lambda: len(os.listdir("/proc/self/fd")) <= before)


def _settles(condition: Any) -> bool:
    """Give the threads that pass output on a moment to find its end; False when they do not."""
    for _ in range(100_000):
        if condition():
            return True
        os.sched_yield()
    return False


def test_descriptor_numbers_are_the_programs(ways: Any) -> None:
    """Files that the program opens get the numbers that they would get without a recording."""

    def program(place: Path) -> Any:
        subprocess.run(["echo", "x"])
        free = [os.open(os.devnull, os.O_RDONLY) for _ in range(4)]
        for fd in free:
            os.close(fd)
        with subprocess.Popen(["cat"], stdin=PIPE, stdout=PIPE) as child, open(place / "x", "wb") as file:
            numbers = [file.fileno(), child.stdin.name, child.stdout.name]
            child.communicate()
        return numbers == free[:3]

    assert ways.agree(program)[1] is True


def test_threads_of_ours_are_not_counted(tmp_path: Path) -> None:
    """A program that looks for threads left behind finds none of ours, also while a child's output is passed on."""
    before = _thread._count()
    with testbench.record(tmp_path / "t.tape", leaks="ignore"):
        with open(tmp_path / "out", "wb") as out:
            saved = os.dup(1)
            os.dup2(out.fileno(), 1)
            try:
                child = subprocess.Popen(["sh", "-c", "read x; echo $x"], stdin=subprocess.PIPE)
                during = _thread._count()
                child.communicate(b"said\n")
            finally:
                os.dup2(saved, 1)
                os.close(saved)
        after = _thread._count()
    assert (during, after) == (before, before)


def test_a_file_for_all_three_streams_is_written_once(ways: Any) -> None:
    """What a child writes, through its stdin too, to one open file stands there once, and the offset has moved."""

    def program(place: Path) -> Any:
        with open(place / "file", "w+b", buffering=0) as file:
            file.write(b"before ")
            command = "echo in >&0; echo out; echo err >&2"
            status = subprocess.Popen(["sh", "-c", command], stdin=file, stdout=file, stderr=file).wait()
            return status, file.tell(), (place / "file").read_bytes()

    assert ways.agree(program) == ("returned", (0, 18, b"before in\nout\nerr\n"))


def test_what_a_child_writes_to_its_stdin_is_kept(ways: Any) -> None:
    """A stdin that is open for writing too is an output like any other."""

    def program(place: Path) -> Any:
        with open(place / "file", "w+b", buffering=0) as file:
            status = subprocess.Popen(["sh", "-c", "echo in >&0"], stdin=file).wait()
            return status, (place / "file").read_bytes()

    assert ways.agree(program) == ("returned", (0, b"in\n"))
