"""What the machine and the process are: asked three ways, the last on a machine that is another one."""

from __future__ import annotations

import _socket
import concurrent.futures
import getpass
import os
import pathlib
import platform
import pwd
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

import testbench
from testbench.errors import DivergenceError
from testbench.inplace import Redirect

ELSEWHERE = os.uname_result(("Minix", "elsewhere", "1", "2", "pdp11"))


def no_account(uid: int) -> None:
    """Know nobody."""
    raise KeyError(f"getpwuid(): uid not found: {uid}")


def no_login() -> str:
    """Have no terminal."""
    raise OSError(6, "No such device or address")


FORGED: dict[Callable[..., Any], Callable[..., Any]] = {
    os.uname: lambda: ELSEWHERE,
    os.cpu_count: lambda: 77,
    os.getuid: lambda: 4711,
    os.geteuid: lambda: 4712,
    os.getgid: lambda: 4713,
    os.getegid: lambda: 4714,
    os.getlogin: no_login,
    os.getloadavg: lambda: (7.0, 7.0, 7.0),
    os.sched_getaffinity: lambda pid: {0, 5, 76},
    pwd.getpwuid: no_account,
    _socket.gethostname: lambda: "elsewhere",
}


@contextmanager
def elsewhere(**changed: str | None) -> Iterator[None]:
    """Be on another machine, with other variables and in another directory."""
    cwd = os.getcwd()
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as place:
        for function, instead in FORGED.items():
            redirect = Redirect(function)
            stack.callback(redirect.restore)
            redirect.to(instead)
        for name, value in changed.items():
            patch.delenv(name, raising=False) if value is None else patch.setenv(name, value)
        os.chdir(place)
        try:
            yield
        finally:
            os.chdir(cwd)


def login() -> str:
    """Return the login name, or what came instead."""
    try:
        return os.getlogin()
    except OSError as error:
        return f"{type(error).__name__} {error.errno}"


def machine() -> Any:
    """Ask for everything that functions tell."""
    return (
        *(os.getcwd(), os.getcwdb(), os.uname(), os.cpu_count(), os.sched_getaffinity(0)),
        *(os.getuid(), os.geteuid(), os.getgid(), os.getegid(), login(), pwd.getpwuid(os.getuid())),
        *(_socket.gethostname(), platform.node(), platform.system(), platform.release(), platform.platform()),
        *(pathlib.Path.cwd(), os.path.abspath("x"), pathlib.Path("x").absolute(), getpass.getuser()),
    )


def ops(tape: Path) -> list[str]:
    """Return the ops of what a tape holds of this kind."""
    return [event.op for event in testbench.open_tape(tape).events(kind="environ")]


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """Return where the tape goes."""
    return tmp_path / "environ.tape"


@pytest.mark.parametrize("interception", ["in-place", "name"])
def test_the_machine_of_the_recording_is_told_on_another_one(tape: Path, interception: Any) -> None:
    """All functions give what they give without a session, and on replay what they gave."""
    stock = machine()
    with testbench.record(tape, interception=interception, leaks="ignore"):
        recorded = machine()
    with elsewhere(), testbench.replay(tape, interception=interception, leaks="ignore"):
        replayed = machine()
    assert recorded == stock
    assert replayed == recorded
    assert list(map(type, replayed)) == list(map(type, stock))


def test_load_averages_are_those_of_the_recording(tape: Path) -> None:
    """They change by themselves, and are a tuple of floats again."""
    with testbench.record(tape):
        recorded = os.getloadavg()
    with elsewhere(), testbench.replay(tape):
        assert os.getloadavg() == recorded


def test_a_failure_is_told_too(tape: Path) -> None:
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


def test_a_program_that_asks_nothing_has_no_event(tape: Path) -> None:
    """Modules that look for themselves (imports, temporary files) are not the program."""
    with testbench.record(tape):
        tempfile.gettempdir()
        sys.modules.pop("this_is_no_module", None)
        with pytest.raises(ImportError):
            __import__("this_is_no_module")
    assert ops(tape) == []


