"""What a program reads from its standard input comes from the tape; the replay's own input is not touched."""

from __future__ import annotations

import fileinput
import getpass
import io
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import testbench

GIVEN = b"ada\nlovelace 1815\n\xff\xfe no UTF-8\nlast line, without an end" + b"." * 100_000


@contextmanager
def standard_input(given: bytes | None, place: Path) -> Iterator[None]:
    """Let a file be the standard input; None for one that gives nothing."""
    (place / "given").write_bytes(given or b"")
    kept, file = os.dup(0), os.open(place / "given" if given is not None else os.devnull, os.O_RDONLY)
    stdin = sys.stdin
    os.dup2(file, 0)
    os.close(file)
    sys.stdin = open(0, encoding="utf-8", errors="surrogateescape", closefd=False)  # noqa: SIM115  # closed below
    try:
        yield
    finally:
        sys.stdin.close()
        sys.stdin = stdin
        os.dup2(kept, 0)
        os.close(kept)


def until_the_end(read: Callable[[], Any]) -> list[Any]:
    """Read until there is nothing more."""
    return [*iter(read, b"")]


def by_input() -> list[str]:
    """Read line after line."""
    lines = []
    while True:
        try:
            lines.append(input())
        except EOFError:
            return lines


def into_buffers() -> Any:
    """Read into two buffers at once."""
    room = [bytearray(3), bytearray(5)]
    return os.readv(0, room), room


def unbuffered() -> list[Any]:
    """Read from a raw file."""
    with open(0, "rb", buffering=0, closefd=False) as file:
        return [file.read(4), file.readinto(bytearray(3)), file.read(None), file.readall()]  # type: ignore[arg-type]


def in_a_thread() -> list[Any]:
    """Read in another lane."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(sys.stdin.read()))
    thread.start()
    thread.join()
    return found


def beside_a_child() -> Any:
    """Read what a child leaves."""
    return os.read(0, 4), subprocess.run(["head", "-c", "3"], stdout=subprocess.PIPE, check=True).stdout, os.read(0, 9)


WAYS: dict[str, Callable[[], Any]] = {
    "read": lambda: sys.stdin.read(),
    "bytes": lambda: sys.stdin.buffer.read(),
    "lines": lambda: list(sys.stdin),
    "readline and the rest": lambda: (sys.stdin.readline(), sys.stdin.read()),
    "input until the end": by_input,
    "input, then the lines": lambda: (input(), list(sys.stdin)),
    "os.read": lambda: until_the_end(lambda: os.read(0, 1000)),
    "os.readv": into_buffers,
    "unbuffered": unbuffered,
    "peek": lambda: (sys.stdin.buffer.peek(3), sys.stdin.buffer.read1(5)),
    "fileinput": lambda: list(fileinput.input("-", mode="rb")),  # noqa: SIM115  # the standard input is not closed by it
    "in a thread": in_a_thread,
    "beside a child": beside_a_child,
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_it_is_on_the_tape(way: Callable[[], Any], tmp_path: Path) -> None:
    """What a program reads is what it reads without us; a replay has no input, and makes the same tape."""
    run, again = tmp_path / "run.tape", tmp_path / "again.tape"
    with standard_input(GIVEN, tmp_path):
        plain = way()
    with standard_input(GIVEN, tmp_path), testbench.record(run, leaks="fail"):
        recorded = way()
    with standard_input(None, tmp_path), testbench.replay(run, rerecord=again, leaks="fail"):
        replayed = way()
    assert plain == recorded == replayed
    assert run.read_bytes() == again.read_bytes()


def test_a_replay_reads_nothing_of_its_own_input(tmp_path: Path) -> None:
    """Whatever it is, it is still there for whoever reads next."""
    with standard_input(b"recorded\n", tmp_path), testbench.record(tmp_path / "run.tape"):
        assert input() == "recorded"
    with standard_input(b"live\n", tmp_path):
        with testbench.replay(tmp_path / "run.tape"):
            assert input() == "recorded"
        assert os.read(0, 100) == b"live\n"


def test_what_is_no_input_yet(tmp_path: Path) -> None:
    """A pipe that does not wait: an error and None are outcomes too."""

    def program() -> Any:
        with pytest.raises(BlockingIOError):
            os.read(0, 10)
        with open(0, "rb", buffering=0, closefd=False) as file:
            return file.read(10), file.readinto(bytearray(3))

    ours, theirs = os.pipe()
    os.set_blocking(ours, False)
    with standard_input(b"", tmp_path):
        os.dup2(ours, 0)
        with testbench.record(tmp_path / "run.tape"):
            assert program() == (None, None)
    with standard_input(b"x", tmp_path), testbench.replay(tmp_path / "run.tape"):
        assert program() == (None, None)
    os.close(ours)
    os.close(theirs)


def run(place: Path, *options: str, code: str, given: bytes = b"") -> bytes:
    """Run a program on the command line; return what it has said."""
    command = [sys.executable, "-m", "testbench", *options, "--", sys.executable, "-c", code]
    done = subprocess.run(command, cwd=place, input=given, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def in_a_terminal(place: Path, *command: str, types: bytes) -> bytes:
    """Run a command in a terminal, in which somebody types; return what stands there then."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(place)
        os.execv(sys.executable, [sys.executable, "-m", "testbench", *command])
    os.write(terminal, types)
    shown = b""
    while True:
        try:
            data = os.read(terminal, 1000)
        except OSError:  # Linux says so at its end
            break
        if not data:
            break
        shown += data
    os.close(terminal)
    assert os.waitpid(pid, 0)[1] == 0, shown
    return shown


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # CPython 3.12 warns of forks beside threads
def test_lines_that_are_typed_are_on_the_tape(tmp_path: Path) -> None:
    """`input` asks a terminal by way of the C library; a replay needs none, and shows the prompt."""
    program = ("--", sys.executable, "-c", "print('hello', input('name? '))")
    shown = in_a_terminal(tmp_path, "record", "-o", "run.tape", *program, types=b"ada\n")
    assert b"name? " in shown
    assert b"hello ada" in shown
    replayed = run(tmp_path, "replay", "run.tape", code=program[-1])
    assert replayed == b"name? hello ada\n"


