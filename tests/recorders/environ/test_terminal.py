"""Whether there is a terminal, and how large it is, are facts of the recording."""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import testbench


@contextmanager
def on_standard_input(fd: int) -> Iterator[None]:
    """Put a file on descriptor 0."""
    kept = os.dup(0)
    os.dup2(fd, 0)
    os.close(fd)
    try:
        yield
    finally:
        os.dup2(kept, 0)
        os.close(kept)


@contextmanager
def terminal() -> Iterator[None]:
    """Put a terminal there of 33 lines and 99 columns."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 99, 0, 0))
    with on_standard_input(theirs):
        yield
    os.close(ours)


def nothing() -> Any:
    """Put what is no terminal there."""
    return on_standard_input(os.open(os.devnull, os.O_RDONLY))


def program() -> Any:
    """Ask in all ways."""
    with open(0, closefd=False) as text, open(0, "rb", buffering=0, closefd=False) as raw:
        asked = [os.isatty(0), text.isatty(), raw.isatty()]
    try:
        return [*asked, os.get_terminal_size(0)]
    except OSError as error:
        return [*asked, error.errno]


@pytest.mark.parametrize(("then", "now"), [(terminal, nothing), (nothing, terminal)], ids=["gone", "new"])
def test_a_replay_has_the_terminal_of_the_recording(
    then: Callable[[], Any], now: Callable[[], Any], tmp_path: Path
) -> None:
    """Or none, if that had none; and the size, or the error."""
    run, again = tmp_path / "run.tape", tmp_path / "again.tape"
    with then():
        plain = program()
        with testbench.record(run, leaks="fail"):
            assert program() == plain
    with now():
        live = program()
        with testbench.replay(run, rerecord=again, leaks="fail"):
            assert program() == plain != live
    assert run.read_bytes() == again.read_bytes()


def test_what_nobody_has_recorded_is_answered_here(tmp_path: Path) -> None:
    """So tapes of old replay as ever, and nothing is said."""
    with testbench.record(tmp_path / "run.tape"):
        pass
    with terminal(), testbench.replay(tmp_path / "run.tape", leaks="fail"):
        assert program() == [True, True, True, (99, 33)]


def test_other_files_are_asked_themselves(tmp_path: Path) -> None:
    """Only the standard streams are the user's terminal."""
    with testbench.record(tmp_path / "run.tape"):
        with open(tmp_path / "file", "w") as file:
            assert not file.isatty()
        with pytest.raises(OSError, match="descriptor"):
            os.isatty(-1) or os.get_terminal_size(-1)
        with pytest.raises(TypeError):
            os.isatty("0")  # type: ignore[arg-type]
    with testbench.open_tape(tmp_path / "run.tape") as tape:
        assert [event.op for event in tape] == []


def test_the_library_asks_for_the_program(tmp_path: Path) -> None:
    """`shutil.get_terminal_size` answers what it did."""
    with testbench.record(tmp_path / "run.tape"):
        recorded = shutil.get_terminal_size()
    with testbench.replay(tmp_path / "run.tape"):
        assert shutil.get_terminal_size() == recorded
