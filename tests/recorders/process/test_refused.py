"""What cannot be recorded is reported, goes through, and is refused on replay; nothing is quietly wrong."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import warnings
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import pytest

import testbench
from testbench.errors import RefusedError, UnsupportedError, UsageError
from testbench.recorders.process import Process


def _foreign_socket() -> Any:
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind("")  # unix(7): a name is made up
        server.listen()
        client.connect(server.getsockname())
        return Popen(["true"], stdin=client).wait()


REFUSED: dict[str, Any] = {
    "foreign_channel_as_stdin": _foreign_socket,
}


@pytest.mark.parametrize(("op", "program"), REFUSED.items())
def test_unrecorded_way_is_reported_and_refused(op: str, program: Any, tmp_path: Path) -> None:
    """It happens as it would without us, is named with its line, and is refused on replay before anything happens."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stock = program()
        session = testbench.record(tmp_path / "t.tape", leaks="ignore").open()
        assert program() == stock
        session.close()
        assert _is_refused(program, tmp_path / "t.tape", op)
        gc.collect()  # what the refusal has torn down complains of that now, not in a later test
    leak = session.leaks[-1]
    assert leak.name == f"process.{op}"
    assert leak.where.startswith(__file__)
    assert leak.where.endswith(program.__name__)


def _is_refused(program: Any, tape: Path, op: str) -> bool:
    with pytest.raises(RefusedError, match=op), testbench.replay(tape):
        program()
    return True


def test_multiprocessing_spawn_is_refused(tmp_path: Path) -> None:
    """A process that multiprocessing starts below subprocess is reported as well."""

    def program() -> int:
        return multiprocessing.util.spawnv_passfds(b"/bin/true", [b"true"], ())

    with pytest.warns(testbench.LeakWarning, match="fork_exec"), testbench.record(tmp_path / "t.tape"):
        os.waitpid(program(), 0)
    with pytest.raises(RefusedError, match="fork_exec"), testbench.replay(tmp_path / "t.tape"):
        program()


def test_older_child_is_reported(tmp_path: Path) -> None:
    """What is asked of a child that was started before the session is reported and goes through."""
    child = Popen(["cat"], stdin=PIPE, stdout=PIPE)
    session = testbench.record(tmp_path / "t.tape").open()
    assert child.communicate(b"x") == (b"x", None)
    assert child.returncode == 0
    with pytest.warns(testbench.LeakWarning, match="communicate_of_older_child"):
        session.close()
    with pytest.raises(RefusedError), testbench.replay(tmp_path / "t.tape"):
        child.communicate()


def test_abandoned_child_is_no_event(ways: Any) -> None:
    """Dropping a Popen whose child still runs warns as ever, is no event, and on replay asks nobody about its pid."""

    def program(place: Path) -> Any:
        children = [Popen(["cat", f"{place}/fifo"])]
        with pytest.warns(ResourceWarning, match="subprocess .* is still running"):
            children.clear()
        subprocess._cleanup()

    ways.record(program)
    assert ways.ops() == ["spawn"]
    ways.replay(program)
    (left,) = subprocess._active  # the real one, of the recording
    left.kill()
    left.wait()
    subprocess._cleanup()
    assert subprocess._active == []


def test_replayed_child_cannot_outlive_its_session(ways: Any) -> None:
    """A replayed child that nobody waited for is refused after the session: the system is not asked about its pid."""
    kept: list[Any] = []

    def program(place: Path) -> Any:
        kept.append(Popen(["cat"], stdin=PIPE))

    ways.record(program)
    assert kept[0].communicate() == (None, None)
    ways.replay(program)
    for ask in (kept[1].wait, kept[1].poll, kept[1].kill):
        with pytest.raises(UnsupportedError, match="replayed by a session that has ended"):
            ask()
    kept[1].stdin.close()
    kept[1].returncode = 0