def test_no_secret_of_it_is_on_the_tape(tmp_path: Path) -> None:
    """Not even where it comes in two reads."""
    token = "ghp_" + "aB3dE6gH9j" * 4
    with standard_input(f"token: {token}\n".encode(), tmp_path), testbench.record(tmp_path / "run.tape"):
        assert token.encode() in b"".join(until_the_end(lambda: os.read(0, 11)))
    with testbench.open_tape(tmp_path / "run.tape") as tape:
        read = b"".join(event.outcome.value for event in tape if event.op == "read")  # type: ignore[union-attr,misc]
    assert token.encode() not in read
    assert len(read) == len(token) + 8


@pytest.mark.filterwarnings("ignore::getpass.GetPassWarning")
def test_a_password_is_asked_for_again(tmp_path: Path) -> None:
    """What `getpass` reads stands on no tape."""
    tape = tmp_path / "run.tape"
    with standard_input(b"first\n", tmp_path), testbench.record(tape):
        assert getpass.fallback_getpass("", io.StringIO()) == "first"  # type: ignore[attr-defined]
    with standard_input(b"second\n", tmp_path), testbench.replay(tape):
        assert getpass.fallback_getpass("", io.StringIO()) == "second"  # type: ignore[attr-defined]
    assert b"first" not in tape.read_bytes()


@pytest.mark.slow
def test_a_replay_can_be_debugged(tmp_path: Path) -> None:
    """What a debugger reads is none of the program's business."""
    code = "import sys; name = sys.stdin.buffer.raw.read(4)\n{}print(name)"
    run(tmp_path, "record", "-o", "run.tape", code=code.format(""), given=b"ada\n")
    shown = run(tmp_path, "replay", "run.tape", code=code.format("breakpoint()\n"), given=b"p name * 2\ncontinue\n")
    assert b"b'ada\\nada\\n'" in shown


def test_another_file_in_its_place_is_no_standard_input(tmp_path: Path) -> None:
    """A program may put whatever it likes on descriptor 0."""

    def program(word: str) -> bytes:
        (tmp_path / "file").write_text(word)
        fd = os.open(tmp_path / "file", os.O_RDONLY)
        os.dup2(fd, 0)
        os.close(fd)
        return os.read(0, 10)

    with standard_input(b"x", tmp_path), testbench.record(tmp_path / "run.tape"):
        assert program("one") == b"one"
    with standard_input(b"x", tmp_path), testbench.replay(tmp_path / "run.tape"):
        assert program("two") == b"two"


def test_a_program_that_reads_more_diverges(tmp_path: Path) -> None:
    """It is told what it asks, and that the tape has ended."""
    with standard_input(b"abcd", tmp_path), testbench.record(tmp_path / "run.tape"):
        os.read(0, 2)
    with (
        standard_input(b"abcd", tmp_path),
        pytest.raises(testbench.ExhaustedError, match=r"stdin\.read"),
        testbench.replay(tmp_path / "run.tape"),
    ):
        os.read(0, 2)
        os.read(0, 2)
