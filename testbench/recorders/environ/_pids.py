"""``os.getpid`` and ``os.getppid``: on replay those of the recording, by which a program still reaches itself."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final, cast

from testbench.inplace import real
from testbench.inplace.own_pid import tell_pid
from testbench.protocol import Call
from testbench.recorders._asker import program_asks
from testbench.recorders.environ._fact import redirect

_VIRTUAL: Final = {"getppid": 4999998, "getpid": 4999999}
"""Above those of the system (``PID_MAX_LIMIT`` of Linux), right below those that children are told to have."""


def install_pids(call: Call, stack: ExitStack, *, virtual: bool) -> None:
    """Tell them until the stack is unwound.

    Args:
        call: the waist.
        stack: ends it.
        virtual: tell numbers that repeat from run to run.
    """
    for function, system in ((os.getpid, real.getpid), (os.getppid, real.getppid)):
        number = _VIRTUAL[function.__name__] if virtual else None
        redirect(stack, function, _asking(call, stack, function.__name__, number, system))


def _asking(
    call: Call, stack: ExitStack, op: str, virtual: int | None, system: Callable[[], int]
) -> Callable[[Callable[[], int]], Callable[[], int]]:
    def over(original: Callable[[], int]) -> Callable[[], int]:
        last: int | None = None
        known = call.foretold(op)

        def ask() -> int:
            nonlocal last
            live = original()
            if live == last:
                return live
            if not call.follows() or not program_asks():
                return live
            if last is not None and known:
                return last  # on replay it stays what it is
            outcome = call.fact(op, None, lambda: {"pid": live if virtual is None else virtual})
            told = cast("dict[str, int]", outcome)["pid"]
            if told != last:
                last = told
                if told != system():
                    stack.callback(tell_pid(told, system()))
            return told

        return ask

    return over
