"""What pids mean, and functions of the module os that take one: from a tape, it may be a stranger's by now."""

from __future__ import annotations

import operator
import os
from collections.abc import Callable
from contextlib import ExitStack
from types import ModuleType
from typing import Any, Final

import attrs

from testbench.inplace import Redirect, real
from testbench.inplace.own_pid import OwnPid, real_pid
from testbench.protocol import Plain
from testbench.recorders.process._children import Children

RAISES: Final = (OSError, OverflowError)


@attrs.frozen
class Pids:
    """What the pids of one session mean.

    Args:
        children: the children of the session.
    """

    children: Children

    def redirect(self, stack: ExitStack, module: ModuleType, name: str, body: Callable[..., Any]) -> Any:
        """Redirect a function until the stack is closed; return the original, which ``body`` gets first.

        Nothing happens where the module has no such function.
        """
        if not hasattr(module, name):
            return None
        redirect = Redirect(getattr(module, name))
        original, passing = redirect.original, self.children.passing

        def function(*args: Any, **options: Any) -> Any:
            return original(*args, **options) if passing() else body(original, *args, **options)

        stack.push(redirect)
        redirect.to(function)
        return original

    def is_off_tape(self, pid: Any) -> bool:
        """Tell whether this is a child that was reported when it started: all of it goes straight through."""
        name = self.children.named(pid)
        return name is not None and not name.taped

    def is_strange(self, pid: Any) -> bool:
        """Tell whether waiting for this pid is none of our business.

        It is no number, or not from a tape: it was forked, which is reported, or it is no child at all.
        """
        return not isinstance(pid, int) or self.is_off_tape(pid) or (pid > 0 and self.children.named(pid) is None)

    def is_own(self, pid: Any) -> bool:
        """Tell whether this pid, which went through `real_pid`, means the program itself.

        On replay a child may have had the number of this process, and it is the child that the program knows by it.
        """
        return pid in (0, real.getpid()) and (type(pid) is OwnPid or self.children.named(pid) is None)

    def reference(self, pid: int) -> Plain:
        """Return how requests name a process."""
        name = self.children.named(pid)
        if name is not None and name.taped:
            return self.children.reference(name)
        return "parent" if pid == real.getppid() else {"pid": int(pid)}

    def real(self, pid: Any) -> Any:
        """Return the pid, or negative process group, that the operating system knows; for effects."""
        name = self.children.named(abs(pid)) if isinstance(pid, int) else None
        if name is None:
            return pid
        name.check_real()
        return name.real_pid if pid > 0 else -name.real_pid

    def told(self, real_pid: int) -> int:
        """Return the pid that the program knows."""
        name = self.children.named_really(real_pid)
        return real_pid if name is None else name.pid


@attrs.frozen
class PidFunctions:
    """``os.kill``, ``killpg``, ``getpgid`` and ``getsid``, for one session."""

    _pids: Pids

    def install(self, stack: ExitStack) -> None:
        """Redirect the functions until the stack is closed."""
        for name, body in (("kill", self._kill), ("killpg", self._killpg)):
            self._pids.redirect(stack, os, name, body)
        for name in ("getpgid", "getsid"):
            self._pids.redirect(stack, os, name, self._group(name))

    def _kill(self, original: Callable[..., Any], pid: Any, signal: Any, /) -> None:
        """Send a signal to another process: op ``kill``; to the program itself it is no crossing."""
        self._send("kill", original, pid, signal, ours=self._pids.is_own(pid))

    def _killpg(self, original: Callable[..., Any], pgid: Any, signal: Any, /) -> None:
        """Send a signal to another process group: op ``killpg``."""
        self._send("killpg", original, pgid, signal, ours=pgid in (0, os.getpgrp()))

    def _send(self, op: str, original: Callable[..., Any], pid: Any, signal: Any, *, ours: bool) -> None:
        pids = self._pids
        if ours or not isinstance(pid, int) or pids.is_off_tape(pid):
            original(pid, signal)
            return
        request = {"child": pids.reference(pid), "signal": operator.index(signal)}
        pids.children.cross(op, request, lambda: original(pids.real(pid), signal), raises=RAISES)

    def _group(self, op: str) -> Callable[..., Any]:
        pids = self._pids

        def group(original: Callable[..., Any], pid: Any, /) -> int:
            pid = real_pid(pid)
            if not isinstance(pid, int) or pids.is_own(pid) or pids.is_off_tape(pid):
                return original(pid)  # type: ignore[no-any-return]  # a builtin's answer

            def effect() -> Plain:
                return {"id": pids.told(original(pids.real(pid)))}

            outcome = pids.children.cross(op, {"child": pids.reference(pid)}, effect, raises=RAISES)
            return outcome["id"]  # type: ignore[no-any-return]  # an effect's own answer

        return group
