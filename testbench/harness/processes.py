"""The processes of a tape: the events of each child, its start and what was observed of it, folded into one value."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeAlias

from attrs import define, field

from testbench.protocol import Plain
from testbench.tape import Event, Raised, Returned

_STREAMS: Final = ("stdout", "stderr")
_SHELL: Final = "/bin/sh"

_Key: TypeAlias = tuple[str, str]  # lane and child: children are numbered within the thread that started them


@define(kw_only=True)
class Process:
    """One child process.

    Attributes:
        seq: position of its spawn.
        lane: lane that started it.
        program: the program as it was given, None when only the shell was.
        argv: its arguments, the program first; a single command line for the shell.
        shell: whether the shell ran it.
        cwd: working directory; None when none was given.
        env: environment variables that belong to the request, by name.
        sent: what the program sent to its stdin.
        stdout: what it wrote and the program or its files received.
        stderr: the same.
        returncode: exit status, negative for a signal; None when its end was never observed.
        duration_ns: time that its start and the observations of it took.
        error: why it could not be started, if so.
        expired: whether an observation ended by a timeout.
    """

    seq: int
    lane: str
    program: Plain
    argv: list[Plain]
    shell: bool
    cwd: Plain
    env: dict[str, Plain]
    sent: bytes = b""
    stdout: bytes = b""
    stderr: bytes = b""
    returncode: int | None = None
    duration_ns: int = 0
    error: Raised | None = None
    expired: bool = False
    pid: Plain = field(default=None, repr=False)

    def observe(self, event: Event) -> None:
        """Add what an event says of this process."""
        request: dict[str, Any] = event.request if isinstance(event.request, dict) else {}
        self.duration_ns += event.took_ns
        self.sent += _bytes(request.get("input")) + _bytes(request.get("data"))
        if not isinstance(event.outcome, Returned):
            return
        value = event.outcome.value
        if isinstance(value, bytes) and request.get("stream") in _STREAMS:
            value = {request["stream"]: value}
        if isinstance(value, dict):
            self._hear(value)

    def _hear(self, value: dict[str, Any]) -> None:
        self.stdout += _bytes(value.get("stdout"))
        self.stderr += _bytes(value.get("stderr"))
        self.expired |= value.get("timeout") is True
        if self.returncode is not None:
            return  # after a waitpid of the program's own, CPython can only guess, and says 0
        if isinstance(value.get("returncode"), int):
            self.returncode = value["returncode"]
        elif isinstance(value.get("status"), int) and value.get("pid") != 0:  # waitpid of one that still runs
            self._end(value["status"])

    def _end(self, status: int) -> None:
        """Take over a wait status; a process that was only stopped goes on."""
        if os.WIFEXITED(status) or os.WIFSIGNALED(status):
            self.returncode = os.waitstatus_to_exitcode(status)


def processes(events: Iterable[Event]) -> Iterator[Process]:
    """Fold events into processes, in the order of their spawns.

    Args:
        events: events of a tape, in order; kinds other than ``process`` are passed over.
    """
    found: list[Process] = []
    named: dict[_Key, Process] = {}
    started: dict[str, int] = {}
    for event in events:
        if event.kind != "process":
            continue
        if event.op == "spawn":
            process = _spawned(event)
            found.append(process)
            if process.error is None:
                started[event.lane] = started.get(event.lane, 0) + 1
                named[event.lane, repr(started[event.lane])] = process
                named["", repr({"pid": process.pid})] = process
        elif event.op == "system":
            found.append(_system(event))
        elif isinstance(event.request, dict) and "child" in event.request:
            child = repr(event.request["child"])
            observed = named.get((event.lane, child)) or named.get(("", child))
            if observed is not None:
                observed.observe(event)
    yield from found


def _spawned(event: Event) -> Process:
    request: dict[str, Any] = event.request if isinstance(event.request, dict) else {}
    answer = _answer(event)
    argv, env = request.get("argv"), answer.get("env", request.get("env"))
    return Process(
        seq=event.seq,
        lane=event.lane,
        program=request.get("program"),
        argv=argv if isinstance(argv, list) else [],
        shell=request.get("shell") is True,
        cwd=request.get("cwd"),
        env={name: value for name, value in env.items() if value is not None} if isinstance(env, dict) else {},
        duration_ns=event.took_ns,
        error=event.outcome if isinstance(event.outcome, Raised) else None,
        pid=answer.get("pid"),
    )


def _system(event: Event) -> Process:
    """Return the shell that ``os.system`` ran, with its end."""
    request: dict[str, Any] = event.request if isinstance(event.request, dict) else {}
    error = event.outcome if isinstance(event.outcome, Raised) else None
    argv: list[Plain] = [request.get("command")]
    process = Process(
        seq=event.seq, lane=event.lane, program=_SHELL, argv=argv, shell=True, cwd=None, env={}, error=error
    )
    process.observe(event)
    return process


def _answer(event: Event) -> dict[str, Any]:
    value = event.outcome.value if isinstance(event.outcome, Returned) else None
    return value if isinstance(value, dict) else {}


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else b""
