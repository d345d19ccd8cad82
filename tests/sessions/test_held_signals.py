"""A handler that raises while a session opens or closes runs after that, and leaves nothing half done."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import testbench
from testbench.inplace.held import signals_held, sleep_unheld
from testbench.tape import TapeFile


class RangError(Exception):
    """What the handler raises."""


@pytest.fixture(autouse=True)
def _handler() -> Iterator[None]:
    def ring(*_: Any) -> None:
        raise RangError

    before = signal.signal(signal.SIGUSR1, ring)
    yield
    signal.signal(signal.SIGUSR1, before)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Give a function that lets a signal come once, in the midst of a method of `TapeFile`."""

    def put(name: str) -> None:
        original = getattr(TapeFile, name)

        def method(*args: Any) -> Any:
            os.kill(os.getpid(), signal.SIGUSR1)
            monkeypatch.undo()
            return original(*args)

        monkeypatch.setattr(TapeFile, name, method)

    return put


def test_while_a_recording_opens(tmp_path: Path, at: Callable[[str], None]) -> None:
    """It is closed again, the tape is set aside, and the next recording is not told that somebody writes it."""
    at("create")
    with pytest.raises(RangError), testbench.record(tmp_path / "a.tape"):
        pytest.fail("the block does not run")
    assert os.listdir(tmp_path) == ["a.tape.failed"]
    with testbench.record(tmp_path / "a.tape"):
        pass
    assert (tmp_path / "a.tape").exists()


def test_while_a_recording_closes(tmp_path: Path, at: Callable[[str], None]) -> None:
    """The tape is whole by the time when the handler raises."""
    at("commit")
    session = testbench.record(tmp_path / "a.tape").open()
    with pytest.raises(RangError):
        session.close()
    assert testbench.check(tmp_path / "a.tape") == []
    assert not session.is_open


def test_while_lanes_are_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends this wait at once; the world is given back, and the tape is set aside."""
    session = testbench.record(tmp_path / "a.tape").open()
    monkeypatch.setattr(session._mode, "settle", lambda: os.kill(os.getpid(), signal.SIGUSR1))
    with pytest.raises(RangError):
        session.close()
    assert not session.is_open
    assert os.listdir(tmp_path) == ["a.tape.failed"]


def test_a_wait_in_the_midst_lets_them_come() -> None:
    """Who waits for another process to record the tape can be interrupted; what the program blocks stays blocked."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    with signals_held():
        with signals_held():
            os.kill(os.getpid(), signal.SIGUSR1)
        with pytest.raises(RangError):
            sleep_unheld(0)
        assert signal.SIGUSR1 in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    assert signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR2}) == {signal.SIGUSR2}
