"""Descriptors that stand for a child, ``os.pidfd_open``: op ``pidfd_open``; signals by them: op ``pidfd_signal``.

What is waited for with such a descriptor is answered as for every other descriptor that leads to a child. On replay it
is the end of a pipe, so that the program has a descriptor to register and to close.
"""

from __future__ import annotations

import contextlib
import operator
import os
import re
import signal
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final

import attrs

from testbench.inplace import real
from testbench.inplace.own_pid import real_pid
from testbench.protocol import Plain
from testbench.recorders.process._channels import PIDFD
from testbench.recorders.process._fds import identity
from testbench.recorders.process._pids import RAISES, Pids

_OTHERWISE: Final = (
    "open it with os.pidfd_open inside of the session, for a child of the session, and do not duplicate it"
)


@attrs.frozen
class Pidfds:
    """The functions that make and use them, for one session.

    Args:
        pids: what the pids of the session mean.
    """

    _pids: Pids
    _stand_ins: set[tuple[int, int]] = attrs.field(init=False, factory=set)

    def install(self, stack: ExitStack) -> None:
        """Redirect the functions until the stack is closed."""
        self._pids.redirect(stack, os, "pidfd_open", self._open)
        self._pids.redirect(stack, signal, "pidfd_send_signal", self._send)

    def _open(self, original: Callable[..., int], pid: Any, flags: Any = 0) -> int:
        pids, children = self._pids, self._pids.children
        pid = real_pid(pid)
        name = children.named(pid)
        if not isinstance(pid, int) or pid <= 0 or pids.is_own(pid) or pids.is_off_tape(pid):
            return original(pid, flags)  # without a pid it raises
        if name is None:
            return children.leak("pidfd_open", {"pid": pid}, lambda: original(pid, flags), instead=_OTHERWISE)  # type: ignore[no-any-return]
        made: list[int] = []

        def effect() -> Plain:
            made.append(original(pids.real(pid), flags))
            return {"fd": made[-1]}

        request: Plain = {"child": children.reference(name), "flags": operator.index(flags)}
        outcome = children.cross("pidfd_open", request, effect, raises=RAISES)
        fd: int = made[-1] if made else _stand_in(outcome["fd"])
        if not made:
            self._stand_ins.add(identity(fd))
        children.channels.join(name, {PIDFD: fd})
        return fd

    def _send(self, original: Callable[..., None], pidfd: Any, sig: Any, *rest: Any) -> None:
        children = self._pids.children
        channel = children.channels.find(pidfd) if isinstance(pidfd, int) else None
        if channel is not None and channel.stream == PIDFD:
            name = channel.name

            def effect() -> None:
                name.check_real()
                original(pidfd, sig, *rest)

            request: Plain = {"child": children.reference(name), "signal": operator.index(sig)}
            children.cross("pidfd_signal", request, effect, raises=(*RAISES, TypeError))
        elif isinstance(pidfd, int) and (_is_another(pidfd) or self._is_stand_in(pidfd)):
            children.leak("pidfd_signal", {}, lambda: original(pidfd, sig, *rest), instead=_OTHERWISE)
        else:
            original(pidfd, sig, *rest)

    def _is_stand_in(self, fd: int) -> bool:
        """Tell whether this is a duplicate of one that was made up."""
        with contextlib.suppress(OSError):
            return identity(fd) in self._stand_ins
        return False


def _stand_in(wanted: int) -> int:
    """Return a descriptor that is at its end, under the given number if that is free."""
    fd, writing = real.pipe()
    real.close(writing)
    if fd == wanted or not real.dup_to(fd, wanted):
        return fd
    real.close(fd)
    return wanted


def _is_another(pidfd: int) -> bool:
    """Tell whether this stands for another process than the program: it is a pidfd, or a directory in ``/proc``."""
    with contextlib.suppress(OSError):
        target = os.readlink(f"/proc/self/fd/{pidfd}")
        if target == "anon_inode:[pidfd]":
            with open(f"/proc/self/fdinfo/{pidfd}", encoding="ascii") as told:
                return f"Pid:\t{real.getpid()}\n" not in told.read()
        return re.fullmatch(r"/proc/\d+", target) is not None and target != f"/proc/{real.getpid()}"
    return False
