"""What no tape can hold happens as ever, is named with its line and a way out, and refused on replay."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import testbench

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@pytest.fixture(autouse=True)
def _no_servers() -> Iterator[None]:
    """End the helpers of multiprocessing: other tests wait for any child."""
    yield
    for name, server in (("forkserver", "_forkserver"), ("resource_tracker", "_resource_tracker")):
        module = sys.modules.get(f"multiprocessing.{name}")
        if module is not None:
            getattr(module, server)._stop()
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def _exec() -> Any:
    try:
        os.execlp("no-such-program", "no-such-program")
    except FileNotFoundError as error:
        return error.errno


def _exec_with_environment() -> Any:
    try:
        os.execle("/no/such/program", "program", {})
    except FileNotFoundError as error:
        return error.errno


def _multiprocess(method: str) -> Any:
    process = multiprocessing.get_context(method).Process(target=int)
    process.start()
    process.join()
    return process.exitcode


def _multiprocess_spawn() -> Any:
    return _multiprocess("spawn")


def _multiprocess_forkserver() -> Any:
    return _multiprocess("forkserver")


WAYS = [
    ("execv", _exec, "subprocess.run"),
    ("execve", _exec_with_environment, "subprocess.run"),
    ("fork_exec", _multiprocess_spawn, "@testbench.boundary"),
    ("multiprocessing", _multiprocess_forkserver, "@testbench.boundary"),
]


@pytest.mark.parametrize(("op", "program", "advice"), WAYS, ids=[program.__name__ for _, program, _ in WAYS])
def test_way_is_reported_and_refused(op: str, program: Any, advice: str, tmp_path: Path) -> None:
    """It works as it would without us, is named with its line and what to do instead, and never happens on replay."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stock = program()
    session = testbench.record(tmp_path / "t.tape", leaks="ignore").open()
    assert program() == stock
    session.close()
    leak = next(leak for leak in session.leaks if leak.name == f"process.{op}")
    assert leak.where.startswith(__file__)
    assert advice in str(leak)
    with pytest.raises(testbench.RefusedError, match=op) as refused, testbench.replay(tmp_path / "t.tape"):
        program()
    assert advice in str(refused.value)


def test_boundary_is_the_way_out(tmp_path: Path) -> None:
    """What a program has another process compute is recorded by a boundary around it, without a leak."""
    work = testbench.boundary(_multiprocess_spawn)
    session = testbench.record(tmp_path / "t.tape").open()
    assert work() == 0
    session.close()
    assert list(session.leaks) == []
    with testbench.replay(tmp_path / "t.tape"):
        assert work() == 0


def test_exec_leaves_no_finished_tape(tmp_path: Path) -> None:
    """A program that becomes another one while it is recorded leaves what came before, and no tape that looks whole."""
    script = tmp_path / "becomes.py"
    script.write_text(
        textwrap.dedent("""
        import os, subprocess, sys, testbench
        with testbench.record(sys.argv[1]):
            subprocess.run(["true"])
            os.execlp("echo", "echo", "another program")
        """)
    )
    tape = tmp_path / "t.tape"
    done = subprocess.run([sys.executable, str(script), str(tape)], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "another program\n")
    assert not tape.exists()
    left = testbench.open_tape(f"{tape}.partial")
    assert not left.complete
    assert [event.op for event in left.events(kind="process")] == ["spawn", "communicate"]
