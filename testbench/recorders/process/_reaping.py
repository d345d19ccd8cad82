"""Waiting for children by pid: ops ``waitpid``, ``wait3``, ``wait4`` and ``waitid``, each one event."""

from __future__ import annotations

import operator
import os
import resource
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final

from testbench.protocol import Plain
from testbench.recorders.process._channels import PIDFD
from testbench.recorders.process._child import Name
from testbench.recorders.process._children import Children
from testbench.recorders.process._pids import RAISES, Pids

_ENDED: Final = frozenset({os.CLD_EXITED, os.CLD_KILLED, os.CLD_DUMPED})
"""Codes of a child that has ended, waitid(2)."""

_FIELDS: Final = ("si_pid", "si_uid", "si_signo", "si_status", "si_code")


class Reaping:
    """``os.waitpid`` and its kin, for one session.

    Args:
        pids: what the pids of the session mean.
    """

    def __init__(self, pids: Pids) -> None:
        self._pids = pids
        self._children: Children = pids.children

    def install(self, stack: ExitStack) -> None:
        """Redirect the functions until the stack is closed."""
        redirect = self._pids.redirect
        waitpid = redirect(stack, os, "waitpid", self._waitpid)
        redirect(stack, os, "wait", lambda _: self._waitpid(waitpid, -1, 0))
        wait4 = redirect(
            stack, os, "wait4", lambda original, pid, options: self._wait4("wait4", original, pid, options)
        )
        redirect(stack, os, "wait3", lambda _, options: self._wait4("wait3", wait4, -1, options))
        redirect(stack, os, "waitid", self._waitid)

    def _waitpid(self, original: Callable[..., Any], pid: Any, options: Any) -> tuple[int, int]:
        if self._pids.is_strange(pid):
            return original(pid, options)  # type: ignore[no-any-return]  # a builtin's answer
        outcome = self._wait("waitpid", pid, options, original)
        return outcome["pid"], outcome["status"]

    def _wait4(self, op: str, original: Callable[..., Any], pid: Any, options: Any) -> tuple[int, int, Any]:
        if self._pids.is_strange(pid):
            return original(pid, options)  # type: ignore[no-any-return]  # a builtin's answer
        outcome = self._wait(op, pid, options, original)
        return outcome["pid"], outcome["status"], resource.struct_rusage(outcome["rusage"])

    def _wait(self, op: str, pid: int, options: Any, original: Callable[..., Any]) -> dict[str, Any]:
        pids, request = self._pids, {"child": self._pids.reference(pid), "options": operator.index(options)}

        def effect() -> Plain:
            found, status, *usage = original(pids.real(pid), options)
            used: dict[str, Plain] = {"rusage": list(usage[0])} if usage else {}
            return {"pid": pids.told(found), "status": status, **used, **self._output(found, ended=_is_end(status))}

        outcome = self._children.cross(op, request, effect, raises=RAISES)
        self._observed(outcome, outcome["pid"], reaped=_is_end(outcome["status"]))
        return outcome

    def _waitid(self, original: Callable[..., Any], idtype: Any, id: Any, options: Any) -> os.waitid_result | None:
        pids = self._pids
        who: Any = self._who(idtype, id)
        if who is None:
            return original(idtype, id, options)  # type: ignore[no-any-return]  # a builtin's answer
        if who is _UNKNOWN:
            return self._children.leak("waitid", {}, lambda: original(idtype, id, options))  # type: ignore[no-any-return]
        request: Plain = {"idtype": int(idtype), "child": who, "options": operator.index(options)}

        def effect() -> Plain:
            found = original(idtype, id if _is_pidfd(idtype) else pids.real(id), options)
            if found is None:
                return None
            told = {**dict(zip(_FIELDS, found, strict=True)), "si_pid": pids.told(found.si_pid)}
            return {**told, **self._output(found.si_pid, ended=found.si_code in _ENDED)}

        outcome: Any = self._children.cross("waitid", request, effect, raises=RAISES)
        if outcome is None:
            return None
        reaped = outcome["si_code"] in _ENDED and not options & os.WNOWAIT
        self._observed(outcome, outcome["si_pid"], reaped=reaped)
        if outcome["si_code"] in _ENDED and (name := self._children.named(outcome["si_pid"])) is not None:
            self._children.births.ended(name)
        return os.waitid_result([outcome[name] for name in _FIELDS])

    def _who(self, idtype: Any, id: Any) -> Plain | Any:
        """Return how a request names what is waited for; None if that is no crossing."""
        if not isinstance(idtype, int) or not isinstance(id, int):
            return None  # raises
        if idtype == os.P_ALL:
            return "any"
        if not _is_pidfd(idtype):
            return None if self._pids.is_strange(id) else self._pids.reference(id)
        channel = self._children.channels.find(id)
        if channel is None or channel.stream != PIDFD:
            return _UNKNOWN
        return self._children.reference(channel.name)

    def _output(self, real_pid: int, *, ended: bool) -> dict[str, Plain]:
        child = self._children.called(self._children.named_really(real_pid))
        return child.outputs.take(ended=ended) if child else {}

    def _observed(self, outcome: dict[str, Any], pid: int, *, reaped: bool) -> None:
        name: Name | None = self._children.named(pid)
        child = self._children.called(name)
        if child is None and name is not None and reaped:
            self._children.births.ended(name)
        if child:
            self._children.observed(child, {**outcome, "returncode": 0 if reaped else None})


_UNKNOWN: Final = object()


def _is_pidfd(idtype: int) -> bool:
    return idtype == getattr(os, "P_PIDFD", None)


def _is_end(status: int) -> bool:
    """Tell a wait status of the end of a process from one of a process that was stopped or goes on."""
    return os.WIFEXITED(status) or os.WIFSIGNALED(status)