def test_everything_is_restored(tape: Path) -> None:
    """After a session, also one that raised, functions, methods and the caches of `platform` are as they were."""
    platform.uname()
    methods = ("__getitem__", "__setitem__", "__delitem__", "__iter__", "__len__")
    before = [vars(os._Environ)[name] for name in methods], platform._uname_cache, dict(platform._platform_cache)  # type: ignore[attr-defined]
    with pytest.raises(RuntimeError, match="on purpose"), testbench.record(tape):
        platform.platform()
        raise RuntimeError("on purpose")
    after = [vars(os._Environ)[name] for name in methods], platform._uname_cache, dict(platform._platform_cache)  # type: ignore[attr-defined]
    assert after == before
    with elsewhere():
        assert os.uname() == ELSEWHERE


def test_one_asks_something_else_on_replay(tape: Path) -> None:
    """It is a divergence that names both."""
    with testbench.record(tape):
        os.uname()
    with pytest.raises(DivergenceError, match=r"environ\.cpu_count"), testbench.replay(tape):
        os.cpu_count()


def test_the_way_back_leads_to_where_it_is_now(tape: Path, tmp_path: Path) -> None:
    """A program that goes to a directory and back ends where it began, though it is told that it is elsewhere."""
    there = tmp_path / "there"
    there.mkdir()

    def program() -> tuple[str, str, str]:
        before = os.getcwd()
        os.chdir(there)
        inside = os.getcwd()
        os.chdir(pathlib.Path(before))
        return before, inside, os.getcwd()

    with testbench.record(tape):
        recorded = program()
    with elsewhere():
        here = os.getcwd()
        with testbench.replay(tape):
            assert program() == recorded
        assert os.getcwd() == here


def test_threads_ask_each_for_itself(tape: Path) -> None:
    """Every thread has its events, so that it does not matter which one is first."""

    def program() -> list[Any]:
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            return list(pool.map(lambda _: (os.uname(), os.environ.get("TZ"), os.environ.get("TZ")), range(8)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "Mars/Olympus")
        with testbench.record(tape):
            recorded = program()
    with elsewhere(TZ=None), testbench.replay(tape):
        assert program() == recorded


def test_a_thread_from_before_is_left_alone(tape: Path) -> None:
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
    assert ops(tape) == []


def test_nested_sessions_are_told_alike(tmp_path: Path) -> None:
    """Both tapes hold what was asked, and each replays alone."""
    outer, inner = tmp_path / "outer.tape", tmp_path / "inner.tape"

    def program() -> Any:
        return os.uname(), os.environ.get("LANG"), os.getcwd(), "LANG" in dict(os.environ)

    with testbench.record(outer), testbench.record(inner):
        recorded = program()
    assert ops(outer) == ops(inner) == ["uname", "get", "getcwd", "all"]
    for tape in (outer, inner):
        with elsewhere(LANG="xx"), testbench.replay(tape):
            assert program() == recorded


def test_a_whole_program_is_replayed_elsewhere(tape: Path, tmp_path: Path) -> None:
    """On the command line, in a process of its own each time."""
    code = "import os, argparse; print(os.environ.get('TERM'), os.getcwd(), argparse.ArgumentParser('x').format_help())"
    program = [sys.executable, "-c", code]
    there = tmp_path / "there"
    there.mkdir()
    begin = [sys.executable, "-m", "testbench"]
    first = {**os.environ, "TERM": "vt100", "COLUMNS": "30", "PYTHONPATH": os.pathsep.join(sys.path)}
    other = {**first, "TERM": "xterm", "COLUMNS": "200"}
    recorded = subprocess.run(
        [*begin, "record", "-o", tape, "--", *program], env=first, cwd=tmp_path, capture_output=True, check=True
    )
    replayed = subprocess.run(
        [*begin, "replay", tape, "--", *program], env=other, cwd=there, capture_output=True, check=True
    )
    assert recorded.stdout.startswith(b"vt100 " + os.fsencode(tmp_path))
    assert replayed.stdout == recorded.stdout
