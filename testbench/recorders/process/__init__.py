"""The kind ``process``: the child processes that a program starts, and what it observes of them.

The unit is the observation, in two grains that a program may mix. What the standard library does as one step is one
event: ``spawn`` starts a child, ``communicate`` brings all of its output and its end; ``subprocess.run`` is these two;
``wait``, ``poll``, ``signal``, and ``system`` for ``os.system``. Such events mean the same on every CPython. What a
program does piecemeal is recorded piecemeal, system call by system call: ``read``, ``write`` and ``send`` through
streams or descriptors, ``ready`` for ``select``, ``poll`` and ``epoll``, so for asyncio as well, and by pid
``waitpid``, ``wait3``, ``wait4``, ``waitid``, ``kill``, ``killpg``, ``getpgid``, ``getsid``, ``pidfd_open``.

Bytes are bytes: they are recorded as the pipe gave them, and decoded after that. A child's output that bypasses the
program (inherited, or sent to a file) is recorded as well and appears in the same place on replay; only what goes to a
terminal of the user does not. What does not fit in one event, a child may write without end, comes in further ones,
``output``, so memory is bounded where the program's own is; what a channel is asked besides bytes, ``ioctl`` and the
state of a terminal, is an event too. Replaying starts no process and sends no signal, except to the program itself.

A child of ``os.fork`` is one process like any other, op ``fork``; what goes on within it is not recorded. So it is with
multiprocessing by way of fork; its semaphores are events, ``semaphore``.

What cannot be recorded is reported while recording and refused on replay: ``exec``, the other ways of multiprocessing,
memory that a forked child shares with the program, and children that talk with somebody else through a socket or
terminal of the program.
"""

from __future__ import annotations

import functools
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from testbench.errors import UnsupportedError, UsageError
from testbench.inplace import UndoStack
from testbench.protocol import Call
from testbench.recorders._births import Births
from testbench.recorders.process._beyond import install_beyond
from testbench.recorders.process._children import Children, Lasting
from testbench.recorders.process._control import Control
from testbench.recorders.process._descriptors import Descriptors
from testbench.recorders.process._direct import Direct
from testbench.recorders.process._forks import Forks
from testbench.recorders.process._makers import install_makers
from testbench.recorders.process._match import MATCHERS
from testbench.recorders.process._multiprocess import Processes
from testbench.recorders.process._pidfd import Pidfds
from testbench.recorders.process._pids import PidFunctions, Pids
from testbench.recorders.process._popen import PopenMethods
from testbench.recorders.process._posix import PosixSpawn
from testbench.recorders.process._pty import PtySpawn
from testbench.recorders.process._ready import Readiness
from testbench.recorders.process._reaping import Reaping
from testbench.recorders.process._semaphores import install_semaphores
from testbench.recorders.process._spawnv import Spawnv
from testbench.recorders.process._streams import PIECES
from testbench.recorders.process._system import System


class Process:
    """The recorder of kind ``process``.

    Args:
        env: names of environment variables that belong to a request, with the values that the child gets; no others
            reach the tape.
        virtual_pids: tell the program pids that repeat from run to run (5000000, 5000001, …) instead of the system's.
        lasting: begins a wait, and gives what is told for how many seconds it has been in vain, where the clock of the
            program stands still.
        births: those who want to know of children.
    """

    kind = "process"
    version = 1
    matchers = MATCHERS
    pieces = PIECES

    def __init__(
        self,
        env: tuple[str, ...] = (),
        virtual_pids: bool = False,
        lasting: Lasting | None = None,
        births: Births | None = None,
    ) -> None:
        self._env_names = tuple(env)
        self._virtual_pids = virtual_pids
        self._lasting = lasting
        self._births = births
        self._installed = False

    @contextmanager
    def install(self, call: Call) -> Iterator[None]:
        """Send what the program does with processes through ``call``; see `testbench.protocol.Recorder`.

        Raises:
            UnsupportedError: functions cannot be redirected on this interpreter, or its Popen is not the one we know.
            UsageError: this recorder is installed already.
        """
        if self._installed:
            raise UsageError("this process recorder is installed already; make a new Process for each session.")
        _check_system(_DESCRIPTORS)
        children = Children(call, virtual_pids=self._virtual_pids, lasting=self._lasting, births=self._births)
        with UndoStack() as stack:
            stack.callback(children.hand_over)
            popen = PopenMethods(children, self._env_names)
            popen.install(stack)
            pids = Pids(children)
            PidFunctions(pids).install(stack)
            Reaping(pids).install(stack)
            Pidfds(pids).install(stack)
            descriptors = Descriptors(children)
            descriptors.install(stack)
            install_makers(children, descriptors, stack)
            Control(children).install(stack)
            Readiness(children).install(stack)
            System(children, popen.world).install(stack)
            direct = Direct(children, self._env_names)
            PosixSpawn(direct, pids).install(stack)
            Spawnv(direct, popen.world).install(stack)
            forks = Forks(children, Processes(stack))
            forks.install(stack)
            PtySpawn(direct, forks).install(stack)
            install_semaphores(children, stack)
            install_beyond(children, stack)
            self._installed = True
            stack.callback(setattr, self, "_installed", False)
            yield

    def run(self, *args: Any, **options: Any) -> subprocess.CompletedProcess[Any]:
        """Run a program to its end, as `subprocess.run`, which takes the same arguments.

        Raises:
            UsageError: the recorder is not installed.
            OSError, subprocess.SubprocessError, ValueError, TypeError: as `subprocess.run`.
        """
        if not self._installed:
            raise UsageError(
                "the process recorder is not installed, so it cannot run anything; use it inside a session."
            )
        return subprocess.run(*args, **options)


_DESCRIPTORS = "/proc/self/fd"


@functools.cache
def _check_system(directory: str) -> None:
    if not os.path.exists(directory):
        raise UnsupportedError(
            "there is no /proc/self/fd, where the process recorder looks up what descriptors lead to; mount /proc, or "
            'record without processes: recorders=("clock", "call").'
        )
