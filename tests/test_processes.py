from __future__ import annotations

import asyncio
import json
import os
import pty
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import testbench
from testbench.cli import main
from testbench.processes import Process


def folded(path: Path) -> list[Process]:
    """Return the processes of a tape."""
    with testbench.open_tape(path) as tape:
        return tape.processes()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give the path of a new tape."""
    return tmp_path / "x.tape"


def test_a_finished_process_is_one_value(path: Path) -> None:
    """Start and observation are folded: arguments, directory, input, both outputs, status and duration."""
    code = "import sys; sys.stdout.write(sys.stdin.read().upper()); sys.stderr.write('e'); sys.exit(3)"
    with testbench.record(path):
        subprocess.run([sys.executable, "-c", code], input=b"in", capture_output=True, cwd="/")
    (process,) = folded(path)
    assert process.argv == [sys.executable, "-c", code]
    assert (process.program, process.cwd, process.shell, process.lane, process.seq) == (
        sys.executable,
        "/",
        False,
        "main",
        0,
    )
    assert (process.stdin, process.stdout, process.stderr, process.returncode) == (b"in", b"IN", b"e", 3)
    assert process.duration_ns > 0


def test_a_process_observed_piecemeal_is_one_value_too(path: Path) -> None:
    """Writes, reads and the wait are put together."""
    with testbench.record(path):
        process = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        for word in (b"one ", b"two"):
            process.stdin.write(word)
            assert process.stdout.read(len(word)) == word
        process.stdin.close()
        assert process.stdout.read() == b""
        process.stdout.close()
        process.wait()
    (seen,) = folded(path)
    assert (seen.stdin, seen.stdout, seen.returncode) == (b"one two", b"one two", 0)


def test_a_process_that_could_not_start_has_its_error(path: Path) -> None:
    """It takes no number, so the next one is not taken for it."""
    with testbench.record(path):
        with pytest.raises(FileNotFoundError):
            subprocess.run(["no-such-program"])
        subprocess.run(["true"])
    missing, found = folded(path)
    assert missing.error is not None
    assert missing.error.type.endswith("FileNotFoundError")
    assert missing.returncode is None
    assert (found.argv, found.returncode, found.error) == (["true"], 0, None)


def test_a_timeout_and_a_signal_show(path: Path) -> None:
    """A process that was killed after a timeout says both."""
    with testbench.record(path), pytest.raises(subprocess.TimeoutExpired):
        subprocess.run(["sleep", "9"], timeout=0.01, capture_output=True)
    (process,) = folded(path)
    assert (process.expired, process.returncode) == (True, -9)


def test_processes_of_threads_are_not_mixed_up(path: Path) -> None:
    """Children are numbered per thread; each observation finds its own."""

    def work(word: str) -> None:
        for number in range(3):
            subprocess.run(["echo", word, str(number)], capture_output=True)

    with testbench.record(path):
        threads = [threading.Thread(target=work, args=(word,)) for word in ("a", "b")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    seen = folded(path)
    assert len(seen) == 6
    for process in seen:
        assert process.stdout == b" ".join(word.encode() for word in process.argv[1:]) + b"\n"  # type: ignore[union-attr]


def test_a_child_started_elsewhere_is_found_by_its_pid(path: Path) -> None:
    """A process that another thread waits for belongs to the one that started it."""
    with testbench.record(path):
        process = subprocess.Popen(["sh", "-c", "echo x; exit 2"], stdout=subprocess.PIPE)
        thread = threading.Thread(target=process.communicate)
        thread.start()
        thread.join()
    (seen,) = folded(path)
    assert (seen.stdout, seen.returncode) == (b"x\n", 2)


def test_a_process_waited_for_by_pid_ends_when_it_ends(path: Path) -> None:
    """A ``waitpid`` that finds the process running, or stopped, is not its end."""
    with testbench.record(path):
        process = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
        assert os.waitpid(process.pid, os.WNOHANG) == (0, 0)
        process.send_signal(signal.SIGSTOP)
        assert os.WIFSTOPPED(os.waitpid(process.pid, os.WUNTRACED)[1])
    assert folded(path)[0].returncode is None
    process.kill()
    process.communicate()
    with testbench.record(path):
        process = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
        process.kill()
        os.waitpid(process.pid, 0)
        process.communicate()
    assert process.returncode == 0  # all that CPython can say, once somebody else has waited
    assert folded(path)[0].returncode == -signal.SIGKILL


def _popen(word: str) -> None:
    with subprocess.Popen(["sh", "-c", SCRIPT, word], stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True) as child:
        child.stdin.write(f"{word}\n")
        child.stdin.close()
        child.stdout.readline()
        child.stderr.read()


def _run(word: str) -> None:
    subprocess.run(["sh", "-c", SCRIPT, word], input=f"{word}\n", capture_output=True, text=True)


def _by_descriptors(word: str) -> None:
    with subprocess.Popen(["sh", "-c", SCRIPT, word], stdin=PIPE, stdout=PIPE, stderr=PIPE) as child:
        os.write(child.stdin.fileno(), f"{word}\n".encode())
        for stream in (child.stdout, child.stderr):
            select.select([stream], [], [])
            while os.read(stream.fileno(), 100):
                pass


def _asyncio(word: str) -> None:
    async def program() -> None:
        child = await asyncio.create_subprocess_exec("sh", "-c", SCRIPT, word, stdin=PIPE, stdout=PIPE, stderr=PIPE)
        await child.communicate(f"{word}\n".encode())

    asyncio.run(program())


def _posix_spawn(word: str) -> None:
    pipes = [os.pipe() for _ in range(3)]
    ends = [pipes[0][0], pipes[1][1], pipes[2][1]]
    actions = [(os.POSIX_SPAWN_DUP2, end, number) for number, end in enumerate(ends)]
    pid = os.posix_spawnp("sh", ["sh", "-c", SCRIPT, word], os.environ, file_actions=actions)
    for end in ends:
        os.close(end)
    with open(pipes[0][1], "wb") as stdin:
        stdin.write(f"{word}\n".encode())
    for pipe in pipes[1:]:
        with open(pipe[0], "rb") as stream:
            stream.read()
    os.waitid(os.P_PID, pid, os.WEXITED)


SCRIPT = "read x; echo out $x; echo err $0 >&2; exit 3"
PIPE = subprocess.PIPE


@pytest.mark.parametrize("way", [_popen, _run, _by_descriptors, _asyncio, _posix_spawn])
def test_every_way_gives_the_same_process(way: Callable[[str], None], path: Path) -> None:
    """Whatever ops are on the tape, it is one process with arguments, end and all three streams."""
    with testbench.record(path, leaks="ignore"):
        way("word")
    (seen,) = folded(path)
    assert seen.argv == ["sh", "-c", SCRIPT, "word"]
    assert (seen.stdin, seen.stdout, seen.stderr) == (b"word\n", b"out word\n", b"err word\n")
    assert (seen.returncode, seen.error, seen.expired) == (3, None, False)
    assert 0 < seen.duration_ns < 60 * 10**9


@pytest.mark.parametrize("wait", ["wait", "wait3", "wait4", "waitpid"])
def test_each_way_to_wait_finds_the_end(wait: str, path: Path) -> None:
    """Which child has ended is told by the answer, also where any was waited for."""
    asked = {"wait": (), "wait3": (0,), "wait4": (-1, 0), "waitpid": (-1, 0)}[wait]
    with testbench.record(path):
        os.spawnlp(os.P_NOWAIT, "sh", "sh", "-c", "exit 3")
        getattr(os, wait)(*asked)
        os.spawnlp(os.P_NOWAIT, "sh", "sh", "-c", "kill -9 $$")
        getattr(os, wait)(*asked)
    assert [process.returncode for process in folded(path)] == [3, -9]


def test_a_terminal_is_a_stream_too(path: Path) -> None:
    """What was said through a terminal stands in stdin and stdout."""
    said: list[bytes] = [b"bob\n"]

    def read(fd: int) -> bytes:
        data = os.read(fd, 100)
        if b"name?" in data and said:
            os.write(fd, said.pop())
        return data

    with testbench.record(path, leaks="ignore"):
        pty.spawn(["sh", "-c", "stty -echo; echo name?; read x; echo hello $x"], read)
    (seen,) = folded(path)
    assert (seen.stdin, seen.stdout, seen.returncode) == (b"bob\n", b"name?\r\nhello bob\r\n", 0)


def test_only_what_was_taken_was_sent(path: Path) -> None:
    """A write that a pipe took in part counts in part; one that failed does not count."""
    with testbench.record(path), subprocess.Popen(["sleep", "60"], stdin=PIPE, bufsize=0) as child:
        os.set_blocking(child.stdin.fileno(), False)
        taken = child.stdin.write(b"x" * 10_000_000)
        child.kill()
        child.wait()
        with pytest.raises(BrokenPipeError):
            child.stdin.write(b"y")
    (seen,) = folded(path)
    assert seen.stdin == b"x" * taken
    assert taken < 10_000_000


def test_show_prints_processes(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One paragraph for each process: how it ended, the command as a shell takes it, and its streams."""
    with testbench.record(path):
        subprocess.run(["sh", "-c", "cat; exit 3"], input=b"in\x1b", capture_output=True, cwd="/")
        subprocess.run("kill -9 $$; echo 'x'", shell=True)
        with pytest.raises(FileNotFoundError):
            subprocess.run(["no-such-program", "a b"])
        child = subprocess.Popen(["cat"], stdin=PIPE)
    child.communicate()
    assert main(["show", "--processes", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("main  exit 3  sh -c 'cat; exit 3'")
    assert [line.split() for line in lines[1:4]] == [["cwd", "/"], ["stdin", "b'in\\x1b'"], ["stdout", "b'in\\x1b'"]]
    assert lines[4].endswith("main  signal 9  $ kill -9 $$; echo 'x'")
    assert lines[5].endswith("main  not started: FileNotFoundError  no-such-program 'a b'")
    assert lines[6].endswith("main  end not seen  cat")
    assert main(["show", "--processes", "--json", "--seq", "0", str(path)]) == 0
    (told,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (told["argv"], told["returncode"], told["cwd"]) == (["sh", "-c", "cat; exit 3"], 3, "/")
    assert told["stdin"] == told["stdout"] == {"$utf8": "in\x1b"}
    assert main(["show", "--processes", "--kind", "clock", str(path)]) == 2