def test_replay_signals_nobody(ways: Any) -> None:
    """A pid from a tape may belong to somebody else by now, and gets no signal."""

    def program(place: Path) -> Any:
        child = Popen(["cat", f"{place}/fifo"], start_new_session=True)
        os.kill(child.pid, 0)
        os.killpg(child.pid, 9)
        child.kill()
        return child.wait()

    assert ways.record(program) == ("returned", -9)
    assert ways.replay(program) == ("returned", -9)  # in which os.kill and os.killpg raise
    assert ways.ops()[:3] == ["spawn", "kill", "killpg"]


def test_signals_to_oneself_are_no_crossings(ways: Any) -> None:
    """A program that signals itself, or asks for its own group, does so for real in both modes."""
    heard: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: heard.append(number))
    try:
        with testbench.record(ways.tape, leaks="ignore"):  # that a handler ran is listed, whoever sent the signal
            os.kill(os.getpid(), signal.SIGUSR1)
            assert os.getpgid(0) == os.getpgrp()
        with testbench.replay(ways.tape):
            os.kill(os.getpid(), signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert heard == [signal.SIGUSR1] * 2


def test_strange_popen_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An interpreter whose Popen starts children with other parameters is refused, and nothing is left redirected."""
    before = dict(vars(Popen))
    monkeypatch.setattr(Popen, "_execute_child", lambda self, args: None)
    with pytest.raises(UnsupportedError, match="expected those of CPython"), testbench.record(tmp_path / "t.tape"):
        pass
    monkeypatch.undo()
    assert dict(vars(Popen)) == before


def test_everything_is_restored(tmp_path: Path) -> None:
    """After a session, also one that raised, Popen is what it was."""
    before = dict(vars(Popen))
    with pytest.raises(ZeroDivisionError), testbench.record(tmp_path / "t.tape"):
        subprocess.run(["true"])
        raise ZeroDivisionError
    assert dict(vars(Popen)) == before
    assert subprocess.run(["false"]).returncode == 1


def test_door_without_session_is_refused() -> None:
    """A recorder that is not installed runs nothing."""
    with pytest.raises(UsageError, match="inside a session"):
        Process().run(["true"])


def test_recorder_is_installed_once(tmp_path: Path) -> None:
    """One recorder object serves one session at a time."""
    recorder = Process()
    with (
        testbench.record(tmp_path / "t.tape", recorders=[recorder]),
        pytest.raises(UsageError, match="new Process"),
        testbench.record(tmp_path / "u.tape", recorders=[recorder]),
    ):
        pass


def test_door_does_the_same(tmp_path: Path) -> None:
    """``session.process.run`` is ``subprocess.run``, recorded and replayed."""
    seen = []
    for open_session in (testbench.record, testbench.replay):
        with open_session(tmp_path / "t.tape") as session:
            seen.append(vars(session.process.run([sys.executable, "-c", "print(1)"], capture_output=True)))
    assert seen[0] == seen[1]
    assert seen[0]["stdout"] == b"1\n"


def test_strangers_are_not_signalled_on_replay(ways: Any) -> None:
    """Whether another process, such as the parent, is there is an event, since it may be another one on replay."""

    def program(place: Path) -> Any:
        told = [os.kill(os.getppid(), 0)]
        try:
            os.kill(4_194_305, 0)  # Linux gives no such pid
        except ProcessLookupError as error:
            told.append(error.errno)
        return told

    assert ways.record(program) == ways.replay(program)
    assert [event.request["child"] for event in ways.events()] == ["parent", {"pid": 4_194_305}]


@pytest.mark.parametrize("name", ["_save_input", "_internal_poll"])
def test_unknown_popen_is_refused(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An interpreter whose Popen lacks what we build on is refused."""
    monkeypatch.delattr(Popen, name)
    with pytest.raises(UnsupportedError, match=f"no {name}"), testbench.record(tmp_path / "t.tape"):
        pass
