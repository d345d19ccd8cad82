"""Children, descriptors and event loops that are older than their session, or outlive it; sessions in sessions."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import selectors
import subprocess
import sys
import threading
from asyncio.subprocess import PIPE
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import testbench
from testbench.errors import NotATapeError, UnsupportedError
from testbench.recorders import process


async def _cat() -> Any:
    child = await asyncio.create_subprocess_exec("cat", stdin=PIPE, stdout=PIPE)
    return await child.communicate(b"x"), child.returncode


_ECHOED = (b"x", None), 0


def _piecemeal() -> Any:
    with subprocess.Popen(["cat"], stdin=PIPE, stdout=PIPE, bufsize=0) as child:
        child.stdin.write(b"a")
        select.select([child.stdout], [], [])
        first = os.read(child.stdout.fileno(), 5)
        child.stdin.close()
        return first, child.stdout.read(), child.wait()


def test_a_child_outlives_its_session(tmp_path: Path) -> None:
    """Its streams, descriptors and end are as if there had never been one."""
    with testbench.record(tmp_path / "t.tape"):
        child = subprocess.Popen(["cat"], stdin=PIPE, stdout=PIPE, bufsize=0)
        child.stdin.write(b"within")
        assert os.read(child.stdout.fileno(), 99) == b"within"
    child.stdin.write(b"after")
    assert select.select([child.stdout], [], [])[0] == [child.stdout]
    assert os.read(child.stdout.fileno(), 99) == b"after"
    assert child.communicate(b"end") == (b"end", None)
    assert child.returncode == 0


@pytest.mark.parametrize("virtual", [False, True])
def test_a_child_of_asyncio_outlives_its_session(virtual: bool, tmp_path: Path) -> None:
    """The loop goes on, and hears of the child's end, also by a pid that was made up."""
    loop = asyncio.new_event_loop()
    processes = process.Process(virtual_pids=virtual)
    with testbench.record(tmp_path / "t.tape", recorders=[processes]):
        started = asyncio.create_subprocess_exec("cat", stdin=PIPE, stdout=PIPE)
        child = loop.run_until_complete(started)
    assert loop.run_until_complete(child.communicate(b"x")) == (b"x", None)
    assert child.returncode == 0
    loop.close()


@pytest.mark.parametrize("selector", [selectors.EpollSelector, selectors.SelectSelector])
def test_an_older_loop_is_used_within_and_afterwards(selector: Callable[[], Any], tmp_path: Path) -> None:
    """Record and replay run on a loop that was there before, and leave it usable."""
    for way in (testbench.record, testbench.replay):
        loop = asyncio.SelectorEventLoop(selector())
        with way(tmp_path / "t.tape"):
            assert loop.run_until_complete(_cat()) == _ECHOED
        assert loop.run_until_complete(_cat()) == _ECHOED
        loop.close()


def test_a_session_within_a_running_loop(tmp_path: Path) -> None:
    """It may begin and end between two turns of the loop, which starts children before and after."""

    async def main(way: Callable[[Path], Any]) -> Any:
        before = await _cat()
        with way(tmp_path / "t.tape"):
            within = await _cat()
        return before, within, await _cat()

    for way in (testbench.record, testbench.replay):
        assert asyncio.run(main(way)) == (_ECHOED, _ECHOED, _ECHOED)


@pytest.mark.parametrize("run", [_piecemeal, lambda: asyncio.run(_cat())])
def test_a_recording_within_a_replay_is_as_good_as_the_one_within_the_recording(
    run: Callable[[], Any], tmp_path: Path
) -> None:
    """The inner tape replays by itself, whether the children of the outer session were real or not."""
    inner, outer = tmp_path / "inner.tape", tmp_path / "outer.tape"

    def nested() -> Any:
        with testbench.record(inner):
            return run()

    with testbench.record(outer):
        recorded = nested()
    with testbench.replay(inner):
        assert run() == recorded
    with testbench.replay(outer):
        assert nested() == recorded
    with testbench.replay(inner):
        assert run() == recorded


