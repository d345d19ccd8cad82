"""``os.fork`` and ``os.forkpty``: op ``fork``. The child is one process, as one that was spawned.

While recording it really is forked. It is a second copy of the program, which goes on from the same line, outside of
the session: nothing that it does is recorded, and the tape is the parent's alone. What the parent observes of it is its
end, and what comes through pipes, socket pairs and a terminal that both have. On replay nothing is forked.

A child may also write to memory that it shares with the parent, which nobody sees: that is reported, and refused on
replay.
"""

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final

import attrs

from testbench.inplace import Redirect, real
from testbench.inplace.forking import imitate_fork
from testbench.protocol import Plain
from testbench.recorders.process._child import Child, Name, Outcome
from testbench.recorders.process._children import Children
from testbench.recorders.process._direct import NUMBERS
from testbench.recorders.process._multiprocess import Processes
from testbench.recorders.process._outputs import NO_OUTPUTS, Outputs
from testbench.recorders.process._stdio import outputs_of

_SHARED: Final = b"rw-s"
"""How proc(5), ``/proc/pid/maps``, tells of memory that a child can write to and the parent sees."""

_SEMAPHORE: Final = b"/dev/shm/sem."

_INSTEAD: Final = (
    "send it through a pipe, a multiprocessing.Pipe or Queue; or mark the function that has the work done elsewhere "
    "with @testbench.boundary"
)


@attrs.define
class Forks:
    """Both functions, for one session.

    Args:
        children: the children of the session.
        processes: what multiprocessing keeps of its children.
    """

    _children: Children
    _processes: Processes

    def install(self, stack: ExitStack) -> None:
        """Redirect ``os.fork`` until the stack is closed."""
        if hasattr(os, "fork"):
            redirect = Redirect(os.fork)
            stack.push(redirect)
            redirect.to(lambda: self._fork(redirect.original))

    def forkpty(self, original: Callable[[], tuple[int, int]]) -> tuple[int, int]:
        """Fork a child that has a new terminal; return what ``os.forkpty`` does."""
        ends: list[int] = []

        def run() -> int:
            pid, fd = original()
            ends.append(fd)
            return pid

        pid, child = self._start("forkpty", run, NO_OUTPUTS)
        if not ends:
            ends[:] = os.openpty()
            real.close(ends.pop())
        if pid:
            self._children.channels.terminal(ends[0])
            self._children.channels.join(child.name, {"terminal": ends[0]})
        return pid, ends[0]

    def _fork(self, original: Callable[[], int]) -> int:
        if self._children.passing():
            return original()
        given = {name: number for name, number in NUMBERS.items() if _is_open(number)}
        return self._start("fork", original, outputs_of(given, -1, self._children.pipe_named))[0]

    def _start(self, by: str, run: Callable[[], int], outputs: Outputs) -> tuple[int, Child]:
        children, child = self._children, Child(Name(), outputs, {})
        self._processes.look()
        self._report_memory()
        left = children.channels.left_to_fork()
        made: list[Outcome] = []

        def effect() -> Plain:
            child.name.real_pid = _forked(run, outputs)
            made.append({"pid": child.name.real_pid and children.told(child.name.real_pid)})
            return made[-1]

        try:
            outcome = children.cross("fork", {"by": by}, effect, raises=(OSError,))
        except BaseException:
            outputs.close()
            raise
        pid: int = outcome["pid"]
        if pid:
            self._born(child, pid, taped=not made or outcome is not made[-1], replayed=not made, by=by)
            children.channels.inherit(child.name, left)
        return pid, child

    def _born(self, child: Child, pid: int, *, taped: bool, replayed: bool, by: str) -> None:
        child.name.alone = child
        self._children.born(child.name, pid, taped=taped)
        if replayed:
            imitate_fork()
            _warn_of_threads(by)
        else:
            self._children.report_terminal(child.outputs.unseen)

    def _report_memory(self) -> None:
        for shared in _shared_memory():
            self._children.leak("shared_memory", {"what": shared}, lambda: None, instead=_INSTEAD)


def _forked(run: Callable[[], int], outputs: Outputs) -> int:
    if not outputs.can_pump:
        return run()
    with outputs.pumping() as ends:
        pid = run()
        if pid == 0:
            for name, end in ends.items():
                real.dup2(end, NUMBERS[name], True)
        return pid


def _is_open(fd: int) -> bool:
    try:
        real.fstat(fd)
    except OSError:
        return False
    return True


def _shared_memory() -> list[str]:
    """Return what each piece of memory is that a child could write to, and the parent read: files, or nothing."""
    fd = real.open("/proc/self/maps", os.O_RDONLY | os.O_CLOEXEC)
    try:
        maps = b"".join(iter(lambda: real.read(fd, 65_536), b""))
    finally:
        real.close(fd)
    if _SHARED not in maps:
        return []
    found = [line.split(maxsplit=5) for line in maps.splitlines() if _SHARED in line]
    names = [line[5] if len(line) > 5 else b"anonymous" for line in found if line[1] == _SHARED]
    return sorted({os.fsdecode(name) for name in names if not name.startswith(_SEMAPHORE)})


def _warn_of_threads(by: str) -> None:
    """Warn as CPython does since 3.12, in ``warn_about_fork_with_threads`` of posixmodule.c, where it has forked."""
    if sys.version_info >= (3, 12) and len(threading._active) > 1:  # as CPython counts
        told = (
            f"This process (pid={real.getpid()}) is multi-threaded, use of {by}() may lead to deadlocks in the child."
        )
        warnings.warn(told, DeprecationWarning, stacklevel=2)
