"""A child whose pipes are used piecemeal: chunk boundaries, end of file and EPIPE are what they were."""

from __future__ import annotations

import codecs
import io
import os
import subprocess
import sys
import threading
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import pytest

import testbench
from testbench.errors import UnsupportedError

ECHO = "while read line; do echo got $line; done; echo bye >&2"


def _dialogue(place: Path) -> Any:
    said = []
    with Popen(["sh", "-c", ECHO], stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True, bufsize=1) as child:
        for word in ("alpha", "beta"):
            child.stdin.write(word + "\n")
            said.append(child.stdout.readline())
        child.stdin.close()
        said += [child.stdout.read(), child.stderr.read(), child.stdout.read()]
    return said, child.returncode


def _raw_chunks(place: Path) -> Any:
    with Popen(["sh", "-c", ECHO], stdin=PIPE, stdout=PIPE, bufsize=0) as child:
        chunks = []
        for word in (b"a\n", b"bc\n"):
            written = child.stdin.write(word)
            chunks.append((written, child.stdout.read(100)))
        child.stdin.close()
        kinds = isinstance(child.stdout, io.RawIOBase), child.stdout.readable(), child.stdout.writable()
        return chunks, child.stdout.readall(), child.stdout.read(1), kinds


def _read1_and_peek(place: Path) -> Any:
    with Popen(["sh", "-c", ECHO], stdin=PIPE, stdout=PIPE) as child:
        child.stdin.write(b"x\n")
        child.stdin.flush()
        told = [child.stdout.read1(2), child.stdout.peek()[:3], child.stdout.readline()]
        child.stdin.write(b"y\nz\n")
        child.stdin.close()
        buffer = bytearray(5)
        told += [child.stdout.readinto(buffer), bytes(buffer), list(child.stdout)]
        return told


def _lines(place: Path) -> Any:
    with Popen(["printf", "a\\r\\nb\\rc\\nd"], stdout=PIPE, text=True) as child:
        return list(child.stdout), child.stdout.newlines


def _broken_pipe(place: Path) -> Any:
    child = Popen(["true"], stdin=PIPE)
    code = child.wait()
    told = []
    for step in (lambda: child.stdin.write(b"x" * 100_000), child.stdin.flush, child.stdin.close):
        try:
            told.append(step())
        except BrokenPipeError as error:
            told.append((str(error), error.errno))
    return code, told, child.stdin.closed


def _piecemeal_then_communicate(place: Path) -> Any:
    told = []
    for extra in ({}, {"stderr": PIPE}, {"text": True}, {"text": True, "stderr": PIPE}):
        child = Popen(["printf", "first\\nsecond\\nthird"], stdout=PIPE, **extra)
        told.append((child.stdout.readline(), child.communicate(), child.returncode))
    return told


def _unflushed_then_communicate(place: Path) -> Any:
    told = []
    for extra in ({}, {"stderr": PIPE}, {"text": True}):
        child = Popen(["cat"], stdin=PIPE, stdout=PIPE, **extra)
        child.stdin.write("one " if extra.get("text") else b"one ")
        told.append(child.communicate("two" if extra.get("text") else b"two"))
    return told


def _closed_by_program(place: Path) -> Any:
    child = Popen(["sh", "-c", f"echo x; exec cat {place}/fifo"], stdout=PIPE)
    line = child.stdout.readline()
    child.stdout.close()
    child.stdout.close()
    child.kill()
    told = []
    for step in (child.stdout.read, child.stdout.readline, child.communicate):
        with pytest.raises(ValueError, match="closed file") as raised:
            step()
        told.append(str(raised.value))
    return line, child.wait(), told


def _closed_before_wait(place: Path) -> Any:
    pipe = os.popen("yes")
    return pipe.readline(), pipe.close()


def _two_readers(place: Path) -> Any:
    heard: dict[str, list[str]] = {"stdout": [], "stderr": []}
    script = "for i in 1 2 3; do echo o$i; echo e$i >&2; done"
    child = Popen(["sh", "-c", script], stdout=PIPE, stderr=PIPE, text=True)
    threads = [threading.Thread(target=lambda n=name: heard[n].extend(getattr(child, n))) for name in heard]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    code = child.wait()
    child.stdout.close()
    child.stderr.close()
    return heard, code


def _through_a_child(place: Path) -> Any:
    second = Popen(["tr", "a-z", "A-Z"], stdin=PIPE, stdout=PIPE)
    first = Popen(["echo", "into the next"], stdout=second.stdin)
    second.stdin.close()
    with second:
        return first.wait(), second.stdout.read()


def _wrapped_by_program(place: Path) -> Any:
    child = Popen(["sh", "-c", "cat; printf 'b\\r\\nc'"], stdin=PIPE, stdout=PIPE)
    child.stdin = codecs.getwriter("utf-16")(child.stdin)
    child.stdout = io.TextIOWrapper(child.stdout, encoding="latin-1", newline="")
    child.stdin.write("é")
    child.stdin.close()
    child.stdin = None  # now a single pipe is left, which CPython reads through the object that stands there
    return child.communicate(), child.returncode


def _attributes(place: Path) -> Any:
    with Popen(["cat"], stdin=PIPE, stdout=PIPE, stderr=PIPE, encoding="latin-1", errors="ignore") as child:
        seen = [(type(s), s.encoding, s.errors, s.line_buffering, s.write_through) for s in (child.stdin, child.stdout)]
        raws = [
            (s.buffer.raw.mode, s.buffer.raw.isatty(), s.seekable(), s.buffer.raw.closefd)
            for s in (child.stdin, child.stderr)
        ]
        child.stdin.close()
    return seen, raws


