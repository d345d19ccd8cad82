"""``pty.spawn``: its child is a ``spawn`` like any other, and what is said through the terminal are channel events.

CPython's own code runs; only where it forks, a child is started that has the terminal from the beginning, and is the
leader of its session. Programs that fork a terminal themselves go on as after every other fork.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from types import FrameType
from typing import Any, Final

import attrs

from testbench.inplace import Redirect, real
from testbench.protocol import Plain
from testbench.recorders.process._direct import NUMBERS, Direct, Streams
from testbench.recorders.process._forks import Forks

_UNFIT: Final = (OSError, TypeError, ValueError)


@attrs.define
class PtySpawn:
    """``os.forkpty`` as `pty.spawn` calls it, for one session.

    Args:
        direct: starts the children.
        forks: forks them, where it is not `pty.spawn` that does.
    """

    _direct: Direct
    _forks: Forks

    def install(self, stack: ExitStack) -> None:
        """Redirect the function until the stack is closed."""
        children = self._direct.children
        if not hasattr(os, "forkpty"):
            return
        redirect = Redirect(os.forkpty)
        original, forks = redirect.original, self._forks

        def forkpty() -> tuple[int, int]:
            if children.passing():
                return original()  # type: ignore[no-any-return]  # a builtin's answer
            argv = _spawned_by_pty()
            try:
                return self._spawn(list(argv)) if argv else forks.forkpty(original)
            except _UNFIT:
                # CPython would find that out in the copy of the program that it had forked.
                return forks.forkpty(original)

        stack.push(redirect)
        redirect.to(forkpty)

    def _spawn(self, argv: list[Any]) -> tuple[int, int]:
        master, slave = os.openpty()
        try:
            pid = self._start(argv, os.ttyname(slave))
        except BaseException:
            os.close(master)
            raise
        finally:
            real.close(slave)
        children = self._direct.children
        name = children.named(pid)
        assert name is not None
        children.channels.join(name, {"terminal": master})
        os.set_inheritable(master, True)  # as forkpty(3) leaves it
        return pid, master

    def _start(self, argv: list[Any], terminal: str) -> int:
        shapes: dict[str, Plain] = dict.fromkeys(NUMBERS, "terminal")
        # A leader of a session without a terminal gets the one that it opens first (tty_ioctl(4), TIOCSCTTY).
        actions: list[Any] = [(os.POSIX_SPAWN_OPEN, 0, terminal, os.O_RDWR, 0)]
        actions += [(os.POSIX_SPAWN_DUP2, 0, number) for number in (1, 2)]

        def run(_: dict[str, int]) -> tuple[int, None]:
            return os.posix_spawnp(argv[0], argv, os.environ, file_actions=actions, setsid=True), None

        return self._direct.start(argv, argv[0], None, Streams({}, shapes), {"by": "pty.spawn"}, run)


def _spawned_by_pty() -> Any:
    """Return what `pty.spawn` is about to run, if it is that which forks."""
    pty: Any = sys.modules.get("pty")
    if pty is None:
        return None
    forks, spawns = _code_of(pty.fork), _code_of(pty.spawn)
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code is not forks:
        if frame.f_globals.get("__name__", "").partition(".")[0] != __package__.partition(".")[0]:
            return None  # beyond our own stand-ins for the function, which are one or two deep
        frame = frame.f_back
    caller = None if frame is None else frame.f_back
    return caller.f_locals.get("argv") if caller is not None and caller.f_code is spawns else None


def _code_of(function: Callable[..., Any]) -> Any:
    return getattr(function, "__code__", None)
