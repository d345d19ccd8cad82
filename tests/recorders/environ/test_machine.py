"""What the machine and the process are: asked as it is, recorded, and replayed on a machine that is another one."""

from __future__ import annotations

import _socket
import concurrent.futures
import getpass
import logging
import multiprocessing
import os
import platform
import pwd
import threading
from pathlib import Path
from typing import Any

import pytest

import testbench
from testbench.inplace import Redirect


def login() -> str:
    """Return the login name, or what came instead."""
    try:
        return os.getlogin()
    except OSError as error:
        return f"{type(error).__name__} {error.errno}"


def machine() -> Any:
    """Ask for everything that functions tell."""
    return (
        *(os.getcwd(), os.getcwdb(), os.uname(), os.cpu_count(), os.sched_getaffinity(0), os.getpid(), os.getppid()),
        *(os.getuid(), os.geteuid(), os.getgid(), os.getegid(), login(), pwd.getpwuid(os.getuid())),
        *(_socket.gethostname(), platform.node(), platform.system(), platform.release(), pwd.getpwnam("root")),
        *(Path.cwd(), os.path.abspath("x"), Path("x").absolute(), getpass.getuser(), multiprocessing.cpu_count()),
    )


@pytest.mark.parametrize("interception", ["in-place", "name"])
def test_the_machine_of_the_recording_is_told_on_another_one(tape: Path, elsewhere: Any, interception: Any) -> None:
    """All functions give what they give without a session, and on replay what they gave."""
    stock = machine()
    with testbench.record(tape, interception=interception, leaks="ignore"):
        recorded = machine()
    with elsewhere(), testbench.replay(tape, interception=interception, leaks="ignore"):
        replayed = machine()
    assert recorded == stock
    assert replayed == recorded
    assert list(map(type, replayed)) == list(map(type, stock))


def test_a_fact_is_one_event_however_often_it_is_asked(tape: Path, told: Any) -> None:
    """Asking again, or in another thread, adds nothing."""
    with testbench.record(tape):
        for _ in range(3):
            os.cpu_count(), os.uname()
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda _: os.uname(), range(4)))
    assert [op for op, _ in told()] == ["cpu_count", "uname"]


def test_a_failure_is_told_too(tape: Path, elsewhere: Any) -> None:
    """Where the machine had no answer, the replay has none, with the same error."""
    with elsewhere(), testbench.record(tape):
        recorded = login()
        with pytest.raises(KeyError) as missing:
            pwd.getpwuid(0)
    assert recorded == "OSError 6"
    with testbench.replay(tape):
        assert login() == recorded
        with pytest.raises(KeyError) as again:
            pwd.getpwuid(0)
    assert again.value.args == missing.value.args


def test_an_answer_that_changes_is_named(tape: Path) -> None:
    """The program sees the new one while recording, and the recording says that a replay will not."""
    redirect = Redirect(os.getppid)
    answers = iter([7, 7, 7, 8, 8, 8])
    redirect.to(lambda: next(answers))
    try:
        with testbench.record(tape, leaks="ignore") as session:
            seen = [os.getppid(), os.getppid()]
            seen.append(os.getppid())
            seen.append(os.getppid())
    finally:
        redirect.restore()
    assert seen[-1] == 8
    assert [leak.name for leak in session.leaks] == ["environ.getppid"]


def test_a_fact_that_is_not_on_the_tape_is_named(tape: Path) -> None:
    """The replaying machine answers, and the session lists it with the line, so that it is not quietly another one."""
    with testbench.record(tape):
        pass
    told = r"environ\.cpu_count at .*test_machine.*the recording did not ask"
    with pytest.warns(testbench.LeakWarning, match=told), testbench.replay(tape):
        assert os.cpu_count() == os.cpu_count()


def test_a_fact_need_not_be_asked_again(tape: Path) -> None:
    """Nothing is left over."""
    with testbench.record(tape):
        os.uname(), os.cpu_count()
    with testbench.replay(tape):
        pass


