"""The law of exactness for children: what a program does with them, piecemeal or at once, comes back to the byte."""

from __future__ import annotations

import os
import select
import selectors
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT, Popen
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import testbench

SCRIPTS = [
    "exec cat",
    "echo out; echo err >&2; exec cat >&2",
    "head -c 5; exit 3",
    "printf 'a\\nb\\n\\377half'; kill -9 $$",
    "exec >&- 2>&-; exec cat",
    "exec <&-; echo deaf; exec sleep 60",
    "trap '' TERM; echo stubborn; exec cat",
    "exec seq 300",
]
ENDLESS = SCRIPTS.index("exec <&-; echo deaf; exec sleep 60")


@attrs.define(eq=False)
class Started:
    """A child of a generated program, and what decides whether a step could wait for ever."""

    child: Popen[Any]
    script: int
    text: bool
    duplicates: list[int] = attrs.Factory(list)

    @property
    def ends(self) -> bool:
        """Tell whether it comes to an end by itself."""
        return self.script != ENDLESS and (self.child.stdin is None or self.child.stdin.closed)


def outcome(action: Callable[[], Any]) -> Any:
    """Return what came of an action in a form that compares exactly."""
    try:
        value = action()
    except Exception as error:
        return "raised", type(error).__name__, str(error), repr(getattr(error, "output", None))
    return "returned", repr(value)


def ready(fds: list[int], how: str, timeout: float) -> list[tuple[int, int]]:
    """Return places and events of what is ready."""
    place = fds.index
    if how == "select":
        return [(place(fd), 1) for fd in select.select(fds, [], [], timeout)[0]]
    if how == "poll":
        poll = select.poll()
        for fd in fds:
            poll.register(fd, select.POLLIN | select.POLLPRI)
        return [(place(fd), mask) for fd, mask in poll.poll(timeout * 1000)]
    with getattr(selectors, how)() as selector:
        for fd in set(fds):
            selector.register(fd, selectors.EVENT_READ)
        return [(place(key.fd), mask) for key, mask in selector.select(timeout)]


def spawn(script: int, bufsize: int, text: bool, stdin: Any, stderr: Any) -> Started:
    """Start a child."""
    options: Any = {"encoding": "utf-8", "errors": "backslashreplace"} if text else {}
    child = Popen(["sh", "-c", SCRIPTS[script]], bufsize, None, stdin, PIPE, stderr, **options)
    return Started(child, script, text)


def perform(step: tuple[Any, ...], started: list[Started]) -> Any:
    """Do one step; those that would wait for ever are left out, by what the program knows."""
    name, at, *rest = step
    if name == "spawn":
        return outcome(lambda: started.append(spawn(at, *rest)) if len(started) < 3 else None)
    if name == "missing":
        return outcome(lambda: Popen(["/nowhere/program"], stdout=PIPE))
    if name == "ready":
        fds = [one.child.stdout.fileno() for one in started if one.child.stdout and not one.child.stdout.closed]
        return outcome(lambda: ready(fds, *rest))
    if not started:
        return None
    one = started[at % len(started)]
    return outcome(lambda: STEPS[name](one, *rest))


def write(one: Started, data: bytes) -> Any:
    """Write to its stdin."""
    return one.child.stdin and one.child.stdin.write(data.decode("latin-1") if one.text else data)


def write_by_descriptor(one: Started, data: bytes) -> Any:
    """Write past the stream."""
    return one.child.stdin and os.write(one.child.stdin.fileno(), data)


def read(one: Started, how: str, size: int) -> Any:
    """Read what is there by now, or all if the end will come."""
    out = one.child.stdout
    if how in ("read", "readline") and one.ends:
        return getattr(out, how)(size)
    if how == "read1" and hasattr(out, "read1") and select.select([out], [], [], 0.05)[0]:
        return out.read1(size)
    if how in ("os", "dup") and select.select([out], [], [], 0.05)[0]:
        fd = out.fileno()
        if how == "dup":
            fd = os.dup(fd)
            one.duplicates.append(fd)
        return os.read(fd, size)
    return None


def read_without_waiting(one: Started, size: int) -> Any:
    """Read from a pipe that does not block."""
    os.set_blocking(one.child.stdout.fileno(), False)
    try:
        return os.read(one.child.stdout.fileno(), size)
    finally:
        os.set_blocking(one.child.stdout.fileno(), True)


