"""A program that talks to its children in coarse steps only, in all the ways there are: ``coarse.py MODE TAPE``.

The mode is ``record`` or ``replay``. It prints what each step came to, as JSON; replaying, it can start no process.
"""

from __future__ import annotations

import datetime
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from subprocess import DEVNULL, PIPE, STDOUT
from typing import Any, Final

from stage import run

SAY: Final = ["sh", "-c", "printf out; printf err >&2"]
PATIENCE: Final = 60.0
"""Seconds; never used up."""


def run_binary() -> Any:
    """Run with input and output as bytes that are no text."""
    return told(subprocess.run(["cat"], input=b"\xff\x00in", capture_output=True))


def run_text() -> Any:
    """Run with encoded text, and lines that end in every way."""
    return told(
        subprocess.run(["cat"], input="é\r\nü\rx\n", stdout=PIPE, text=True, encoding="latin-1", errors="strict")
    )


def run_large() -> Any:
    """Run with more than a pipe holds, both ways at once."""
    done = subprocess.run(["cat"], input=b"x" * 300_000, capture_output=True, timeout=PATIENCE)
    return len(done.stdout), done.stderr


def run_failing() -> Any:
    """Check a status that is not zero."""
    return told(subprocess.run(["sh", "-c", "echo no >&2; exit 3"], capture_output=True, check=True))


def run_expiring() -> Any:
    """Give up on a child that has said something already, which comes with the exception."""
    return told(subprocess.run(["sh", "-c", "echo early; exec sleep 60"], stdout=PIPE, timeout=0.5))


def run_missing() -> Any:
    """Start a program that is not there."""
    return told(subprocess.run(["no-such-program-anywhere"]))


def run_elsewhere() -> Any:
    """Start a program in a directory that is not there."""
    return told(subprocess.run(["true"], cwd="/no/such/place"))


def run_shell() -> Any:
    """Run a command line with an environment of its own."""
    return told(subprocess.run("echo $GREETING; kill -9 $$", shell=True, env={"GREETING": "hi"}, capture_output=True))


def run_merged() -> Any:
    """Run with both outputs in one pipe."""
    return told(subprocess.run(SAY, stdout=PIPE, stderr=STDOUT, stdin=DEVNULL))


def run_to_file() -> Any:
    """Run with a file for one output and nothing for the other, and read the file back."""
    with tempfile.TemporaryFile() as file:
        done = subprocess.run(SAY, stdout=file, stderr=DEVNULL, start_new_session=True)
        file.seek(0)
        return done.returncode, file.read()


def old_functions() -> Any:
    """Call the functions that were there before run."""
    return (
        subprocess.check_output(SAY, stderr=STDOUT, timeout=PATIENCE),
        subprocess.check_output(["cat"], input="text\n", universal_newlines=True),
        subprocess.call(["sh", "-c", "exit 4"]),
        subprocess.check_call(["true"], timeout=PATIENCE),
        subprocess.getstatusoutput("echo both >&2; exit 5"),
        subprocess.getoutput("echo it"),
    )


def communicate() -> Any:
    """Communicate in one go, with one pipe and with three."""
    with subprocess.Popen(["sh", "-c", "echo one"], stdout=PIPE) as one:
        first = one.communicate()
    with subprocess.Popen(["sh", "-c", "cat; echo err >&2"], stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True) as three:
        return first, one.returncode, three.communicate("in"), three.returncode


def communicate_again() -> Any:
    """Communicate until the time is up, and then once more."""
    with subprocess.Popen(["sh", "-c", "echo early; exec sleep 60"], stdin=PIPE, stdout=PIPE) as child:
        try:
            child.communicate(timeout=0.5)
        except subprocess.TimeoutExpired as error:
            early = error.output
        child.kill()
        return early, child.communicate(timeout=PATIENCE), child.returncode


def wait() -> Any:
    """Wait for children without pipes: not long enough, long enough, and without end."""
    child = subprocess.Popen(["sleep", "60"])
    try:
        child.wait(timeout=0.01)
    except subprocess.TimeoutExpired as error:
        expired = error.timeout
    child.terminate()
    return expired, child.wait(timeout=PATIENCE), child.poll(), subprocess.Popen(["sh", "-c", "exit 6"]).wait()


def by_pid() -> Any:
    """Wait and send signals by pid."""
    child = subprocess.Popen(["sleep", "60"])
    os.kill(child.pid, signal.SIGTERM)
    pid, status = os.waitpid(child.pid, 0)
    return pid == child.pid, status, child.wait()


def os_functions() -> Any:
    """Let the module os start them."""
    with os.popen("echo popen; exit 7") as stream:
        text = stream.read()
    with os.popen("cat > /dev/null; exit 8", "w") as sink:
        sink.write("in")
    status = os.system("exit 9")
    ended = os.waitpid(os.posix_spawn("/bin/sh", ["sh", "-c", "exit 10"], dict(os.environ)), 0)[1]
    return text, os.waitstatus_to_exitcode(status), ended, os.spawnlp(os.P_WAIT, "sh", "sh", "-c", "exit 11")


def clocks() -> Any:
    """Read clocks and sleep between children, as a program does that measures them."""
    began, at = time.perf_counter(), datetime.datetime.now(datetime.UTC)
    subprocess.run(["true"], timeout=PATIENCE)
    time.sleep(0.001)
    return began, time.perf_counter_ns(), str(at), time.monotonic(), time.time(), time.strftime("%x", time.gmtime(0))


def threads() -> Any:
    """Run children in threads."""
    said: dict[int, bytes] = {}

    def work(number: int) -> None:
        said[number] = subprocess.run(["sh", "-c", f"echo {number}"], stdout=PIPE, timeout=PATIENCE).stdout

    running = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(timeout=PATIENCE)
    return sorted(said.items())


STEPS: Final[tuple[Callable[[], Any], ...]] = (
    run_binary,
    run_text,
    run_large,
    run_failing,
    run_expiring,
    run_missing,
    run_elsewhere,
    run_shell,
    run_merged,
    run_to_file,
    old_functions,
    communicate,
    communicate_again,
    wait,
    by_pid,
    os_functions,
    clocks,
    threads,
)


def told(done: subprocess.CompletedProcess[Any]) -> Any:
    """Return what a completed process knows."""
    return done.returncode, done.stdout, done.stderr


if __name__ == "__main__":
    run(STEPS)
