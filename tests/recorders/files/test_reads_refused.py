"""What a tape cannot hold of reads is named while recording, and a replay refuses it."""

from __future__ import annotations

import errno
import io
import os
import sqlite3
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

import testbench


def test_a_fifo_is_refused(world: Any) -> None:
    """What is no file cannot be on a tape: named while recording, with the line, and refused on replay."""
    os.mkfifo("fifo")

    def program() -> bytes:
        descriptor = os.open("fifo", os.O_RDONLY | os.O_NONBLOCK)
        try:
            return os.read(descriptor, 1)
        finally:
            os.close(descriptor)

    with testbench.record(world.tape, files="sealed", leaks="ignore") as session:
        assert program() == b""
    (leak,) = session.leaks
    assert leak.name == "files.special"
    assert leak.request == {"path": "fifo", "what": "fifo"}
    assert "test_reads_refused.py" in leak.where
    with pytest.raises(testbench.RefusedError, match="marked with @testbench"):
        world.replay(program)


def test_a_raw_file_is_refused(world: Any) -> None:
    """``io.FileIO`` of a path opens it where nobody can answer: a leak, and refused; of a descriptor it is as ever."""

    def program() -> bytes:
        with io.FileIO(os.open("text.txt", os.O_RDONLY)) as recorded, io.FileIO("text.txt") as direct:
            return recorded.read() + direct.read()

    with testbench.record(world.tape, files="sealed", leaks="ignore") as session:
        assert len(program()) == 30
    assert [leak.name for leak in session.leaks] == ["files.direct"]
    with pytest.raises(testbench.RefusedError, match=r"use open\(path, 'rb', buffering=0\)"):
        world.replay(program)
    with io.FileIO("text.txt") as raw:
        assert raw.readall().startswith(b"one")


@pytest.mark.parametrize("way", ["stream", "descriptor"])
def test_a_file_that_grows_while_it_is_read_is_told(world: Any, way: str) -> None:
    """Who follows a log gets what comes while recording, and reads that a replay would not have it."""
    with open("log", "w") as log:
        log.write("first\n")
        log.flush()
        with testbench.record(world.tape, files="sealed", leaks="ignore") as session, open("log", "rb") as stream:
            found = [stream.read(6) if way == "stream" else os.read(stream.fileno(), 6)]
            assert not session.leaks
            log.write("second\n")
            log.flush()
            found.append(stream.read(100) if way == "stream" else os.read(stream.fileno(), 100))
    assert found == [b"first\n", b"second\n"]
    (leak,) = session.leaks
    assert (leak.name, leak.request) == ("files.changed", {"path": "log"})
    assert "test_reads_refused.py" in leak.where


def test_what_is_read_and_written_has_to_be_there(world: Any) -> None:
    """A file that is opened with ``r+`` is the real one; a replay on another content says so."""

    def program() -> str:
        with open("text.txt", "r+", encoding="utf-8") as stream:
            return stream.read()

    recorded = world.record(program)
    assert world.replay(program) == recorded
    Path("text.txt").write_text("other")
    with pytest.raises(
        testbench.RefusedError, match=r"'text.txt' is not what it was .* 15 bytes.* is a file of 5 bytes"
    ):
        world.replay(program)


def test_content_that_finds_no_room_is_told(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full here is no error that the program had; the replay ends and names the file."""

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    program = lambda: world.error_of(Path("text.txt").read_bytes)  # noqa: E731
    with testbench.record(world.tape, files="sealed"):
        Path("text.txt").read_bytes()
    monkeypatch.setattr("testbench.recorders.files._served.write_at", full)
    with pytest.raises(testbench.RefusedError, match=r"no room here \(No space left on device\)"):
        world.replay(program)


@pytest.mark.parametrize("around", [True, False], ids=["around", "inside"])
def test_an_overlay_and_a_session(world: Any, around: bool) -> None:
    """Around a session, an overlay is its world; inside, what goes through it is real, also on replay."""

    def work() -> list[Any]:
        Path("folder/new").write_text("new")
        with open("text.txt", "r+", encoding="utf-8") as stream:
            found = [stream.read(), stream.write("more")]
        return [*found, Path("text.txt").read_text(encoding="utf-8"), sorted(os.listdir("folder"))]

    def program() -> list[Any]:
        if around:
            return work()
        with testbench.Overlay("."):
            return work()

    with testbench.Overlay(".") if around else nullcontext():
        recorded = world.record(program)
    assert sorted(os.listdir("folder")) == ["dirlink", "link", "lost", "sub"]
    with testbench.Overlay(".") if around else nullcontext():
        assert world.replay(program) == recorded
    assert recorded[2].endswith("three\nmore")
    assert ("open" in world.ops()) == around


@pytest.mark.parametrize("files", ["sealed", "observed"])
def test_what_is_on_the_tape_is_no_leak(world: Any, monkeypatch: pytest.MonkeyPatch, files: str) -> None:
    """Who looks for reads that no recorder took finds none, wherever the files are; others it does find."""
    monkeypatch.setattr("testbench.recorders.audit._paths.Paths.own", lambda *_, **__: False)
    monkeypatch.setattr("testbench.recorders.audit._paths.Paths.found", lambda _, path, *__, **___: path)

    def program() -> list[Any]:
        descriptor = os.open("text.txt", os.O_RDONLY)
        os.close(descriptor)
        with open("text.txt", "r+", encoding="utf-8") as stream:
            stream.read()
        return [Path("text.txt").read_bytes(), os.listdir("folder"), list(os.walk(".")), os.listxattr("text.txt")]

    with testbench.record(world.tape, files=files, leaks="ignore") as session:
        recorded = program()
    assert [(leak.name, leak.request) for leak in session.leaks] == [("audit.write", {"path": "text.txt"})]
    with testbench.replay(world.tape, leaks="ignore") as session:
        assert program() == recorded
    assert session.leaks == []


def test_a_database_that_was_there_is_a_leak(world: Any) -> None:
    """SQLite reads it in C; one that the program makes itself is its own, renamed or not."""
    base = sqlite3.connect("there.db")
    base.execute("create table kept (x)")
    base.close()

    def program() -> Any:
        for name in ("made.db", "made.db"):
            again = sqlite3.connect(name)
            again.execute("create table if not exists kept (x)")
            again.close()
        sqlite3.connect(":memory:").close()
        open("renamed.tmp", "w").close()
        new = sqlite3.connect("renamed.tmp")
        new.execute("create table kept (x)")
        new.close()
        os.replace("renamed.tmp", "renamed.db")
        sqlite3.connect("renamed.db").close()
        there = sqlite3.connect("there.db")
        try:
            return there.execute("select count(*) from kept").fetchall()
        finally:
            there.close()

    with testbench.record(world.tape, files="sealed", leaks="ignore") as session:
        recorded = program()
    assert [(leak.name, leak.request) for leak in session.leaks] == [("files.database", {"path": "there.db"})]
    assert session.leaks[0].where.endswith("program")
    os.unlink("made.db")
    os.unlink("renamed.db")
    assert world.replay(program) == recorded