def test_threads_start_children_while_the_session_closes(tmp_path: Path) -> None:
    """Each child comes to its end with what it said, on whichever side of the end of the session that is."""
    said: list[bytes] = []
    failed: list[BaseException] = []
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            try:
                said.append(subprocess.run(["cat"], input=b"x", capture_output=True).stdout)
            except BaseException as error:
                failed.append(error)
                return

    def until(count: int) -> None:
        while len(said) < count and not failed:
            pass

    session = testbench.record(tmp_path / "t.tape", leaks="ignore").open()
    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    until(100)
    session.close()
    until(len(said) + 50)
    stop.set()
    for thread in threads:
        thread.join()
    assert failed == []
    assert set(said) == {b"x"}
    assert [found for found in testbench.check(tmp_path / "t.tape") if found.severity == "error"] == []


def test_several_threads_wait_for_one_child(tmp_path: Path) -> None:
    """None of them finds what is kept of the child's output closed by another."""
    for _ in range(10):
        ended: list[int] = []
        with testbench.record(tmp_path / "t.tape"):
            with open(tmp_path / "out", "wb") as out:
                child = subprocess.Popen(["echo", "x"], stdout=out, stderr=subprocess.DEVNULL)
            threads = [
                threading.Thread(target=lambda child=child, ended=ended: ended.append(child.wait())) for _ in "123456"
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert ended == [0] * 6


def test_a_fork_does_not_disturb_the_children(tmp_path: Path) -> None:
    """The copy of the program starts children of its own; the session of the original goes on."""
    with (
        testbench.record(tmp_path / "t.tape", leaks="ignore"),
        subprocess.Popen(["cat"], stdin=PIPE, stdout=PIPE) as child,
    ):
        pid = os.fork()
        if pid == 0:
            with contextlib.suppress(BaseException):
                os._exit(subprocess.run(["sh", "-c", "exit 7"]).returncode)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
        assert child.communicate(b"x") == (b"x", None)
    assert [found for found in testbench.check(tmp_path / "t.tape") if found.severity == "error"] == []


def test_no_descriptor_or_thread_is_left(tmp_path: Path) -> None:
    """However children were used, recorded and replayed: when the session is over all is as it was."""

    def program() -> None:
        subprocess.run(["true"])
        os.system("true")
        subprocess.run(["echo", "x"], capture_output=True)
        asyncio.run(_cat())
        _piecemeal()

    def both() -> None:
        with testbench.record(tmp_path / "t.tape", leaks="ignore"):
            program()
        with testbench.replay(tmp_path / "t.tape"):
            program()

    def open_now() -> tuple[int, int]:
        return len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))

    both()
    settled = open_now()
    for _ in range(3):
        both()
    while open_now() > settled:  # a thread of ours is about to see the end of what it reads
        pass
    assert open_now() == settled


@pytest.mark.parametrize("number", [9, 15])
def test_a_killed_recorder_leaves_child_and_tape(number: int, tmp_path: Path) -> None:
    """The child lives on, as it does without us; what was on the tape when it was waited for can be recovered."""
    source = (
        "import subprocess, sys, testbench\n"
        "with testbench.record(sys.argv[1]):\n"
        "    subprocess.run(['true'], capture_output=True)\n"
        "    child = subprocess.Popen(['cat'], stdin=-1, stdout=-1)\n"
        "    other = subprocess.Popen(['cat'], stdin=-1, stdout=-1)\n"
        "    print(child.pid, flush=True)\n"
        "    child.wait()\n"
    )
    argv = [sys.executable, "-c", source, str(tmp_path / "t.tape")]
    with subprocess.Popen(argv, stdout=PIPE, stdin=PIPE) as program:
        pid = int(program.stdout.readline())
        (partial,) = tmp_path.glob("t.*partial")
        while len(_ops(partial)) < 4:  # a thread of ours writes out what is older than a moment
            pass
        program.send_signal(number)
        program.stdin.close()
        assert program.wait() == -number
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 9)
    testbench.recover(partial, tmp_path / "whole.tape")
    assert _ops(tmp_path / "whole.tape") == ["spawn", "communicate", "spawn", "spawn"]


def _ops(path: Path) -> list[str]:
    try:
        with testbench.open_tape(path) as tape:
            return [event.op for event in tape if event.kind == "process"]
    except NotATapeError:
        return []  # empty yet


def test_without_proc_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where descriptors cannot be looked up no session begins, and the error names what to do."""
    monkeypatch.setattr(process, "_DESCRIPTORS", "/nowhere")
    with pytest.raises(UnsupportedError, match="mount /proc"), testbench.record(tmp_path / "t.tape"):
        pass
