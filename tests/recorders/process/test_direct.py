"""Children without a Popen: ``posix_spawn`` and the ``spawn`` functions of os are the same in all three ways."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
from collections.abc import Iterator
from os import posix_spawn, posix_spawnp, spawnlp, spawnv  # bound before any session, on purpose
from pathlib import Path
from typing import Any

import pytest

import testbench

SH = "/bin/sh"
DUP2, OPEN, CLOSE = os.POSIX_SPAWN_DUP2, os.POSIX_SPAWN_OPEN, os.POSIX_SPAWN_CLOSE
LOG = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


@pytest.fixture(autouse=True)
def _nobody_is_left() -> Iterator[None]:
    """Check that every child has been waited for."""
    yield
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def _sh(script: str, **options: Any) -> int:
    return posix_spawn(SH, ["sh", "-c", script], os.environ, **options)


def _end(pid: int) -> int:
    found, status = os.waitpid(pid, 0)
    assert found == pid
    return os.waitstatus_to_exitcode(status)


def _raised(call: Any) -> Any:
    try:
        return call()
    except Exception as error:
        return type(error), str(error), error.args, getattr(error, "filename", None)


def _into_files(place: Path) -> Any:
    out, err = place / "out", place / "err"
    err.write_text("kept: ")
    actions = [(OPEN, 1, out, LOG, 0o600), (OPEN, 2, str(err), os.O_WRONLY | os.O_APPEND, 0)]
    code = _end(_sh("echo one; echo two >&2; exit 3", file_actions=actions))
    return code, out.read_text(), err.read_text(), out.stat().st_mode


def _into_one_file(place: Path) -> Any:
    out = os.fsencode(place / "out")
    code = _end(_sh("echo one; echo two >&2", file_actions=((OPEN, 1, out, LOG, 0o600), (DUP2, 1, 2))))
    return code, Path(os.fsdecode(out)).read_text()


def _into_an_open_file(place: Path) -> Any:
    with open(place / "log", "w+b", buffering=0) as log:
        log.write(b"head\n")
        code = _end(_sh("echo body", file_actions=[(DUP2, log.fileno(), 1)]))
        log.write(b"tail\n")
        return code, (place / "log").read_bytes()


def _from_a_file(place: Path) -> Any:
    (place / "in").write_text("3\nrest\n")
    with open(place / "in", "rb", buffering=0) as given:
        code = _end(_sh("read n; exit $n", file_actions=[(DUP2, given.fileno(), 0)]))
        rest = given.tell()
    return code, rest, _end(_sh("read n; exit $n", file_actions=[(OPEN, 0, place / "in", os.O_RDONLY, 0)]))


def _closed_and_null(place: Path) -> Any:
    null = (OPEN, 1, os.devnull, os.O_WRONLY, 0)
    return _end(_sh("echo x", file_actions=[null, (DUP2, 1, 2)])), _end(_sh("exec cat", file_actions=[(CLOSE, 0)]))


def _unfit(place: Path) -> Any:
    calls: list[Any] = [
        lambda: posix_spawn("/no/such", ["x"], os.environ),
        lambda: posix_spawn(b"/no/such", ["x"], os.environ),
        lambda: posix_spawn("ls", ["ls"], os.environ),
        lambda: posix_spawnp("no-such-program", ["x"], {}),
        lambda: posix_spawn("/etc/passwd", ["x"], {}),
        lambda: posix_spawn(SH, [], {}),
        lambda: posix_spawn(SH, ["sh", 5], {}),
        lambda: posix_spawn(SH, "sh", {}),
        lambda: posix_spawn(SH, ["sh", "a\0b"], {}),
        lambda: posix_spawn(SH, ["sh"], {"A=B": "c"}),
        lambda: posix_spawn(SH, ["sh"], {}, file_actions=5),
        lambda: posix_spawn(SH, ["sh"], {}, file_actions=[()]),
        lambda: posix_spawn(SH, ["sh"], {}, file_actions=[(17, 3)]),
        lambda: posix_spawn(SH, ["sh"], {}, file_actions=[(OPEN, 1, "x")]),
        lambda: posix_spawn(SH, ["sh"], {}, file_actions=[[CLOSE, 1]]),
        lambda: posix_spawn(SH, ["sh"], {}, file_actions=[(OPEN, 1, "/no/such/dir/x", LOG, 0o600)]),
        lambda: posix_spawn(SH, ["sh"], {}, file_actions=[(OPEN, 1, place, os.O_WRONLY, 0)]),
        lambda: posix_spawn(SH, ["sh"], {}, setsigmask=5),
        lambda: posix_spawn(SH, ["sh"], {}, unknown=1),
    ]
    return [_raised(call) for call in calls]


def _options(place: Path) -> Any:
    fifo = place / "fifo"
    group = _sh(f"exec cat {fifo}", setpgroup=0)
    told = [os.getpgid(group) == group, os.killpg(group, signal.SIGTERM), _end(group)]
    masked = _sh("kill -TERM $$; exit 4", setsigmask=[signal.SIGTERM], setsigdef={signal.SIGPIPE})
    session = posix_spawnp("sh", ["sh", "-c", "exit 5"], {"PATH": "/nonexistent"}, setsid=True)
    return told, _end(masked), _end(session)


def _by_any_wait(place: Path) -> Any:
    pids = [_sh(f"exit {n}") for n in range(3)]
    ends = dict(os.wait() for _ in pids)
    return [ends[pid] for pid in pids], _raised(os.wait)[:1]


def _stopped(place: Path) -> Any:
    pid = _sh(f"exec cat {place}/fifo")
    os.kill(pid, signal.SIGSTOP)
    told = os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1]), os.waitpid(pid, os.WNOHANG)
    os.kill(pid, signal.SIGKILL)
    return told, _end(pid)


def _pipeline_with_popen(place: Path) -> Any:
    second = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with second:
        pid = _sh("exit 6")
        return second.communicate(), _end(pid)


def _spawn_functions(place: Path) -> Any:
    env = {"WORD": "5", "PATH": os.environ["PATH"]}
    return [
        spawnv(os.P_WAIT, SH, ["sh", "-c", "exit 4"]),
        spawnv(os.P_WAIT, SH, ("sh", "-c", "kill -9 $$")),
        os.spawnve(os.P_WAIT, SH, ["sh", "-c", "exit $WORD"], env),
        os.spawnvp(os.P_WAIT, "sh", ["sh", "-c", "exit 6"]),
        os.spawnvpe(os.P_WAIT, b"sh", [b"sh", b"-c", b"exit $WORD"], env),
        os.spawnl(os.P_WAIT, SH, "sh", "-c", "exit 7"),
        os.spawnle(os.P_WAIT, SH, "sh", "-c", "exit $WORD", env),
        spawnlp(os.P_WAIT, "sh", "sh", "-c", "exit 8"),
        os.spawnlpe(os.P_WAIT, "sh", "sh", "-c", "exit $WORD", env),
        _end(os.spawnlp(os.P_NOWAIT, "sh", "sh", "-c", "exit 9")),
    ]


def _spawn_failures(place: Path) -> Any:
    waits: list[Any] = [
        lambda: os.spawnv(os.P_WAIT, "/no/such", ["x"]),
        lambda: os.spawnv(os.P_WAIT, "sh", ["sh", "-c", "exit 3"]),  # execv does not search
        lambda: os.spawnvp(os.P_WAIT, "no-such-program", ["x"]),
        lambda: os.spawnv(os.P_WAIT, "/etc/passwd", ["x"]),
        lambda: os.spawnv(os.P_WAIT, SH, ["sh", 5]),
        lambda: os.spawnve(os.P_WAIT, SH, ["sh"], {"A=B": "c"}),
        lambda: os.spawnve(os.P_WAIT, SH, ["sh"], 5),
        lambda: os.spawnv(os.P_WAIT, 5, ["sh"]),
        lambda: _end(os.spawnv(os.P_NOWAIT, "/no/such", ["x"])),
        lambda: os.spawnv(os.P_WAIT, SH, []),
        lambda: os.spawnv(os.P_WAIT, SH, [""]),
        lambda: os.spawnv(os.P_WAIT, SH, "sh"),
    ]
    return [_raised(call) for call in waits]


def _popen_of_os(place: Path) -> Any:
    with os.popen("echo hi; exit 2") as pipe:
        said = pipe.read()
    writer = os.popen(f"cat >{os.devnull}; exit 3", "w")
    return said, writer.write("to it"), writer.close()


PROGRAMS: dict[str, Any] = {
    "exit": lambda place: (_end(_sh("exit 5")), _end(_sh("kill -9 $$"))),
    "into files": _into_files,
    "into one file": _into_one_file,
    "into an open file": _into_an_open_file,
    "from a file": _from_a_file,
    "closed and null": _closed_and_null,
    "unfit": _unfit,
    "options": _options,
    "by any wait": _by_any_wait,
    "stopped": _stopped,
    "beside Popen": _pipeline_with_popen,
    "spawn functions": _spawn_functions,
    "spawn failures": _spawn_failures,
    "os.popen": _popen_of_os,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_program_sees_the_same(ways: Any, name: str, tmp_path: Path) -> None:
    """A program sees the same as it is, recorded, and replayed; and the replay records the same tape again."""
    ways.agree(PROGRAMS[name])
    again = tmp_path / "again.tape"
    ways.replay(PROGRAMS[name], rerecord=again)
    assert again.read_bytes() == ways.tape.read_bytes()


@pytest.mark.parametrize("name", ["exit", "by any wait", "stopped", "options", "spawn functions"])
def test_virtual_pids(ways: Any, name: str) -> None:
    """A recording with a paused clock tells made-up pids, which mean the child everywhere, and is always the same."""
    ways.options = {"clock": "paused"}
    ways.agree(PROGRAMS[name])
    if name != "by any wait":  # whose children end in any order
        before = ways.tape.read_bytes()
        ways.record(PROGRAMS[name])
        assert ways.tape.read_bytes() == before


@pytest.mark.parametrize("name", ["exit", "into files", "spawn functions", "spawn failures"])
def test_sessions_nest(ways: Any, name: str, tmp_path: Path) -> None:
    """A recording inside a recording sees the same, also when the outer one is replayed; its tape replays alone."""
    inner = tmp_path / "inner.tape"

    def nested(place: Path) -> Any:
        with testbench.record(inner, leaks="ignore"):
            return PROGRAMS[name](place)

    value = ways.stock(PROGRAMS[name])
    assert ways.record(nested) == value
    assert ways.replay(nested) == value
    ways.tape = inner
    assert ways.replay(PROGRAMS[name]) == value


def test_request_says_how_it_was_started(ways: Any) -> None:
    """A spawn without Popen has the fields of any other, and its options tell the function and what it was given."""

    def program(place: Path) -> None:
        actions = [(OPEN, 1, "/dev/null", os.O_WRONLY, 0), (DUP2, 1, 2), (CLOSE, 0)]
        _end(_sh("exit", file_actions=actions, setpgroup=0))
        os.spawnlp(os.P_WAIT, "true", "true")
        subprocess.run(["true"])

    ways.agree(program)
    first, second, third = (event.request for event in ways.events() if event.op == "spawn")
    assert list(first) == list(second) == list(third)
    assert first["options"] == {"by": "posix_spawn", "setpgroup": 0}
    assert first["stdin"] == "closed"
    assert first["stdout"] == {"open": "/dev/null", "flags": os.O_WRONLY, "mode": 0}
    assert first["stderr"] == "stdout"
    assert second["options"] == {"by": "spawnvp"}
    assert second["program"] == "true"


def test_process_groups_have_names(ways: Any) -> None:
    """A process group belongs to the request by what it is, since its number differs from run to run."""

    def program(place: Path) -> Any:
        leader = _sh(f"exec cat {place}/fifo", setpgroup=0)
        told = _end(_sh("exit 3", setpgroup=leader)), _end(_sh("exit 4", setpgroup=os.getpgrp()))
        os.killpg(leader, signal.SIGTERM)
        return told, _end(leader)

    assert ways.agree(program) == ("returned", ((3, 4), -15))
    groups = [event.request["options"]["setpgroup"] for event in ways.events() if event.op == "spawn"]
    assert groups == [0, {"child": 1}, "own"]
    ways.options = {"clock": "paused"}
    ways.agree(program)


def test_declared_environment_belongs_to_the_request(ways: Any) -> None:
    """Of the environment those variables are on the tape that were named, with the values that the child gets."""
    ways.options = {"env": ("WORD", "NONE")}

    def program(place: Path) -> Any:
        return _end(posix_spawn(SH, ["sh", "-c", "exit $WORD"], {"WORD": "7"}))

    assert ways.agree(program) == ("returned", 7)
    assert ways.events()[0].request["env"] == {"WORD": "7", "NONE": None}


def test_another_command_is_a_divergence(ways: Any) -> None:
    """A replay that starts something else than the recording, or by another function, is a divergence."""
    ways.record(lambda place: _end(_sh("exit 1")))
    with pytest.raises(testbench.MismatchError, match="argv"):
        ways.replay(lambda place: _end(_sh("exit 2")))
    with pytest.raises(testbench.MismatchError, match="options"):
        ways.replay(lambda place: os.spawnv(os.P_WAIT, SH, ["sh", "-c", "exit 1"]))


def test_inherited_output_is_on_the_tape(ways: Any, capfd: Any) -> None:
    """What such a child writes to the program's own streams is recorded, and appears on replay."""

    def program(place: Path) -> Any:
        _end(_sh("echo posix; echo trouble >&2"))
        _end(_sh("echo on stderr", file_actions=[(DUP2, 2, 1)]))
        os.spawnlp(os.P_WAIT, "echo", "echo", "spawned")

    seen = []
    for way in (ways.stock, ways.record, ways.replay):
        way(program)
        seen.append(capfd.readouterr())
    assert seen[0] == seen[1] == seen[2]
    assert seen[0].out == "posix\nspawned\n"
    ends = [event.outcome.value for event in ways.events() if event.op == "waitpid"]
    assert [end.get("stdout") for end in ends] == [b"posix\n", b"on stderr\n", b"spawned\n"]
    assert ends[0]["stderr"] == b"trouble\n"


