from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import testbench
from testbench.harness import Process, processes


def folded(path: Path) -> list[Process]:
    """Return the processes of a tape."""
    with testbench.open_tape(path) as tape:
        return list(processes(tape))


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
    assert (process.sent, process.stdout, process.stderr, process.returncode) == (b"in", b"IN", b"e", 3)
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
    assert (seen.sent, seen.stdout, seen.returncode) == (b"one two", b"one two", 0)


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
