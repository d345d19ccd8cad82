"""Hand a child a pipe of ours instead of the program's own stdout, and pass on at once what it writes, keeping a copy.

The copy is needed because what a child writes to an inherited pipe is out of sight. A thread passes it on, since a
child that fills the pipe of a program that looks elsewhere must not stop. Processes that the child leaves behind are
never waited for: the thread goes on passing on what they write, and when the program ends, a process of its own does.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import select
from typing import Final

from testbench.inplace import real
from testbench.inplace.own import start_own_thread
from testbench.recorders.process._fds import own_pipe, write_all
from testbench.recorders.process._spool import Spool

_CHUNK: Final = 65_536
_MOST: Final = 1 << 20
"""So much is read before it is passed on: all that a pipe can hold, and a child that is faster than us has to wait."""

_PATIENCE_S: Final = 1.0
"""How long a program that ends waits for whoever reads its output."""

_PASS_ON: Final = "/bin/cat"

_RUNNING: Final[set[Pump]] = set()
_INHERITED: Final[dict[int, int]] = {}
"""Ends of our pipes that are being handed to a child, and the standard descriptor that each stands for."""


def stands_for(fd: int) -> int:
    """Return the standard descriptor for which a pipe of ours stands, or ``fd`` itself; sessions nest."""
    return _INHERITED.get(fd, fd)


class Pump:
    """One pipe to one target.

    Args:
        target: where the bytes go on to; an own duplicate is kept.
        standard: the standard descriptor, 1 or 2, that the child would have inherited.

    Attributes:
        handed: the end for the child; `hand_over` closes it.
    """

    def __init__(self, target: int, standard: int) -> None:
        self._read_end, self.handed = own_pipe()
        self._target = real.apart(target)
        self._kept: Spool | None = Spool()
        self._pending: list[bytes] = []
        self._reading = real.Mutex()
        self._writing = real.Mutex()
        self._open = True
        self._closed = False
        self._owner = real.getpid()
        _INHERITED[self.handed] = standard

    def hand_over(self, *, started: bool) -> None:
        """Close the child's end, now that the child has it; begin to pump if there is a child."""
        del _INHERITED[self.handed]
        real.close(self.handed)
        if started and self._owner == real.getpid():  # else this is the child of a fork, for which the pipe was made
            _RUNNING.add(self)
            start_own_thread(self._run)
        else:
            self._close()

    def look(self, *, ended: bool) -> int:
        """Return how many bytes have come that were not taken.

        Args:
            ended: the child is dead: all that it wrote is in the pipe, and is at its target when this returns.
        """
        if ended:
            self._read()
            self._pass_on()
        with self._reading:
            return len(self._kept or ())

    def take(self, size: int) -> bytes:
        """Take some of them."""
        with self._reading:
            return self._kept.get(size) if self._kept is not None else b""

    def forget(self) -> None:
        """Keep nothing any more: from now on it is only passed on."""
        with self._reading:
            kept, self._kept = self._kept, None
            if kept is not None:
                kept.close()

    def leave(self) -> None:
        """Leave what still comes to a process of its own, because this one ends: the child must not notice."""
        if self._owner != real.getpid() or not self._writing.acquire(True, _PATIENCE_S):
            return  # forked, or nobody reads what comes
        try:
            with self._reading:
                is_over, self._open = not self._open, False
            if not is_over:
                with contextlib.suppress(OSError):
                    write_all(self._target, b"".join(self._pending))
                    os.set_blocking(self._read_end, True)
                    actions = [(os.POSIX_SPAWN_DUP2, self._read_end, 0), (os.POSIX_SPAWN_DUP2, self._target, 1)]
                    real.posix_spawn(_PASS_ON, [_PASS_ON], {}, file_actions=actions, setsid=True)
        finally:
            self._writing.release()

    def abandon(self) -> None:
        """Be in the child of a fork, which has none of this to do."""
        self._reading, self._writing, self._kept = real.Mutex(), real.Mutex(), None
        if not self._closed:  # else it was being closed, and the numbers may be those of other files by now
            self._close()

    def _run(self) -> None:
        while self._open:
            real.wait_ready(self._read_end, select.POLLIN)
            self._read()
            self._pass_on()
        self._close()

    def _read(self) -> None:
        """Read all that is there."""
        with self._reading:
            left = _MOST
            while self._open and left > 0:
                try:
                    data = real.read(self._read_end, _CHUNK)
                except BlockingIOError:
                    return
                left -= len(data)
                if data:
                    if self._kept is not None:
                        self._kept.put(data)
                    self._pending.append(data)
                else:
                    self._open = False

    def _pass_on(self) -> None:
        """Write all that was read; nobody who reads has to wait for this, since a target may be full for long."""
        with self._writing:
            while not self._closed:
                with self._reading:
                    data = b"".join(self._pending)
                    self._pending.clear()
                if not data:
                    return
                try:
                    write_all(self._target, data)
                except OSError:
                    # Nobody reads the target any more, or its disk is full: the child finds that out from our pipe.
                    self._open = False
                    return

    def _close(self) -> None:
        with self._writing, self._reading:
            self._open, self._closed = False, True
            real.close(self._read_end)
            real.close(self._target)
        _RUNNING.discard(self)


def _in_forked_child() -> None:
    """Let go of the parent's pumps in the child of a fork: their threads are not here, and who held their locks."""
    while _RUNNING:
        _RUNNING.pop().abandon()


os.register_at_fork(after_in_child=_in_forked_child)


@atexit.register
def _leave() -> None:
    for pump in list(_RUNNING):
        pump.leave()