def test_inherited_output_passes_through_nested_sessions(ways: Any, capfd: Any, tmp_path: Path) -> None:
    """Of two recordings, both have what such a child writes, and it appears at once."""

    def program(place: Path) -> Any:
        _end(_sh("echo posix"))
        os.spawnlp(os.P_WAIT, "echo", "echo", "spawned")
        os.spawnlp(os.P_WAIT, "sh", "sh", "-c", "echo again")

    def nested(place: Path) -> Any:
        with testbench.record(tmp_path / "inner.tape", leaks="ignore"):
            program(place)

    ways.record(nested)
    assert capfd.readouterr().out == "posix\nspawned\nagain\n"
    ends = [event.outcome.value.get("stdout") for event in ways.events() if event.op == "waitpid"]
    ways.tape = tmp_path / "inner.tape"
    assert ends == [event.outcome.value.get("stdout") for event in ways.events() if event.op == "waitpid"]
    assert ends == [b"posix\n", b"spawned\n", b"again\n"]


def test_spawn_functions_warn_of_nothing(ways: Any, recwarn: Any) -> None:
    """The spawn functions do not fork a process that has threads of ours, so that nobody is warned of it."""
    ways.record(_spawn_functions)
    assert [warning for warning in recwarn if "fork" in str(warning.message)] == []


