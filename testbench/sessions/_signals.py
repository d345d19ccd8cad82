"""The program's signal handlers, each behind one of ours, and the program none the wiser.

Only handlers written in Python and given by the program are followed; ``SIG_DFL``, ``SIG_IGN`` and the interpreter's
own `signal.default_int_handler` (KeyboardInterrupt) stay as they are. The interpreter runs handlers in the main thread
alone, and only that may install them: a session that another thread opens follows the handlers that are installed
while it is open, not those that were there before.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the functions themselves; those of signal call them
import _thread
import os
import signal
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final, NamedTuple, Protocol

import attrs

from testbench.inplace import Redirect
from testbench.inplace.own_pid import real_pid
from testbench.inplace.real import get_ident, getpid
from testbench.sessions._lanes import Lane

_INTERPRETERS: Final = (_signal.default_int_handler,)

_VALID: Final = tuple(sorted(_signal.valid_signals()))

_NO_HANDLERS: Final = (int, type(None))
"""What ``_signal.getsignal`` tells of signals without a handler in Python: ``SIG_DFL``, ``SIG_IGN``, or None."""


class Interrupted(NamedTuple):
    """Where a handler has interrupted a lane, which is in our own code until the interpreter goes on with it.

    That is the very last thing to be put back: Python code between could be interrupted by the next handler already.
    """

    lane: Lane
    depth: int
    effect: str | None


class Coming(Protocol):
    """What is told of each signal for which the program has a handler; in the main thread, between two bytecodes."""

    def came(self, number: int, handler: Callable[[], object], *, sent: bool) -> Interrupted | None:
        """Run the handler, now or later or not at all; ``sent`` if the program has just sent the signal to itself."""

    def changes(self, number: int, *, gone: bool) -> None:
        """Run what is still to be run by the handler of a signal, which another one replaces; or none if ``gone``."""


@attrs.frozen(eq=False)
class Followed:
    """What the interpreter calls in place of one handler of the program."""

    owner: Handlers
    program: Callable[[int, Any], object]

    def __call__(self, number: int, frame: Any) -> None:
        """Be called by the interpreter."""
        here = self.owner.came(self, number, frame)
        if here is not None:
            here.lane.depth, here.lane.effect = here.depth, here.effect


class Handlers:
    """The handlers of one session.

    Args:
        coming: decides when each runs.
    """

    def __init__(self, coming: Coming) -> None:
        self._coming = coming
        self._originals: dict[str, Callable[..., Any]] = {}
        self._sending: int | None = None
        self._changing = _thread.RLock()
        self._over = False

    def install(self, stack: ExitStack) -> None:
        """Follow every handler until the stack is closed."""
        self._redirect(stack, _signal.getsignal, self._getsignal)
        self._redirect(stack, _signal.signal, self._signal)
        self._redirect(stack, _signal.raise_signal, lambda number: self._send("raise_signal", number, number))
        self._redirect(stack, os.kill, self._kill)
        self._replace(lambda found: Followed(self, found) if self._is_programs(found) else found)
        stack.callback(self._give_back)

    def came(self, followed: Followed, number: int, frame: Any) -> Interrupted | None:
        """Pass a signal on; ``followed`` is what the interpreter called."""
        if self._over:
            _put_back(followed, number)
            followed.program(number, frame)
            return None
        sent, self._sending = self._sending == number, None
        return self._coming.came(number, lambda: followed.program(number, frame), sent=sent)

    def has(self, number: int) -> bool:
        """Tell whether the program has a handler for a signal now."""
        found = self._originals["getsignal"](number)
        return type(found) is Followed and found.owner is self

    def deliver(self, number: int) -> None:
        """Let a signal come in the main thread, by the operating system: an event loop hears of it too."""
        self._originals["raise_signal"](number)

    def wake(self, number: int) -> None:
        """Let a signal come in the main thread, called from another one; not if the program has no handler for it."""
        with self._changing:
            if self.has(number):
                _signal.pthread_kill(threading.main_thread().ident, number)

    def _redirect(self, stack: ExitStack, function: Callable[..., Any], target: Callable[..., Any]) -> None:
        redirect = Redirect(function)
        self._originals[function.__name__] = redirect.original
        stack.push(redirect)
        redirect.to(target)

    def _signal(self, number: Any, handler: Any) -> Any:
        if in_main_thread() and self.has(number):
            self._coming.changes(int(number), gone=not self._is_programs(handler))
        with self._changing:
            given = Followed(self, handler) if self._is_programs(handler) else handler
            return self._programs_own(self._originals["signal"](number, given))

    def _getsignal(self, number: Any) -> Any:
        return self._programs_own(self._originals["getsignal"](number))

    def _kill(self, pid: Any, number: Any) -> Any:
        pid = real_pid(pid)
        if pid == getpid():
            return self._send("kill", number, pid, number)
        return self._originals["kill"](pid, number)

    def _send(self, name: str, number: Any, *args: Any) -> Any:
        """Send the program a signal; CPython runs the handler before these functions return, in the main thread."""
        if not in_main_thread():
            return self._originals[name](*args)
        before, self._sending = self._sending, number
        try:
            return self._originals[name](*args)
        finally:
            self._sending = before

    @staticmethod
    def _is_programs(handler: Any) -> bool:
        return callable(handler) and handler not in _INTERPRETERS

    def _programs_own(self, handler: Any) -> Any:
        return handler.program if type(handler) is Followed and handler.owner is self else handler

    def _replace(self, by: Callable[[Any], Any]) -> None:
        if in_main_thread():
            for number, found in zip(_VALID, map(self._originals["getsignal"], _VALID), strict=True):
                given = found if type(found) in _NO_HANDLERS else by(found)
                if given is not found:
                    self._originals["signal"](number, given)

    def _give_back(self) -> None:
        self._over = True
        self._replace(self._programs_own)


def in_main_thread() -> bool:
    """Tell whether the running thread is the one in which handlers run."""
    return get_ident() == threading.main_thread().ident


def signal_name(number: int) -> str:
    """Return the name of a signal, or its number if it is one of the real-time signals without a name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def _put_back(followed: Followed, number: int) -> None:
    """Give the program its handler back at last, where its session was closed in a thread that could not."""
    if _signal.getsignal(number) is followed:
        _signal.signal(number, followed.program)
