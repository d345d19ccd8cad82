"""Lanes that are treated roughly: by exceptions, by the end of the interpreter, by finalisers, while importing."""

from __future__ import annotations

import gc
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import testbench
from testbench import boundary
from testbench.inplace import real
from testbench.inplace.own import OWN_THREADS
from testbench.sessions._baton import Baton
from testbench.sessions._lanes import Lane


@boundary
def ask(what: Any) -> Any:
    """Give back what was asked."""
    return what


def _twice(tape: Path, program: Callable[[], Any]) -> Any:
    """Record and replay a program, byte for byte; return what it gives."""
    again = tape.with_name("again.tape")
    with testbench.record(tape):
        recorded = program()
    with testbench.replay(tape, rerecord=again):
        assert program() == recorded
    assert again.read_bytes() == tape.read_bytes()
    return recorded


def test_a_lane_that_raises_ends_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception that nobody catches ends its thread, in both modes, and the others go on."""
    caught: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", lambda hooked: caught.append(repr(hooked.exc_value)))

    def program() -> Any:
        done: list[Any] = []

        def work(number: int) -> None:
            done.append(ask(number))
            if number % 2:
                raise LookupError(number)
            done.append(time.time())

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return done

    _twice(tmp_path / "t.tape", program)
    assert sorted(caught) == sorted(2 * ["LookupError(1)", "LookupError(3)"])


_KILLED = """
import threading, time

def work():
    while True:
        time.sleep(0.001)
        time.time()

for _ in range(3):
    threading.Thread(target=work, daemon=True).start()
for _ in range(5):
    time.sleep(0.002)
print(time.time())
"""


def test_lanes_that_the_end_of_the_interpreter_kills_are_on_the_tape(tmp_path: Path) -> None:
    """Daemon threads are in the middle of things when the program ends; what they did before replays."""
    (tmp_path / "killed.py").write_text(_KILLED)
    program = ["--", sys.executable, "killed.py"]

    def run(*words: str) -> str:
        command = [sys.executable, "-m", "testbench", *words, *program]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert run("record", "-o", "t.tape") == run("replay", "t.tape")


def test_finalisers_and_collector_callbacks_may_cross_in_any_lane(tmp_path: Path) -> None:
    """What ``__del__`` and ``gc.callbacks`` ask, where the program itself brings them about, is on the tape."""

    class Asking:
        def __init__(self, done: list[Any]) -> None:
            self.done = done
            self.itself = self

        def __del__(self) -> None:
            self.done.append(ask("finaliser"))

    def program() -> Any:
        done: list[Any] = []

        def callback(phase: str, _: Any) -> None:
            if phase == "stop" and threading.current_thread() is not threading.main_thread():
                done.append(time.monotonic_ns() > 0)

        def work() -> None:
            Asking(done)
            gc.collect()
            done.append(ask("end"))

        threads = [threading.Thread(target=work) for _ in range(2)]
        gc.collect()
        gc.disable()
        gc.callbacks.append(callback)
        try:
            for thread in threads:
                thread.start()
                thread.join()  # a collection during another one does nothing
        finally:
            gc.callbacks.remove(callback)
            gc.enable()
        return done

    assert _twice(tmp_path / "t.tape", program).count("finaliser") == 2


_IMPORTED = """
import threading, time
from test_rough_lanes_asks import ask

found = []

def work():
    found.append(ask("in a thread that was started while importing"))

thread = threading.Thread(target=work)
thread.start()
found.append(ask("while importing"))
time.sleep(0.001)
thread.join()
"""

_ASKS = """
import testbench

@testbench.boundary
def ask(what):
    return what
"""


def test_lanes_cross_while_modules_are_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock of a module is held by the lane that imports it; another that wants the module waits for it."""
    (tmp_path / "test_rough_lanes_module.py").write_text(_IMPORTED)
    (tmp_path / "test_rough_lanes_asks.py").write_text(_ASKS)
    monkeypatch.syspath_prepend(tmp_path)

    def program() -> Any:
        found: list[Any] = []

        def work() -> None:
            import test_rough_lanes_module  # type: ignore[import-not-found]

            found.append(list(test_rough_lanes_module.found))

        sys.modules.pop("test_rough_lanes_module", None)
        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return [sorted(each) for each in found]

    expected = ["in a thread that was started while importing", "while importing"]
    assert _twice(tmp_path / "t.tape", program) == 3 * [expected]