def test_no_file_of_ours_is_left_open(ways: Any) -> None:
    """Starting children without Popen leaves no descriptor open."""
    ways.record(_into_files)
    ways.replay(_into_files)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        ways.record(_into_files)
        ways.replay(_into_files)
        ways.record(_unfit)
    assert len(os.listdir("/proc/self/fd")) <= before


def _through_own_pipes(place: Path) -> Any:
    read_end, write_end = os.pipe()
    theirs, ours = os.pipe()
    pid = _sh("echo to you; cat", file_actions=[(DUP2, theirs, 0), (DUP2, write_end, 1), (CLOSE, ours)])
    os.close(theirs)
    os.close(write_end)
    first = os.read(read_end, 100)
    told = [first, os.write(ours, b"and back")]
    os.close(ours)
    with open(read_end, "rb") as pipe:
        return told, pipe.read(), _end(pid)


def _through_other_descriptors(place: Path) -> Any:
    read_end, write_end = os.pipe()
    other_read, other_write = os.pipe()
    os.set_inheritable(other_write, True)
    pid = _sh(f"echo three >&3; echo more >&{other_write}", file_actions=[(DUP2, write_end, 3)])
    os.close(write_end)
    os.close(other_write)
    with open(read_end, "rb") as pipe, open(other_read, "rb") as other:
        said = pipe.read(), other.read()
    code = os.spawnlp(os.P_NOWAIT, "true", "true")
    return said, _end(pid), _end(code)


