"""What the machine is, and for whom the process runs: names and numbers that plain functions tell."""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final, cast

from testbench.inplace import real
from testbench.inplace.own_pid import real_pid
from testbench.protocol import Call, Plain
from testbench.recorders._asker import program_asks
from testbench.recorders.environ._fact import Fact, redirect

_FACTS: Final = (
    Fact(os.uname, os.uname_result, list),
    *map(Fact, (os.cpu_count, os.getuid, os.geteuid, os.getgid, os.getegid, os.getlogin)),
)

MACHINE: Final = (
    *(fact.function.__name__ for fact in _FACTS),
    *("gethostname", "sched_getaffinity", "getpwuid", "getpwnam"),
)
"""The ops."""


def install_machine(call: Call, stack: ExitStack) -> None:
    """Send what the program asks of the machine through ``call`` until the stack is unwound."""
    import _socket  # it is loaded late, so that commands that open no session start sooner

    for fact in (*_FACTS, Fact(_socket.gethostname)):
        fact.install(call, stack)
    redirect(stack, os.sched_getaffinity, lambda original: _affinity(call, original))
    for function, field in ((pwd.getpwuid, "uid"), (pwd.getpwnam, "name")):
        redirect(stack, function, _account(call, function.__name__, field))
    _forget_platform(stack)


def _affinity(call: Call, original: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def ask(pid: Any, /) -> Any:
        pid = real_pid(pid)
        if pid not in (0, real.getpid()) or not call.follows() or not program_asks(of_machine=True):
            return original(pid)
        told = call.fact("sched_getaffinity", None, lambda: sorted(original(0)), raises=(OSError,))
        return {*cast("list[int]", told)}

    return ask


def _account(call: Call, op: str, field: str) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
    def over(original: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def ask(given: Any, /) -> Any:
            if type(given) not in (int, str) or not call.follows() or not program_asks(of_machine=True):
                return original(given)
            told = call.fact(op, {field: given}, lambda: _shown(original(given)), raises=(KeyError,))
            return pwd.struct_passwd(cast("list[Plain]", told))

        return ask

    return over


def _shown(account: Any) -> Plain:
    """Return the fields of an account; a password that stands there itself is not shown."""
    name, password, *rest = account
    return [name, password if password in ("x", "*", "") else "*", *rest]


def _forget_platform(stack: ExitStack) -> None:
    """Let `platform` ask anew in each session, as it does in a new process, and leave it as it was afterwards."""
    before: Any = sys.modules.get("platform")
    uname = None if before is None else before._uname_cache
    whole = {} if before is None else dict(before._platform_cache)

    def remember() -> None:
        platform: Any = sys.modules.get("platform")
        if platform is not None:
            platform._uname_cache = uname
            platform._platform_cache.clear()
            platform._platform_cache.update(whole)

    stack.callback(remember)
    if before is not None:
        before._uname_cache = None
        before._platform_cache.clear()
