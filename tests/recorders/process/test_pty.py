"""``pty.spawn`` is the same in all three ways: what is said through the terminal, in which chunks, and the end."""

from __future__ import annotations

import os
import pty
import warnings
from collections.abc import Iterator
from pathlib import Path
from pty import spawn  # bound before any session, on purpose
from typing import Any

import pytest

import testbench


@pytest.fixture(autouse=True)
def _nobody_is_left() -> Iterator[None]:
    """Check that every child has been waited for."""
    yield
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def _talk(argv: Any, said: list[bytes]) -> Any:
    """Run a program in a terminal; return all that it wrote, and its wait status."""
    heard = bytearray()

    def master_read(fd: int) -> bytes:
        data = os.read(fd, 1024)
        heard.extend(data)
        while said and said[0].startswith(b"?") and said[0][1:] in heard:
            said.pop(0)
            os.write(fd, said.pop(0))
        return data

    status = spawn(argv, master_read)
    return bytes(heard), status


def _session(_: Path) -> Any:
    script = "tty -s && ps -o sid= -p $$ | grep -qw $$ && echo leader; exec 3</dev/tty && echo has one; exit 3"
    return _talk(["sh", "-c", script], [])


def _dialogue(_: Path) -> Any:
    return _talk(["sh", "-c", "printf 'name? '; read x; echo hello $x >&2"], [b"?name? ", b"bob\n"])


def _string(_: Path) -> Any:
    return spawn("true"), pty.spawn(("sh", "-c", "kill -9 $$"))


PROGRAMS: dict[str, Any] = {"session": _session, "dialogue": _dialogue, "string": _string}


@pytest.mark.parametrize("name", PROGRAMS)
def test_program_sees_the_same(ways: Any, name: str, tmp_path: Path) -> None:
    """A program sees the same as it is, recorded, and replayed; and the replay records the same tape again."""
    ways.agree(PROGRAMS[name])
    again = tmp_path / "again.tape"
    ways.replay(PROGRAMS[name], rerecord=again)
    assert again.read_bytes() == ways.tape.read_bytes()


def test_child_leads_a_session_on_its_terminal(ways: Any) -> None:
    """The child is what CPython's fork would have made of it: a leader of its session, with a terminal of its own."""
    assert ways.agree(_session) == ("returned", (b"leader\r\nhas one\r\n", 3 << 8))


def test_virtual_pids_and_nesting(ways: Any, tmp_path: Path) -> None:
    """It works with made-up pids, and inside of another recording."""
    ways.options = {"clock": "paused"}
    inner = tmp_path / "inner.tape"

    def nested(place: Path) -> Any:
        with testbench.record(inner, leaks="ignore"):
            return _dialogue(place)

    value = ways.record(nested)
    assert value == ways.stock(_dialogue)
    assert ways.replay(nested) == value
    ways.tape = inner
    assert ways.replay(_dialogue) == value


def test_interception_by_name(ways: Any) -> None:
    """It is found by name as well."""
    ways.options = {"interception": "name", "recorders": ["process"], "leaks": "ignore"}

    def program(_: Path) -> Any:
        heard: list[bytes] = []

        def read(fd: int) -> bytes:
            heard.append(os.read(fd, 100))
            return heard[-1]

        return pty.spawn(["echo", "by name"], read), heard

    value = ways.stock(program)
    with testbench.record(ways.tape, **ways.options):
        assert ("returned", program(ways.place)) == value
    assert ways.replay(program) == value


def test_what_is_said_is_on_the_tape(ways: Any) -> None:
    """The child is a spawn by ``pty.spawn``; each read and write of the terminal is an event with its bytes."""
    ways.agree(_dialogue)
    (spawned,) = (event for event in ways.events() if event.op == "spawn")
    assert spawned.request["options"] == {"by": "pty.spawn"}
    assert spawned.request["stdin"] == spawned.request["stderr"] == "terminal"
    assert [event.request["data"] for event in ways.events() if event.op == "send"] == [b"bob\n"]
    assert ways.ops()[-1] == "waitpid"


def test_program_that_is_not_there_is_looked_for_in_a_fork(tmp_path: Path) -> None:
    """Where CPython's copy of the program finds that nothing can be run, it does so, and its end is on the tape."""

    def program() -> int:
        parent = os.getpid()
        try:
            return int(spawn(["no-such-program"]))
        except FileNotFoundError:
            assert os.getpid() != parent
            os._exit(5)  # the copy

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with testbench.record(tmp_path / "t.tape", leaks="fail"):
            status = program()
    assert os.waitstatus_to_exitcode(status) == 5
    with testbench.replay(tmp_path / "t.tape"):
        assert program() == status
