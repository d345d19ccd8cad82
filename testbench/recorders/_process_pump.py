"""Hand a child a pipe of ours instead of the program's own stdout, and pass on at once what it writes, keeping a copy.

The copy is needed because what a child writes to an inherited pipe is out of sight. A thread passes it on, since a
child that fills the pipe of a program that looks elsewhere must not stop. Processes that the child leaves behind are
never waited for: the thread goes on passing on what they write.
"""

from __future__ import annotations

import select
from typing import Final

from testbench.inplace import real
from testbench.recorders._process_fds import own, own_pipe, write_all

_CHUNK: Final = 65_536

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
        self._target = own(target)
        self._kept: list[bytes] = []
        self._lock = real.allocate_lock()
        self._open = True
        _INHERITED[self.handed] = standard

    def hand_over(self, *, started: bool) -> None:
        """Close the child's end, now that the child has it; begin to pump if there is a child."""
        del _INHERITED[self.handed]
        real.close(self.handed)
        if started:
            real.start_new_thread(self._run, ())
        else:
            self._close()

    def take(self) -> bytes:
        """Return what has come since the last time, with all that is in the pipe by now."""
        with self._lock:
            self._drain()
            data = b"".join(self._kept)
            self._kept.clear()
        return data

    def _run(self) -> None:
        readable = select.poll()
        readable.register(self._read_end, select.POLLIN)
        while self._open:
            readable.poll()
            with self._lock:
                self._drain()
        self._close()

    def _drain(self) -> None:
        while self._open:
            try:
                data = real.read(self._read_end, _CHUNK)
            except BlockingIOError:
                return
            if data:
                self._pass_on(data)
            else:
                self._open = False

    def _pass_on(self, data: bytes) -> None:
        self._kept.append(data)
        try:
            write_all(self._target, data)
        except OSError:
            # Nobody reads the target any more (or its disk is full): the child finds that out from our pipe.
            self._open = False

    def _close(self) -> None:
        real.close(self._read_end)
        real.close(self._target)
