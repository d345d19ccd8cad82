"""Sockets that have a timeout: which of their methods wait, and whether what they wait for comes in time.

Where a method reads or sends, the crossing is the wait alone: that there is something to read, or room to send. What is
read and sent then is not of this kind: it may belong to a child process, or be on no tape.
"""

from __future__ import annotations

import _socket
import errno
import math
import select
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final

from testbench.inplace import TypeSlot
from testbench.protocol import Call, Plain

READS: Final = ("_accept", "recv", "recv_into", "recvfrom", "recvfrom_into", "recvmsg", "recvmsg_into")
"""They wait until something has come; `socket.socket.accept` and streams made of sockets live on them."""

WRITES: Final = ("send", "sendall", "sendto", "sendmsg")
"""They wait until there is room."""

CONNECTS: Final = ("connect", "connect_ex")
"""They wait for an answer to what they do themselves. The second returns EAGAIN when the time has run out."""

_LONGEST_MS: Final = 2**31 - 1

Perform = Callable[[], Any]
Attempt = Callable[[Any, float, Perform, str], tuple[bool, Perform]]
"""Given a socket, its timeout, what to perform and its name: whether it came in time, and what is left to perform."""


def install_timeouts(call: Call, stack: ExitStack) -> None:
    """Send waits with a timeout through ``call`` until the stack unwinds, whatever a socket is asked for."""
    for names, attempt in ((READS, _ready(select.POLLIN)), (WRITES, _ready(select.POLLOUT)), (CONNECTS, _answered)):
        for name in names:
            slot = TypeSlot(_socket.socket, name)
            stack.push(slot)
            slot.to(_timed(call, slot.original, attempt))


def expired(name: str) -> Any:
    """Be late as CPython is (``Modules/socketmodule.c``): return or raise what the program sees."""
    if name == "connect_ex":
        return errno.EAGAIN
    raise TimeoutError("timed out")


def ran_out(name: str, answer: Any) -> bool:
    """Tell whether a method has been late that returned."""
    return name == "connect_ex" and answer == errno.EAGAIN


def _timed(call: Call, original: Callable[..., Any], attempt: Attempt) -> Callable[..., Any]:
    name = original.__name__

    def waiting(own: Any, *args: Any, **options: Any) -> Any:
        seconds = own.gettimeout()
        if not seconds or not call.follows():
            return original(own, *args, **options)

        def perform() -> Any:
            return original(own, *args, **options)

        rest: Perform = perform

        def effect() -> Plain:
            nonlocal rest
            came, rest = attempt(own, seconds, perform, name)
            return came

        request: Plain = {"method": name, "timeout": seconds}
        return rest() if call("socket", request, effect) else expired(name)

    waiting.__name__ = name
    waiting.__doc__ = original.__doc__
    return waiting


def _ready(events: int) -> Attempt:
    def attempt(own: Any, seconds: float, perform: Perform, _: str) -> tuple[bool, Perform]:
        # In public, not behind the back of the other kinds: on a clock that stands still, this need take no time.
        poll = select.poll()
        left_ms = math.ceil(seconds * 1000)
        if own.fileno() < 0:
            return True, perform  # it is closed, and says so
        poll.register(own.fileno(), events)
        while left_ms > 0:
            if poll.poll(min(left_ms, _LONGEST_MS)):
                return True, perform
            left_ms -= _LONGEST_MS
        return False, perform

    return attempt


def _answered(_: Any, __: float, perform: Perform, name: str) -> tuple[bool, Perform]:
    """Perform it now; what came of it is repeated afterwards."""
    try:
        answer = perform()
    except TimeoutError as error:
        return error.errno is not None, _raising(error)  # with a number it is that of the system, ETIMEDOUT
    except OSError as error:
        return True, _raising(error)
    return not ran_out(name, answer), lambda: answer


def _raising(error: BaseException) -> Perform:
    def perform() -> Any:
        raise error

    return perform
