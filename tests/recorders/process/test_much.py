"""A child that writes more than the program ever holds: memory stays bounded, and not a byte is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import pytest

from testbench.processes import processes
from testbench.recorders.process._spool import Spool

_MEBIBYTES = 48
_WRITE = f"head -c {_MEBIBYTES << 20} /dev/urandom"

_ENDLESS = ["sh", "-c", "while :; do echo y; done"]
"""Slow enough to fill no disk on a busy machine, where seconds pass before it is killed."""

_PROGRAMS = {
    "file": "with open(sys.argv[3], 'wb') as file: subprocess.run(child, shell=True, stdout=file)",
    "inherited": "subprocess.run(child, shell=True)",
    "system": "os.system(child)",
    "by pid": "os.waitpid(os.posix_spawn('/bin/sh', ['sh', '-c', child], os.environ), 0)",
    "piecemeal": (
        "with subprocess.Popen(child, shell=True, stdout=-1) as started:\n"
        "    while data := os.read(started.stdout.fileno(), 65536): sys.stdout.buffer.write(data)"
    ),
}

_MEASURE = """
import os, re, subprocess, sys, testbench
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
way, child = getattr(testbench, sys.argv[1]), {child!r}
with way(sys.argv[2]): subprocess.run("true")
with way(sys.argv[2] + ".much"):
    before = peak()
    {program}
    sys.stdout.flush()
    print((peak() - before) // 1024, file=sys.stderr)
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", _PROGRAMS)
def test_memory_is_bounded_however_much_a_child_writes(name: str, tmp_path: Path) -> None:
    """Recorded and replayed, the program needs but a part of what its child writes, and all of it arrives."""
    source = _MEASURE.format(child=_WRITE, program=_PROGRAMS[name].replace("\n", "\n    "))
    found = []
    for way in ("record", "replay"):
        argv = [sys.executable, "-c", source, way, str(tmp_path / "t.tape"), str(tmp_path / "file")]
        ran = subprocess.run(argv, capture_output=True, check=True)
        assert int(ran.stderr) < 30, way
        found.append((tmp_path / "file").read_bytes() if name == "file" else ran.stdout)
    assert found[0] == found[1]
    assert len(found[0]) == _MEBIBYTES << 20


def test_what_does_not_fit_is_told_in_events_of_its_own(ways: Any) -> None:
    """An outcome carries 4 MiB of a stream; op ``output`` brings the rest, and folding puts it together."""

    def program(place: Path) -> Any:
        with open(place / "out", "wb") as out:
            status = subprocess.call("head -c 10000000 /dev/zero; echo end", shell=True, stdout=out)
        return status, (place / "out").read_bytes()

    status, content = ways.agree(program)[1]
    assert (status, len(content)) == (0, 10_000_004)
    assert ways.ops() == ["spawn", "communicate", "output", "output"]
    (process,) = processes(ways.events())
    assert process.stdout == content


def test_a_child_that_never_ends_to_write_is_looked_at_up_to_now(ways: Any) -> None:
    """To poll brings what the child had written by then; what it writes meanwhile is for the next time."""

    def program(place: Path) -> Any:
        with open(place / "out", "wb") as out, Popen(_ENDLESS, stdin=PIPE, stdout=out) as child:
            assert [child.poll() for _ in range(50)] == [None] * 50
            child.kill()
            child.wait()
        return (place / "out").stat().st_size

    recorded = ways.record(program)
    assert ways.replay(program) == recorded


def test_spool_gives_back_what_it_was_given() -> None:
    """In order, whatever the pieces, by memory or by file."""
    spool, data = Spool(), os.urandom(5_000_000)
    for start in range(0, len(data), 300_000):
        spool.put(data[start : start + 300_000])
    assert len(spool) == len(data)
    parts = [spool.get(700_001)]
    spool.put(b"more")
    while len(spool):
        parts.append(spool.get(700_001))
    assert b"".join(parts) == data + b"more"
    spool.close()


def test_spool_keeps_in_memory_what_no_disk_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no file can be made nothing is lost."""
    monkeypatch.setenv("TMPDIR", "/nowhere")
    monkeypatch.setattr("testbench.recorders.process._spool._ALWAYS", ("/nowhere",))
    spool, data = Spool(), bytes(3_000_000)
    spool.put(data)
    assert spool.get(9_000_000) == data
    spool.close()


def test_what_no_event_can_hold_comes_in_several(ways: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What communicate, or reading to the end, brings is put together from pieces that a tape can hold."""
    monkeypatch.setattr("testbench.recorders.process._child._MOST", 10)
    monkeypatch.setattr("testbench.recorders.process._pipes._AT_ONCE", 10)
    script = "printf 0123456789; printf 0123456789abcde; printf 0123456789ABCDE01234 >&2"

    def program(_: Path) -> Any:
        whole = subprocess.run(script, shell=True, capture_output=True)
        with Popen(script, shell=True, stdout=PIPE, stderr=subprocess.DEVNULL) as child:
            read = child.stdout.read()
        with Popen(script, shell=True, stdout=PIPE, stderr=PIPE, text=True) as child:
            timed = child.communicate(timeout=60)
        return whole.stdout, whole.stderr, read, timed

    out, err = b"01234567890123456789abcde", b"0123456789ABCDE01234"
    assert ways.agree(program) == ("returned", (out, err, out, (out.decode(), err.decode())))
    assert ways.ops() == [
        *("spawn", "communicate", "output", "output"),
        *("spawn", "read", "read", "read", "wait"),
        *("spawn", "communicate", "output", "output"),
    ]
    assert [process.stdout for process in processes(ways.events())] == [out] * 3