def test_a_recorded_log_replays(tape: Path, elsewhere: Any) -> None:
    """Log records hold the process that made them."""

    def program() -> int | None:
        return logging.makeLogRecord({}).process or logging.LogRecord("x", 20, "f", 1, "m", (), None).process

    with testbench.record(tape):
        recorded = program()
    redirect = Redirect(os.getpid)
    redirect.to(lambda: 4716)
    try:
        with elsewhere(), testbench.replay(tape):
            assert program() == recorded
    finally:
        redirect.restore()
    assert recorded == os.getpid()


def test_everything_is_restored(tape: Path) -> None:
    """After a session, also one that raised, functions, methods and the caches of `platform` are as they were."""
    platform.uname()
    methods = ("__getitem__", "__setitem__", "__delitem__", "__iter__", "__len__")

    def state() -> Any:
        cached: Any = platform
        return [vars(os._Environ)[name] for name in methods], cached._uname_cache, dict(cached._platform_cache)

    before, clear = state(), "clear" in vars(os._Environ)
    with pytest.raises(RuntimeError, match="on purpose"), testbench.record(tape):
        platform.platform()
        raise RuntimeError("on purpose")
    assert state() == before
    assert ("clear" in vars(os._Environ)) is clear


def test_a_thread_from_before_is_left_alone(tape: Path, told: Any) -> None:
    """What asks in a thread of a test runner is no event."""
    begin, done = threading.Event(), threading.Event()

    def watch() -> None:
        begin.wait()
        os.uname(), os.environ.get("TZ"), dict(os.environ)
        done.set()

    thread = threading.Thread(target=watch)
    thread.start()
    with testbench.record(tape):
        begin.set()
        done.wait()
    thread.join()
    assert told() == []


def test_threads_are_told_alike(tape: Path, elsewhere: Any) -> None:
    """It does not matter which one asks first."""

    def program() -> list[Any]:
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            return list(pool.map(lambda _: (os.uname(), os.environ.get("TZ"), os.getpid()), range(8)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC")
        with testbench.record(tape):
            recorded = program()
        with elsewhere(TZ=None), testbench.replay(tape):
            assert program() == recorded


def test_nested_sessions_are_told_alike(tmp_path: Path, elsewhere: Any) -> None:
    """Both tapes hold what was asked, and each replays alone."""
    outer, inner = tmp_path / "outer.tape", tmp_path / "inner.tape"

    def program() -> Any:
        return os.uname(), os.environ.get("LANG"), os.getcwd(), os.getpid(), "LANG" in dict(os.environ)

    with testbench.record(outer), testbench.record(inner):
        recorded = program()
    ops = ["uname", "variable", "getcwd", "getpid", "variables"]
    for tape in (outer, inner):
        assert [event.op for event in testbench.open_tape(tape).events(kind="environ")] == ops
        with elsewhere(LANG="xx"), testbench.replay(tape):
            assert program() == recorded


def test_a_replay_within_a_recording_answers_first(tmp_path: Path, elsewhere: Any) -> None:
    """The outer tape holds what the inner session told."""
    outer, inner = tmp_path / "outer.tape", tmp_path / "inner.tape"
    with elsewhere(LANG="xx"), testbench.record(inner):
        recorded = os.cpu_count(), os.environ["LANG"]

    def program() -> Any:
        with testbench.replay(inner):
            return os.cpu_count(), os.environ["LANG"]

    with testbench.record(outer):
        assert program() == recorded
    with elsewhere(LANG="yy"), testbench.replay(outer):
        assert program() == recorded


def test_a_rerecorded_replay_is_the_same_to_the_last_byte(tape: Path, tmp_path: Path, elsewhere: Any) -> None:
    """Whatever of it the replay has asked for."""
    with testbench.record(tape):
        machine()
    with elsewhere(), testbench.replay(tape, rerecord=tmp_path / "again.tape"):
        os.getuid()
    assert (tmp_path / "again.tape").read_bytes() == tape.read_bytes()