def test_a_join_that_can_never_end_is_refused_as_ever(tmp_path: Path) -> None:
    """Whoever joins itself, or what was never started, is told so at once and does not wait."""

    def program() -> Any:
        told: list[str] = []

        def join(thread: threading.Thread) -> None:
            try:
                thread.join()
            except RuntimeError as error:
                told.append(str(error))

        threads = [threading.Thread(target=lambda: join(threading.current_thread()))]
        if hasattr(threads[0], "_handle"):  # since CPython 3.13; below `Thread`, which says something itself
            never: Any = type(threads[0]._handle)()
            threads.append(threading.Thread(target=lambda: join(never)))
        for thread in threads:
            thread.start()
            thread.join()
        join(threading.Thread())
        return told

    told = program()
    assert len(told) >= 2
    assert _twice(tmp_path / "t.tape", program) == told


def _diverges(tape: Path, program: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> testbench.DivergenceError:
    monkeypatch.setattr(threading, "excepthook", lambda hooked: None)  # it may be raised in any thread
    before = {*sys._current_frames()}
    with pytest.raises(testbench.DivergenceError) as caught, testbench.replay(tape):
        program()
    # Joining does not do: after an error in `Thread.join` CPython up to 3.12 takes a thread for one that has ended.
    while sys._current_frames().keys() - before - OWN_THREADS:
        pass
    return caught.value


def _in_threads(*asked: str) -> None:
    threads = [threading.Thread(target=ask, args=(what,)) for what in asked]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_more_lanes_than_recorded_are_a_divergence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The start of a lane that the tape does not have is refused by name, and `threading` counts no such thread."""
    tape, before = tmp_path / "t.tape", threading.active_count()
    with testbench.record(tape):
        _in_threads("one", "two")
        ask("end")
    told = _diverges(tape, lambda: (_in_threads("one", "two"), _in_threads("three"), ask("end")), monkeypatch)
    assert "the program started the lane main.3" in str(told)
    assert threading.active_count() == before


def test_a_lane_that_never_starts_is_a_divergence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the tape has of a lane that the program does not start any more is told by name."""
    tape = tmp_path / "t.tape"
    with testbench.record(tape):
        _in_threads("one", "two")
    told = _diverges(tape, lambda: _in_threads("one"), monkeypatch)
    assert "the next event, lane.start of main.2, belongs to main" in str(told)


def test_a_thread_that_the_tape_has_never_seen_is_a_divergence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that was there before the session makes a crossing that it did not make when it was recorded."""
    tape, go_on, done = tmp_path / "t.tape", threading.Event(), queue.SimpleQueue()

    def work() -> None:
        go_on.wait()
        try:
            ask("unforeseen")
        except testbench.DivergenceError as error:
            done.put(str(error))

    with testbench.record(tape):
        ask("one")
        ask("two")
    thread = threading.Thread(target=work)
    thread.start()

    def program() -> None:
        ask("one")
        go_on.set()
        thread.join()
        ask("two")

    told = _diverges(tape, program, monkeypatch)
    assert "other.1" in str(told)
    assert "other.1" in done.get(timeout=60)  # CPython 3.11 takes a thread for ended when its join has raised
    thread.join()


def test_a_signal_that_comes_while_a_thread_starts_waits_until_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a handler asks lets the next lane run: that must not be one whose thread has yet to be started."""
    start = Baton.start

    def start_with_signal(baton: Baton, lane: Lane) -> None:
        start(baton, lane)
        real.kill(real.getpid(), signal.SIGUSR1)  # on replay it comes where the tape has it, and only there

    monkeypatch.setattr(Baton, "start", start_with_signal)
    told: list[str] = []
    before = signal.signal(signal.SIGUSR1, lambda *_: told.append(ask("handler")))

    def program() -> list[str]:
        told.clear()
        _in_threads("work")
        return list(told)

    try:
        assert _twice(tmp_path / "t.tape", program) == ["handler"]
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_threads_that_go_on_while_a_session_ends_are_told_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They make their first crossings just when the recording is finished, and these are simply the world's."""
    told: list[object] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: told.append(args.exc_value))
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            time.time()
            time.monotonic()

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    with testbench.record(tmp_path / "run.tape", leaks="ignore"):
        time.time()
    stop.set()
    for thread in threads:
        thread.join()
    assert told == []
    assert [finding for finding in testbench.check(tmp_path / "run.tape") if finding.severity == "error"] == []