def _through_a_terminal(place: Path) -> Any:
    master, slave = os.openpty()
    pid = _sh("stty -echo; echo $(tty | wc -w); read x; echo got $x", file_actions=[(DUP2, slave, 0), (DUP2, slave, 1)])
    os.close(slave)
    told = [os.read(master, 100), os.write(master, b"line\n"), os.read(master, 100)]
    os.close(master)
    return told, _end(pid)


def _into_a_popen(place: Path) -> Any:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as second:
        pid = _sh("echo into the next", file_actions=[(DUP2, second.stdin.fileno(), 1)])
        code = _end(pid)
        return second.communicate(), code


def _opens_a_terminal(place: Path) -> Any:
    master, slave = os.openpty()
    opens = (OPEN, 0, os.ttyname(slave), os.O_RDWR, 0)
    script = "stty -echo; exec 3</dev/tty && echo mine; read x; echo got $x"
    pid = _sh(script, file_actions=[opens, (DUP2, 0, 1)], setsid=True)
    os.close(slave)
    told = [os.read(master, 100), os.write(master, b"line\n"), os.read(master, 100)]
    code = _end(pid)
    os.close(master)
    return told, code


def _opens_a_fifo(place: Path) -> Any:
    read_end = os.open(place / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    pid = _sh("echo through it", file_actions=[(OPEN, 1, place / "fifo", os.O_WRONLY, 0)])
    select.select([read_end], [], [])
    said = os.read(read_end, 100)
    code = _end(pid)
    end = os.read(read_end, 100)
    os.close(read_end)
    return said, code, end


TALKING = {
    "opens a terminal": _opens_a_terminal,
    "opens a fifo": _opens_a_fifo,
    "own pipes": _through_own_pipes,
    "other descriptors": _through_other_descriptors,
    "terminal": _through_a_terminal,
    "into a Popen": _into_a_popen,
}


@pytest.mark.parametrize("name", TALKING)
def test_own_channels_are_recorded(ways: Any, name: str) -> None:
    """What the program says to such a child through pipes and terminals of its own is the same in all three ways."""
    ways.agree(TALKING[name])


def test_foreign_channel_is_reported_and_refused(tmp_path: Path) -> None:
    """A child that gets a connection whose other end cannot be known is reported, and refused on replay."""

    def program() -> Any:
        with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
            server.bind("")  # unix(7): a name is made up
            server.listen()
            client.connect(server.getsockname())
            return _end(_sh("exit 3", file_actions=[(DUP2, client.fileno(), 0)]))

    session = testbench.record(tmp_path / "t.tape", leaks="ignore").open()
    assert program() == 3
    session.close()
    assert [leak.name for leak in session.leaks] == ["process.foreign_channel_as_stdin"]
    with pytest.raises(testbench.RefusedError), testbench.replay(tmp_path / "t.tape"):
        program()