def communicate(one: Started, data: bytes | None, timeout: float | None) -> Any:
    """Bring it to its end, or to the end of the time."""
    given = data.decode("latin-1") if data is not None and one.text else data
    if one.script == ENDLESS or (one.child._communication_started and not one.ends):
        timeout = timeout or 0.01  # what was not sent before the time was over, CPython never sends
    return one.child.communicate(given if one.child.stdin else None, timeout)


STEPS: dict[str, Callable[..., Any]] = {
    "write": write,
    "write by descriptor": write_by_descriptor,
    "flush": lambda one: one.child.stdin and one.child.stdin.flush(),
    "close stdin": lambda one: one.child.stdin and one.child.stdin.close(),
    "close stdout": lambda one: one.child.stdout.close(),
    "read": read,
    "read without waiting": read_without_waiting,
    "poll": lambda one: one.child.poll(),
    "wait": lambda one, timeout: one.child.wait(timeout),
    "wait to the end": lambda one: one.child.wait() if one.ends else None,
    "waitpid": lambda one: os.waitpid(one.child.pid, os.WNOHANG)[1],
    "signal": lambda one, number: one.child.send_signal(number),
    "communicate": communicate,
}

which = st.integers(0, 2)
some = st.binary(max_size=20) | st.sampled_from([b"line\n", b"two\nlines\n"])
soon = st.sampled_from([0, 0.002, 0.01])
spawning = st.tuples(
    st.just("spawn"),
    st.integers(0, len(SCRIPTS) - 1),
    st.sampled_from([-1, 0, 1]),
    st.booleans(),
    st.sampled_from([PIPE, PIPE, DEVNULL]),
    st.sampled_from([PIPE, STDOUT, DEVNULL]),
).filter(lambda step: not (step[2] == 0 and step[3]) and not (step[2] == 1 and not step[3]))
step = st.one_of(
    st.tuples(st.sampled_from(["write", "write", "write by descriptor"]), which, some),
    st.tuples(st.sampled_from(["flush", "close stdin", "poll", "wait to the end", "waitpid", "flush"]), which),
    st.tuples(
        st.just("read"),
        which,
        st.sampled_from(["read", "readline", "read1", "os", "dup"]),
        st.sampled_from([1, 4, 500]),
    ),
    st.tuples(st.just("ready"), which, st.sampled_from(["select", "poll", "EpollSelector", "PollSelector"]), soon),
    st.tuples(st.just("read without waiting"), which, st.sampled_from([1, 500])),
    st.tuples(st.just("wait"), which, soon),
    st.tuples(st.just("signal"), which, st.sampled_from([15, 9, 18, 0])),
    st.tuples(st.just("communicate"), which, st.none() | some, st.none() | soon),
    st.tuples(st.just("close stdout"), which),
    st.tuples(st.just("missing"), which),
    spawning,
)
program = st.builds(lambda first, rest: [first, *rest], spawning, st.lists(step, max_size=12))


def run(steps: list[tuple[Any, ...]]) -> list[Any]:
    """Run a generated program; at its end every child is killed and waited for."""
    started: list[Started] = []
    results = [perform(step, started) for step in steps]
    for one in started:
        results.append(outcome(one.child.kill))
        results += [outcome(stream.close) for stream in (one.child.stdin, one.child.stdout, one.child.stderr) if stream]
        results.append(outcome(one.child.wait))
        for fd in one.duplicates:
            os.close(fd)
    return results


@given(program)
def test_replay_gives_the_same_outcomes_without_processes_and_records_the_same_bytes(
    steps: list[tuple[Any, ...]],
) -> None:
    """For any program of reads, writes, waits, signals, polls and their order, on up to three children at once."""
    with tempfile.TemporaryDirectory() as folder:
        tape, again = Path(folder, "a.tape"), Path(folder, "b.tape")
        with testbench.record(tape) as session:
            recorded = run(steps)
        assert session.leaks == []
        with pytest.MonkeyPatch.context() as world:
            world.setenv("PATH", "/nonexistent")
            world.setattr(subprocess, "_fork_exec", None)
            with testbench.replay(tape, rerecord=again):
                replayed = run(steps)
        assert replayed == recorded
        assert again.read_bytes() == tape.read_bytes()
