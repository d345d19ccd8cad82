"""Functions of the module os that take a pid: one from a tape may be a stranger's by now and must not be used."""

from __future__ import annotations

import operator
import os
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final

from testbench.inplace import Redirect, real
from testbench.protocol import Plain
from testbench.recorders._process_children import Children

RAISES: Final = (OSError, OverflowError)

_OTHER_WAITS: Final = ("wait3", "wait4", "waitid")
"""Ways to wait that are not recorded: they tell more than a status."""


class PidFunctions:
    """``os.waitpid``, ``kill``, ``killpg``, ``getpgid``, ``getsid`` and their kin, for one session."""

    def __init__(self, children: Children) -> None:
        self._children = children
        self._originals: dict[str, Callable[..., Any]] = {}

    def install(self, stack: ExitStack) -> None:
        """Redirect the functions until the stack is closed."""
        bodies: dict[str, Callable[..., Any]] = {
            "waitpid": self.waitpid,
            "wait": lambda: self.waitpid(-1, 0),
            "kill": self.kill,
            "killpg": self.killpg,
            "getpgid": lambda pid: self._group_of("getpgid", pid),
            "getsid": lambda pid: self._group_of("getsid", pid),
            "pidfd_open": self.pidfd_open,
        }
        for name in _OTHER_WAITS:
            bodies[name] = self._leaking(name)
        for name, body in bodies.items():
            if hasattr(os, name):
                self._redirect(stack, name, body)

    def _redirect(self, stack: ExitStack, name: str, body: Callable[..., Any]) -> None:
        redirect = Redirect(getattr(os, name))
        original = self._originals[name] = redirect.original
        passing = self._children.passing

        def function(*args: Any, **kwargs: Any) -> Any:
            return original(*args, **kwargs) if passing() else body(*args, **kwargs)

        stack.callback(redirect.restore)
        redirect.to(function)

    def waitpid(self, pid: Any, options: Any, /) -> tuple[int, int]:
        """Wait for a child, or for any: op ``waitpid``."""
        original, asked = self._originals["waitpid"], self._children.named(pid)
        if not isinstance(pid, int) or self._is_off_tape(pid) or (asked is None and pid > 0):
            # Not from a tape: it was forked, which is reported, or it is no child at all.
            return original(pid, options)  # type: ignore[no-any-return]  # a builtin's answer
        request: Plain = {"child": self._reference(pid), "options": operator.index(options)}

        def effect() -> Plain:
            found, status = original(self._real(pid), options)
            child = self._children.called(self._children.named_really(found))
            output = child.outputs.take(ended=_is_end(status)) if child else {}
            return {"pid": self._told(found), "status": status, **output}

        outcome = self._children.cross("waitpid", request, effect, raises=RAISES)
        child = self._children.called(self._children.named(outcome["pid"]))
        if child:
            child.observed({**outcome, "returncode": 0 if _is_end(outcome["status"]) else None})
        return outcome["pid"], outcome["status"]

    def kill(self, pid: Any, signal: Any, /) -> None:
        """Send a signal to another process: op ``kill``; to the program itself it is no crossing."""
        self._send("kill", pid, signal, ours=pid in (0, real.getpid()))

    def killpg(self, pgid: Any, signal: Any, /) -> None:
        """Send a signal to another process group: op ``killpg``."""
        self._send("killpg", pgid, signal, ours=pgid in (0, os.getpgrp()))

    def _send(self, op: str, pid: Any, signal: Any, *, ours: bool) -> None:
        original = self._originals[op]
        if ours or not isinstance(pid, int) or self._is_off_tape(pid):
            original(pid, signal)
            return
        request = {"child": self._reference(pid), "signal": operator.index(signal)}
        self._children.cross(op, request, lambda: original(self._real(pid), signal), raises=RAISES)

    def _group_of(self, op: str, pid: Any) -> int:
        original = self._originals[op]
        if not isinstance(pid, int) or pid in (0, real.getpid()) or self._is_off_tape(pid):
            return original(pid)  # type: ignore[no-any-return]  # a builtin's answer

        def effect() -> Plain:
            return {"id": self._told(original(self._real(pid)))}

        return self._children.cross(op, {"child": self._reference(pid)}, effect, raises=RAISES)["id"]  # type: ignore[no-any-return]

    def pidfd_open(self, pid: Any, *args: Any, **kwargs: Any) -> Any:
        """Be reported: what is waited for with such a descriptor is not recorded yet."""
        original = self._originals["pidfd_open"]
        if pid == real.getpid() or self._is_off_tape(pid):
            return original(pid, *args, **kwargs)
        return self._children.leak("pidfd_open", {"pid": pid}, lambda: original(self._real(pid), *args, **kwargs))

    def _leaking(self, name: str) -> Callable[..., Any]:
        return lambda *args, **kwargs: self._children.leak(name, {}, lambda: self._originals[name](*args, **kwargs))

    def _is_off_tape(self, pid: Any) -> bool:
        """Tell whether this is a child that was reported when it started: all of it goes straight through."""
        name = self._children.named(pid)
        return name is not None and not name.taped

    def _reference(self, pid: int) -> Plain:
        name = self._children.named(pid)
        if name is not None and name.taped:
            return self._children.reference(name)
        return "parent" if pid == os.getppid() else {"pid": pid}

    def _real(self, pid: Any) -> Any:
        """Return the pid, or negative process group, that the operating system knows."""
        name = self._children.named(abs(pid)) if isinstance(pid, int) else None
        if name is None:
            return pid
        name.check_real()
        return name.real_pid if pid > 0 else -name.real_pid

    def _told(self, real_pid: int) -> int:
        name = self._children.named_really(real_pid)
        return real_pid if name is None else name.pid


def _is_end(status: int) -> bool:
    """Tell a wait status of the end of a process from one of a process that was stopped or goes on."""
    return os.WIFEXITED(status) or os.WIFSIGNALED(status)
