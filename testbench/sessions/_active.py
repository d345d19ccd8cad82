"""The open sessions of this process: one door for coming and going, and what a fork or an exit means to them all."""

from __future__ import annotations

import atexit
import operator
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from testbench.errors import RecordingError, TestbenchError, UsageError
from testbench.inplace.forking import is_imitated
from testbench.inplace.real import Mutex, exit_at_once


class OpenSession(Protocol):
    """What is asked of an open session from outside."""

    def close(self) -> None:
        """Restore the world and finish the tape."""

    def abort(self, error: BaseException | None = None) -> None:
        """Restore the world and set the tape aside."""

    def see_fork(self) -> None:
        """Be told that this thread forks, by whatever code."""

    def pause(self) -> None:
        """Be about to fork: have no thread of its own."""

    def resume(self) -> None:
        """Have forked, and be the parent."""

    def forked(self) -> None:
        """Be in the child of a fork: restore the world, touch no tape, leave `ACTIVE`."""


ACTIVE: Final[list[OpenSession]] = []
"""The open sessions, innermost last."""

_door: Final = Mutex()


@contextmanager
def alone() -> Iterator[None]:
    """Let one session come or go at a time, in all threads: redirects that interleave cannot be taken away again.

    Raises:
        UsageError: this thread is in the middle of it (a signal handler or finaliser opens or closes a session).
    """
    if _door._is_owned():  # type: ignore[attr-defined]  # public in all but name: threading.Condition lives on it
        raise UsageError("a session cannot be opened or closed while the same thread opens or closes one")
    with _door:
        yield


def end_at_once(status: int) -> None:
    """Stand for ``os._exit`` while a session is open: nobody else would ever tell how the session went.

    A session that ends badly has the last word on the exit status, as on the command line (70 and more).
    """
    status = operator.index(status)
    for session in reversed(ACTIVE[:]):
        try:
            session.close()
        except TestbenchError as failure:
            traceback.print_exception(failure)
            status = os.EX_SOFTWARE + failure.exit_status
    exit_at_once(status)


def _before_fork() -> None:
    """Let a process with an open session fork as the single thread that it is to its owner."""
    if is_imitated():
        return
    _door.acquire()
    for session in ACTIVE:
        session.see_fork()
        session.pause()


def _in_forked_parent() -> None:
    if is_imitated():
        return
    for session in ACTIVE:
        session.resume()
    _door.release()


def _in_forked_child() -> None:
    """Give the child of a fork the real world back; its crossings are not the parent's."""
    while ACTIVE:
        ACTIVE[-1].forked()
    _door.release()


def _at_exit() -> None:
    """Give the world back before the interpreter takes itself apart; a session that nobody closed is no good run."""
    while ACTIVE:
        if sys.stderr is not None:  # it is where descriptor 2 was closed when the interpreter started
            sys.stderr.write(
                "testbench: a session was still open when the program ended; close it, or use a with block\n"
            )
        ACTIVE[-1].abort(RecordingError("the session was never closed"))


atexit.register(_at_exit)
os.register_at_fork(before=_before_fork, after_in_parent=_in_forked_parent, after_in_child=_in_forked_child)
