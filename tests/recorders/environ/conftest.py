"""Another machine to replay on, and what is on a tape of this kind."""

from __future__ import annotations

import _socket
import os
import pwd
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

import testbench
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
    os.getppid: lambda: 4715,
    os.sched_getaffinity: lambda pid: {0, 5, 76},
    pwd.getpwuid: no_account,
    _socket.gethostname: lambda: "elsewhere",
}

Elsewhere = Callable[..., Any]


@pytest.fixture
def elsewhere(tmp_path: Path) -> Elsewhere:
    """Be on another machine, with other variables (None: without) and in another directory, while in a with block."""

    @contextmanager
    def enter(**changed: str | None) -> Iterator[None]:
        place = tmp_path / "elsewhere"
        place.mkdir(exist_ok=True)
        with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
            for function, instead in FORGED.items():
                redirect = Redirect(function)
                stack.callback(redirect.restore)
                redirect.to(instead)
            for name, value in changed.items():
                patch.setenv(name, value or "")  # so that it is undone, also where there was none
                if value is None:
                    patch.delenv(name)
            patch.chdir(place)
            yield

    return enter


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """Return where the tape goes."""
    return tmp_path / "environ.tape"


@pytest.fixture
def told(tape: Path) -> Callable[[], list[Any]]:
    """Return what gives op and request of each event of this kind on the tape."""
    return lambda: [(event.op, event.request) for event in testbench.open_tape(tape).events(kind="environ")]


KINDS = "clock process random call wait environ"
RUNNER = """
import sys, warnings
import testbench
verb, tape, program, before = sys.argv[1:5]
exec(before)
made = {"__name__": "program"}
exec(program, made)
warnings.simplefilter("error", testbench.LeakWarning)
with getattr(testbench, verb)(tape, recorders=sys.argv[5].split()):
    told = repr(made["program"]())
print(told)
"""


@pytest.fixture
def fresh(tape: Path) -> Callable[..., str]:
    """Run code that defines ``program()`` in a session of a new process; return the text of what it returns."""

    def run(
        verb: str, program: str, before: str = "", cwd: Path | None = None, kinds: str = KINDS, **changed: str | None
    ) -> str:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **changed}
        command = [sys.executable, "-c", RUNNER, verb, str(tape), program, before, kinds]
        given = {name: value for name, value in environment.items() if value is not None}
        done = subprocess.run(command, env=given, cwd=cwd, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run
