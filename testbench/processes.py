"""The processes of a tape: the events of each child, its start and what was observed of it, folded into one value."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeAlias

from attrs import define, field

from testbench.protocol import Plain
from testbench.tape import Event, Raised, Returned

_SHELL: Final = "/bin/sh"
_WAITS: Final = ("waitpid", "wait3", "wait4", "waitid")
"""Ops whose outcome, not whose request, says which child it is about."""

_Key: TypeAlias = tuple[str, str]  # lane and child: children are numbered within the thread that started them


@define(kw_only=True)
class Process:
    """One child process, however the program started it, talked with it and waited for it.

    Attributes:
        seq: position of its spawn, or fork.
        lane: lane that started it.
        program: the program as it was given, None when only the shell was, and for a fork.
        argv: its arguments, the program first; a single command line for the shell; empty for a fork.
        shell: whether the shell ran it.
        cwd: working directory; None when none was given.
        env: environment variables that belong to the request, by name.
        pid: the pid that the program was told; None for a shell of ``os.system``.
        stdin: what the program sent to it, through its stdin, a terminal or another channel that became its stdin.
        stdout: what it wrote and the program or its files received; for a terminal all that came from there.
        stderr: the same for its stderr; empty where that went to where stdout went.
        returncode: exit status, negative for a signal; None when its end was never observed.
        duration_ns: from its start until its end was observed, or the last time that anything was asked of it.
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
    pid: Plain = None
    stdin: bytes = b""
    stdout: bytes = b""
    stderr: bytes = b""
    returncode: int | None = None
    duration_ns: int = 0
    error: Raised | None = None
    expired: bool = False
    _began_ns: int = field(default=0, repr=False)
    _growing: dict[str, bytearray] = field(factory=dict, repr=False)

    def observe(self, event: Event) -> None:
        """Add what an event says of this process."""
        request: dict[str, Any] = event.request if isinstance(event.request, dict) else {}
        if self.returncode is None:
            self.duration_ns = event.at_ns - self._began_ns
        if not isinstance(event.outcome, Returned):
            return
        value = event.outcome.value
        self._add("stdin", _bytes(request.get("input")) + _sent(request, value))
        if event.op == "read":
            value = {_OUTPUT.get(str(request.get("stream")), ""): value}
        if isinstance(value, dict):
            self._hear(value)

    def settle(self) -> None:
        """Be told that there are no more events."""
        for name, content in self._growing.items():
            setattr(self, name, bytes(content))
        self._growing.clear()

    def _add(self, name: str, content: bytes) -> None:
        if content:
            self._growing.setdefault(name, bytearray()).extend(content)

    def _hear(self, value: dict[str, Any]) -> None:
        self._add("stdout", _bytes(value.get("stdout")))
        self._add("stderr", _bytes(value.get("stderr")))
        self.expired |= value.get("timeout") is True
        if self.returncode is None:  # after a waitpid of the program's own, CPython can only guess, and says 0
            self.returncode = _end(value)


_OUTPUT: Final = {"stdout": "stdout", "stderr": "stderr", "terminal": "stdout", "stdin": "stdout"}
"""What reading from a stream gives: a child that talks both ways through its stdin writes there too."""


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
        if event.op in ("spawn", "fork"):
            process = _spawned(event)
            found.append(process)
            if process.error is None:
                started[event.lane] = started.get(event.lane, 0) + 1
                named[event.lane, repr(started[event.lane])] = process
                named["", repr({"pid": process.pid})] = process
        elif event.op == "system":
            found.append(_system(event))
            named[event.lane, repr("system")] = found[-1]
        elif (observed := _observed(event, named)) is not None:
            observed.observe(event)
    for process in found:
        process.settle()
        yield process


def _observed(event: Event, named: dict[_Key, Process]) -> Process | None:
    """Return the process that an event is about."""
    if event.op in _WAITS:
        answer = _answer(event)
        return named.get(("", repr({"pid": answer.get("pid", answer.get("si_pid"))})))
    if not isinstance(event.request, dict) or "child" not in event.request:
        return None
    child = repr(event.request["child"])
    return named.get((event.lane, child)) or named.get(("", child))


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
        began_ns=event.at_ns - event.took_ns,
    )


def _system(event: Event) -> Process:
    """Return the shell that ``os.system`` ran, with its end."""
    request: dict[str, Any] = event.request if isinstance(event.request, dict) else {}
    process = Process(
        seq=event.seq,
        lane=event.lane,
        program=_SHELL,
        argv=[request.get("command")],
        shell=True,
        cwd=None,
        env={},
        error=event.outcome if isinstance(event.outcome, Raised) else None,
        began_ns=event.at_ns - event.took_ns,
    )
    process.observe(event)
    return process


def _end(value: dict[str, Any]) -> int | None:
    """Return the exit status that an outcome tells, None if the process goes on; also when it was only stopped."""
    code, status = value.get("returncode"), value.get("status")
    if isinstance(code, int):
        return code
    if value.get("si_code") == os.CLD_EXITED:
        return int(value["si_status"])
    if value.get("si_code") in (os.CLD_KILLED, os.CLD_DUMPED):
        return -int(value["si_status"])
    if isinstance(status, int) and value.get("pid") != 0 and (os.WIFEXITED(status) or os.WIFSIGNALED(status)):
        return os.waitstatus_to_exitcode(status)
    return None


def _sent(request: dict[str, Any], value: Plain) -> bytes:
    """Return how much of what was written has been taken: all, where the answer is no number of bytes."""
    if str(request.get("stream", "stdin")) not in _OUTPUT:
        return b""  # a further descriptor of the child's
    data = _bytes(request.get("data"))
    return data[:value] if isinstance(value, int) else data


def _answer(event: Event) -> dict[str, Any]:
    value = event.outcome.value if isinstance(event.outcome, Returned) else None
    return value if isinstance(value, dict) else {}


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else b""
