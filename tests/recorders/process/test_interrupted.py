"""Ctrl-C while a child runs: its fate, and the program's, are as without us, and nothing of ours is left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import testbench

_PROGRAM = """
import asyncio, contextlib, json, os, subprocess, sys, threading, testbench
from subprocess import PIPE, Popen

way, tape, whom = sys.argv[1:]
command = f"sleep .1; kill -INT {'$PPID' if whom == 'program' else '0'}; sleep .3; exit 7"

def communicate():
    with Popen(command, shell=True, stdout=PIPE) as child: child.communicate()
def wait():
    subprocess.Popen(command, shell=True).wait()
def read():
    with Popen(command, shell=True, stdout=PIPE) as child: os.read(child.stdout.fileno(), 10)
def write():
    with Popen(command, shell=True, stdin=PIPE) as child: child.stdin.write(bytes(1_000_000))
def run(): subprocess.run(command, shell=True, capture_output=True)
def run_to_file():
    with open(tape + ".out", "wb") as out: subprocess.run(command, shell=True, stdout=out)
def system(): return os.system(command)
def by_pid(): return os.waitpid(os.posix_spawn("/bin/sh", ["sh", "-c", command], os.environ), 0)[1]
async def of_asyncio():
    await (await asyncio.create_subprocess_shell(command, stdout=PIPE)).communicate()

def open_files():
    found = {}
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError): found[name] = os.readlink("/proc/self/fd/" + name)
    return found

before, seen = open_files(), []
try:
    with testbench.record(tape, leaks="ignore") if way == "record" else contextlib.nullcontext():
        seen.append(PROGRAM)
except KeyboardInterrupt:
    seen.append("KeyboardInterrupt")
try:
    seen.append("lived on" if os.waitstatus_to_exitcode(os.wait()[1]) == 7 else "died")
except ChildProcessError:
    seen.append("died")
while len(os.listdir("/proc/self/task")) > 1 and way == "record": pass  # they are done with the child's end
seen.append(sorted(path.split(":")[0] for number, path in open_files().items() if number not in before))
print(json.dumps(seen))
"""

_CALLS = {
    "communicate": "communicate()",
    "wait": "wait()",
    "read": "read()",
    "write": "write()",
    "run": "run()",
    "run to a file": "run_to_file()",
    "system": "system()",
    "by pid": "by_pid()",
    "asyncio": "asyncio.run(of_asyncio())",
}


def _interrupted(name: str, way: str, tape: Path, whom: str) -> Any:
    argv = [sys.executable, "-c", _PROGRAM.replace("PROGRAM", _CALLS[name]), way, str(tape), whom]
    ran = subprocess.run(argv, capture_output=True, timeout=60, start_new_session=True)
    return json.loads(ran.stdout)


@pytest.mark.parametrize("whom", ["program", "group"])
@pytest.mark.parametrize("name", _CALLS)
def test_an_interrupt_has_the_same_consequences(name: str, whom: str, tmp_path: Path) -> None:
    """The program sees what it would see, the child ends as it would, no descriptor or thread of ours is left."""
    tape = tmp_path / "t.tape"
    *seen, left = _interrupted(name, "record", tape, whom)
    *expected, left_by_python = _interrupted(name, "stock", tape, whom)
    compared = 1 if name == "asyncio" else 2  # a thread of asyncio waits for the child too
    assert seen[:compared] == expected[:compared]
    assert left in ([], left_by_python, ["pipe"] if name == "asyncio" else [])  # asyncio loses one, now and then
    (kept,) = (path for path in tmp_path.glob("t.tape*") if path.suffix != ".out")
    assert [finding for finding in testbench.check(kept) if finding.severity == "error"] == []
    with testbench.open_tape(kept) as opened:
        assert "process.spawn" in {f"{event.kind}.{event.op}" for event in opened} or name == "system"


def test_a_child_that_outlives_the_program_keeps_its_streams(tmp_path: Path) -> None:
    """What it writes after the program has ended arrives where it would have, and it never meets a broken pipe."""
    source = (
        "import os, subprocess, sys, testbench\n"
        "with testbench.record(sys.argv[1], leaks='ignore'):\n"
        "    child = subprocess.Popen('read x; echo late; echo too >&2; seq 50000; echo $? >&2', shell=True)\n"
        "    child.returncode = 0\n"
    )
    read_end, write_end = os.pipe()
    argv = [sys.executable, "-c", source, str(tmp_path / "t.tape")]
    with subprocess.Popen(argv, stdin=read_end, stdout=-1, stderr=-1) as program:
        os.close(read_end)
        os.waitid(os.P_PID, program.pid, os.WEXITED | os.WNOWAIT)
        os.write(write_end, b"go on\n")
        os.close(write_end)
        out, err = program.communicate()
    assert out == b"late\n" + b"".join(b"%d\n" % number for number in range(1, 50_001))
    assert err == b"too\n0\n"
