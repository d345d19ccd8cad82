"""What the machine and the process are: names, numbers and directories that plain functions tell."""

from __future__ import annotations

import contextlib
import os
import pwd
import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final, cast

import attrs

from testbench.inplace import Attribute, Redirect
from testbench.protocol import Call, Plain
from testbench.recorders._environ_asker import program_asks


def _itself(value: Any) -> Any:
    return value


@attrs.frozen
class Fact:
    """One function without arguments, its name being the op.

    Attributes:
        function: the function.
        made: makes what it returns of what stands on the tape.
        plain: the other way round.
    """

    function: Callable[[], Any]
    made: Callable[[Any], Any] = _itself
    plain: Callable[[Any], Plain] = _itself


FACTS: Final = (
    Fact(os.uname, os.uname_result, list),
    Fact(os.cpu_count),
    Fact(os.getuid),
    Fact(os.geteuid),
    Fact(os.getgid),
    Fact(os.getegid),
    Fact(os.getlogin),
    Fact(os.getloadavg, tuple, list),
)
"""Each call is an event: nothing is kept, so that it does not matter who changes it, or which thread asks first."""


def install_machine(call: Call, stack: ExitStack) -> None:
    """Send what the program asks of the machine through ``call`` until the stack is unwound."""
    hostname = getattr(sys.modules.get("_socket"), "gethostname", None)
    for fact in (*FACTS, *([Fact(hostname)] if hostname else [])):
        _install(call, stack, fact.function, _telling(call, fact))
    _install_cwd(call, stack)
    _install(call, stack, os.sched_getaffinity, _affinity(call))
    _install(call, stack, pwd.getpwuid, _account(call))
    if hasattr(os, "process_cpu_count"):  # Python 3.13; an event like that of earlier versions, which ask `cpu_count`
        attribute = Attribute(os, "process_cpu_count")
        stack.callback(attribute.restore)
        attribute.to(_telling(call, Fact(os.cpu_count))(attribute.original))
    _forget_platform(stack)


def _install(
    call: Call, stack: ExitStack, function: Callable[..., Any], made: Callable[[Callable[..., Any]], Callable[..., Any]]
) -> None:
    redirect = Redirect(function)
    stack.callback(redirect.restore)
    redirect.to(made(redirect.original))


def _telling(call: Call, fact: Fact) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    op = fact.function.__name__

    def over(original: Callable[[], Any]) -> Callable[[], Any]:
        def tell() -> Any:
            if not program_asks() or not call.follows():
                return original()
            return fact.made(call(op, None, lambda: fact.plain(original()), raises=(OSError,)))

        return tell

    return over


def _affinity(call: Call) -> Callable[[Callable[[int], Any]], Callable[[int], Any]]:
    def over(original: Callable[[int], Any]) -> Callable[[int], Any]:
        def tell(pid: int, /) -> Any:
            if pid != 0 or not program_asks() or not call.follows():
                return original(pid)
            told = call("sched_getaffinity", None, lambda: sorted(original(0)), raises=(OSError,))
            return {*cast("list[int]", told)}

        return tell

    return over


def _account(call: Call) -> Callable[[Callable[[int], Any]], Callable[[int], Any]]:
    def over(original: Callable[[int], Any]) -> Callable[[int], Any]:
        def tell(uid: int, /) -> Any:
            if type(uid) is not int or not program_asks() or not call.follows():
                return original(uid)
            request: Plain = {"uid": uid}
            told = call("getpwuid", request, lambda: _shown(original(uid)), raises=(KeyError,))
            return pwd.struct_passwd(cast("list[Plain]", told))

        return tell

    return over


def _shown(account: Any) -> Plain:
    """Return the fields of an account; a password that stands there itself is not shown."""
    name, password, *rest = account
    return [name, password if password in ("x", "*") else "*", *rest]


def _install_cwd(call: Call, stack: ExitStack) -> None:
    """Tell the working directory, and let the program go back to where it was told that it is."""
    here: dict[Any, Any] = {}
    for function in (os.getcwd, os.getcwdb):
        _install(call, stack, function, _directory(call, function.__name__, here))
    redirect = Redirect(os.chdir)
    stack.callback(redirect.restore)

    def chdir(path: Any) -> None:
        known = os.fspath(path) if isinstance(path, os.PathLike) else path
        redirect.original(here.get(known, path) if type(known) in (str, bytes) else path)

    redirect.to(chdir)


def _directory(call: Call, op: str, here: dict[Any, Any]) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    def over(original: Callable[[], Any]) -> Callable[[], Any]:
        def tell() -> Any:
            if not program_asks() or not call.follows():
                return original()
            found: list[Any] = []

            def effect() -> Plain:
                found.append(original())
                return cast("Plain", found[0])

            told = call(op, None, effect, raises=(OSError,))
            if not found:
                with contextlib.suppress(OSError):  # it has been removed: there is no way back
                    here[told] = original()
            return told

        return tell

    return over


def _forget_platform(stack: ExitStack) -> None:
    """Let `platform` ask anew in each session, as it does in a new process, and leave it as it was afterwards."""
    platform: Any = sys.modules.get("platform")
    if platform is None:
        return
    uname, whole = platform._uname_cache, dict(platform._platform_cache)

    def remember() -> None:
        platform._uname_cache = uname
        platform._platform_cache.clear()
        platform._platform_cache.update(whole)

    stack.callback(remember)
    platform._uname_cache = None
    platform._platform_cache.clear()