PROGRAMS: dict[str, Any] = {
    "dialogue": _dialogue,
    "raw chunks": _raw_chunks,
    "read1 and peek": _read1_and_peek,
    "lines": _lines,
    "broken pipe": _broken_pipe,
    "piecemeal then communicate": _piecemeal_then_communicate,
    "unflushed then communicate": _unflushed_then_communicate,
    "closed by program": _closed_by_program,
    "closed before wait": _closed_before_wait,
    "two readers": _two_readers,
    "through a child": _through_a_child,
    "wrapped by program": _wrapped_by_program,
    "attributes": _attributes,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_streams_behave_the_same(ways: Any, name: str) -> None:
    """A program that uses a child's pipes piecemeal sees the same as it is, recorded, and replayed."""
    ways.agree(PROGRAMS[name])


def test_reading_to_the_end_is_one_event(ways: Any) -> None:
    """Reading all that is left of a pipe is one crossing, however much it is."""
    ways.agree(lambda place: _read_all())
    assert ways.ops() == ["spawn", "read", "wait"]


def _read_all() -> Any:
    with Popen(["seq", "1", "50000"], stdout=PIPE) as child:
        return child.stdout.read()


@pytest.mark.parametrize("size", [-1, 2, 777, 8192])
def test_buffer_sizes_are_kept(size: int, tmp_path: Path) -> None:
    """The buffers around a recorded pipe are as large as those that CPython makes."""
    with Popen(["true"], stdout=PIPE, bufsize=size) as child:
        stock = sys.getsizeof(child.stdout)
        kind = type(child.stdout)
    with testbench.record(tmp_path / "t.tape", leaks="ignore"), Popen(["true"], stdout=PIPE, bufsize=size) as child:
        assert (sys.getsizeof(child.stdout), type(child.stdout)) == (stock, kind)


def test_pipes_outlive_the_session(tmp_path: Path) -> None:
    """A child that is still there when its recording ends goes on as an ordinary one."""
    with testbench.record(tmp_path / "t.tape", leaks="ignore"):
        child = Popen(["cat"], stdin=PIPE, stdout=PIPE, stderr=PIPE)
        child.stdin.write(b"in the session, ")
        child.stdin.flush()
        assert child.stdout.read(6) == b"in the"
    child.stdin.write(b"after it")
    child.stdin.flush()
    assert child.stdout.fileno() == child.stdout.raw.name
    assert child.communicate()[0].endswith(b"after it")
    assert child.returncode == 0


def test_pipe_dies_with_a_warning(tmp_path: Path) -> None:
    """A pipe that nobody closes is warned of as CPython does, and is closed."""
    with testbench.record(tmp_path / "t.tape", leaks="ignore"):
        child = Popen(["true"], stdout=PIPE)
        child.wait()
        name = child.stdout.name
        with pytest.warns(ResourceWarning, match=f"unclosed file <_io.BufferedReader name={name}>"):
            del child
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(name)


def test_write_is_matched(ways: Any) -> None:
    """A replay that writes something else to a child than the recording is a divergence."""

    def program(word: bytes) -> Any:
        child = subprocess.Popen(["cat"], stdin=PIPE, stdout=PIPE, bufsize=0)
        child.stdin.write(word)
        return child.communicate()

    ways.record(lambda place: program(b"one"))
    with pytest.raises(testbench.MismatchError, match="write"):
        ways.replay(lambda place: program(b"two"))


def test_writes_refuse_what_files_refuse(ways: Any) -> None:
    """An unbuffered stdin takes what a file takes, and nothing else."""

    def program(place: Path) -> Any:
        told: list[Any] = []
        with Popen(["cat"], stdin=PIPE, stdout=PIPE, bufsize=0) as child:
            for data in (b"a", bytearray(b"b"), memoryview(b"cxd")[::2], "text", 5, None):
                try:
                    told.append(child.stdin.write(data))
                except (TypeError, BufferError) as error:
                    told.append(type(error))
            child.stdin.close()
            return told, child.stdout.read()

    assert ways.agree(program) == ("returned", ([1, 1, BufferError, TypeError, TypeError, TypeError], b"ab"))


def test_strange_stream_is_refused(tmp_path: Path) -> None:
    """A stream that the program has put where the child has no pipe cannot be read by a recorded communicate."""
    with testbench.record(tmp_path / "t.tape", leaks="ignore"), open(os.devnull, "rb") as null:
        child = Popen(["true"], stdin=PIPE)
        child.stdout = null
        with pytest.raises(UnsupportedError, match="stdout=PIPE"):
            child.communicate(timeout=60)
        child.stdout = None
        assert child.communicate(timeout=60) == (None, None)


def test_subprocess_module_is_looked_up_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a program changes in the module subprocess has its effect on recorded children too."""

    def refuse(*_: Any) -> Any:
        raise RuntimeError("changed by the program")

    monkeypatch.setattr(subprocess, "_fork_exec", refuse)
    monkeypatch.setattr(subprocess, "_USE_POSIX_SPAWN", False)
    with (
        testbench.record(tmp_path / "t.tape", leaks="ignore"),
        pytest.raises(RuntimeError, match="changed by the program"),
    ):
        subprocess.run(["true"])
