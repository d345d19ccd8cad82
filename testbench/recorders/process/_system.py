"""``os.system``: op ``system``, one event with the status and what the command wrote to the program's own streams."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the half of signal that makes no enums
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final

import attrs

from testbench.inplace import Redirect, real
from testbench.protocol import Plain
from testbench.recorders.process._child import Name
from testbench.recorders.process._children import Children
from testbench.recorders.process._outputs import Outputs
from testbench.recorders.process._spawn import as_plain
from testbench.recorders.process._stdio import outputs_of

_INHERITED: Final = {"stdin": 0, "stdout": 1, "stderr": 2}
"""The streams of a child of ``system(3)``: all three are the program's own."""

_NO_SHELL: Final = 127 << 8
"""What ``system(3)`` returns when the shell cannot be started: the wait status of exit 127."""


@attrs.define
class System:
    """``os.system`` for one session.

    Args:
        children: the children of the session.
        world: gives a class of Popen on which none of our redirects lies.
    """

    _children: Children
    _world: Any
    _original: Any = None

    def install(self, stack: ExitStack) -> None:
        """Redirect the function until the stack is closed."""
        redirect = Redirect(os.system)
        self._original = redirect.original
        stack.push(redirect)
        redirect.to(self._system)

    def _system(self, command: Any) -> int:
        children = self._children
        if children.passing():
            return self._original(command)  # type: ignore[no-any-return]  # a builtin's answer
        encoded = os.fsencode(command)  # raises as the builtin does
        outputs = outputs_of(_INHERITED, -1, children.pipe_named)
        ran: list[None] = []
        name = Name()
        children.births.begins(name, None, None)

        def effect() -> Plain:
            ran.append(None)
            children.births.starts(name)
            status = self._captured(encoded, outputs) if outputs.can_pump else self._original(command)
            return {"status": status, "stdout": None, "stderr": None, **outputs.take(ended=True)}

        try:
            outcome = children.cross("system", {"command": as_plain(command)}, effect, raises=(OSError, ValueError))
            children.output(outputs, outcome, "system", outputs.rest, bool, bool(ran))
            if ran:
                children.report_terminal(outputs.unseen)
        finally:
            outputs.close()
        children.births.ended(name)
        return outcome["status"]  # type: ignore[no-any-return]  # an effect's own answer

    def _captured(self, command: bytes, outputs: Outputs) -> int:
        """Run the command as ``system(3)`` does (POSIX: ``sh -c``), with pipes of ours as its stdout and stderr.

        As there, the program has no ear for the keyboard meanwhile: what is typed is for the command.
        """
        if b"\0" in command:
            return self._original(command)  # type: ignore[no-any-return]  # raises
        with outputs.pumping() as ends:
            try:
                child = self._world()(
                    ["sh", "-c", command],
                    executable="/bin/sh",
                    stdout=ends.get("stdout"),
                    stderr=ends.get("stderr"),
                    close_fds=False,
                    restore_signals=False,
                )
            except OSError:
                return _NO_SHELL
        with _deaf_to_the_keyboard():
            return os.waitpid(child.pid, 0)[1]  # by way of an outer session


@contextmanager
def _deaf_to_the_keyboard() -> Iterator[None]:
    """Ignore what the keyboard sends, as ``system(3)`` does; only the main thread can change what comes of signals."""
    if threading.get_ident() != threading.main_thread().ident:
        yield
        return
    before = {number: real.set_signal(number, _signal.SIG_IGN) for number in (_signal.SIGINT, _signal.SIGQUIT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:  # None: one that was not set by Python, and cannot be set by it
                real.set_signal(number, handler)
