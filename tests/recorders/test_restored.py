"""After a session, however it ended, everything that it redirected is what it was, to the byte."""

from __future__ import annotations

import _posixsubprocess
import _random
import _signal
import _socket
import _ssl
import _thread
import ctypes
import datetime
import inspect
import io
import os
import pickle
import posix
import queue
import random
import resource
import select
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import BuiltinFunctionType
from typing import Any

import pytest

import testbench
from testbench.inplace import _layout

MODULES = (
    _posixsubprocess,
    _random,
    _signal,
    _socket,
    _ssl,
    _thread,
    posix,
    random,
    resource,
    select,
    subprocess,
    time,
)
TYPES = (
    *(datetime.datetime, datetime.date, _random.Random, random.Random, subprocess.Popen, io.FileIO, ctypes.CDLL),
    *(_thread.LockType, _thread.RLock, queue.SimpleQueue, type(select.poll()), select.epoll, _socket.socket),
)
LIBRARY = ctypes.CDLL(None)
early_now = datetime.datetime.now


def functions() -> Iterator[BuiltinFunctionType]:
    """Give every builtin function of the modules, and one that was bound early."""
    yield early_now  # type: ignore[misc]  # typeshed sees a method
    for module in MODULES:
        yield from [value for value in vars(module).values() if type(value) is BuiltinFunctionType]


def signature(function: Any) -> str:
    """Return the signature of a function, where it has one."""
    try:
        return str(inspect.signature(function))
    except ValueError:
        return ""


def face(function: Any) -> tuple[object, ...]:
    """Return what a program can see of a builtin, and the words in memory that decide where a call goes."""
    pickled = pickle.dumps(function) if inspect.ismodule(function.__self__) else None
    told = function.__name__, function.__qualname__, function.__doc__, function.__module__, signature(function)
    return (*told, id(function.__self__), hash(function), pickled, _layout.read(function))


def state() -> tuple[object, ...]:
    """Return everything that a session may redirect, as it stands."""
    entries = [{name: id(value) for name, value in vars(each).items()} for each in (*MODULES, *TYPES)]
    kinds = {each: [*vars(each)] for each in ctypes._CFuncPtr.__subclasses__()}  # type: ignore[attr-defined]
    return [face(each) for each in functions()], entries, kinds[LIBRARY._FuncPtr], [id(each) for each in TYPES]


@pytest.fixture
def unchanged() -> Iterator[None]:
    """Compare before and after."""
    state()  # what is made when it is first looked at is there now
    before = state()
    yield
    for was, now in zip(before, state(), strict=True):
        assert was == now


def use() -> list[object]:
    """Cross boundaries of every kind that is cheap."""
    done = subprocess.run(["true"], check=True)
    drawn = [random.random(), os.urandom(4), LIBRARY.time(None)]
    return [time.time(), early_now(), datetime.datetime.now(), time.sleep(0), done.returncode, *drawn]


def record(tape: Path) -> Any:
    """Return a session that records everything."""
    return testbench.record(tape, leaks="ignore")


def normally(folder: Path) -> None:
    """Record and replay."""
    with record(folder / "a.tape"):
        recorded = use()
    with testbench.replay(folder / "a.tape"):
        assert use() == recorded


def by_exception(folder: Path) -> None:
    """Leave a recording and a replay by exceptions."""
    with pytest.raises(ZeroDivisionError), record(folder / "a.tape"):
        use()
        raise ZeroDivisionError
    with record(folder / "a.tape"):
        use()
    with pytest.raises(ZeroDivisionError), testbench.replay(folder / "a.tape"):
        use()
        raise ZeroDivisionError


def by_divergence(folder: Path) -> None:
    """Diverge."""
    with record(folder / "a.tape"):
        use()
    with pytest.raises(testbench.DivergenceError), testbench.replay(folder / "a.tape"):
        time.monotonic()


def nested(folder: Path) -> None:
    """Record within a recording, replay within a recording, and a recording within a replay; leave one by exception."""
    with record(folder / "outer.tape"):
        use()
        with record(folder / "inner.tape"):
            use()
        with pytest.raises(KeyError), record(folder / "failed.tape"):
            raise KeyError
        use()
    with testbench.replay(folder / "outer.tape"):
        use()
        with record(folder / "within.tape"):
            use()
        use()


def a_failing_recorder(folder: Path) -> None:
    """Fail to open: what was put in place before is taken away."""

    class Broken:
        kind, version, matchers = "broken", 1, {}

        def install(self, call: object) -> Any:
            raise OSError("no")

    recorders: Any = ["clock", "process", "random", "wait", "call", Broken()]
    with pytest.raises(OSError, match="no"), testbench.record(folder / "a.tape", recorders=recorders):
        pass


def in_threads(folder: Path) -> None:
    """Let threads read clocks while it ends."""
    with record(folder / "a.tape"):
        threads = [threading.Thread(target=time.time) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("end", [normally, by_exception, by_divergence, nested, a_failing_recorder, in_threads])
def test_everything_is_what_it_was(end: Callable[[Path], None], tmp_path: Path, unchanged: None) -> None:
    """Functions, entries of types and modules, classes of ctypes: words in memory, identity, faces, pickles."""
    end(tmp_path)


def test_everything_is_what_it_was_in_the_child_of_a_fork(tmp_path: Path, unchanged: None) -> None:
    """The child is out of the session at once, also of nested ones."""
    before = state()
    with record(tmp_path / "outer.tape"), record(tmp_path / "inner.tape"):
        child = os.fork()
        if not child:
            try:
                os._exit(0 if state() == before and time.time() and use() else 1)
            finally:
                os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
