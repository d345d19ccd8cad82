"""``os.spawnv`` and its kin: op ``spawn``, and where the program waits for the child, ``waitpid``."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import Any, Final

import attrs

from testbench.inplace import Attribute
from testbench.protocol import Plain
from testbench.recorders.process._direct import Direct, Streams

_SEARCHING: Final = ("execvp", "execvpe")
_NOT_STARTED: Final = ["/bin/sh", "-c", "exit 127"]


@attrs.define
class Spawnv:
    """The function in which all of them end, ``os._spawnvef``, for one session.

    CPython forks there, and runs a few lines of Python in the child. Here a Popen does it: a process with threads, as
    ours may be, had better not fork, and is warned of it since CPython 3.12. Functions that were registered with
    `os.register_at_fork` do not run, in neither mode.

    Args:
        direct: starts the children.
        world: gives a class of Popen on which none of our redirects lies.
    """

    _direct: Direct
    _world: Any
    _original: Any = None

    def install(self, stack: ExitStack) -> None:
        """Redirect the function until the stack is closed."""
        if hasattr(os, "_spawnvef"):
            redirect = Attribute(os, "_spawnvef")
            self._original = redirect.original
            stack.push(redirect)
            redirect.to(self._spawnvef)

    def _spawnvef(self, mode: Any, file: Any, args: Any, env: Any, func: Any) -> int:
        """Do what CPython's function of this name does."""
        if self._direct.children.passing():
            return self._original(mode, file, args, env, func)  # type: ignore[no-any-return]  # a pid or a status
        if not isinstance(args, (tuple, list)):
            raise TypeError("argv must be a tuple or a list")
        if not args or not args[0]:
            raise ValueError("argv first element cannot be empty")
        asked: dict[str, Plain] = {"by": func.__name__.replace("exec", "spawn")}
        program = file if func.__name__ in _SEARCHING else _not_searched(file)
        pid = self._direct.start(args, file, env, Streams(), asked, lambda ends: self._run(program, args, env, ends))
        if mode == os.P_NOWAIT:
            return pid
        while True:
            _, status = os.waitpid(pid, 0)
            if not os.WIFSTOPPED(status):
                return os.waitstatus_to_exitcode(status)

    def _run(self, program: Any, args: Any, env: Any, ends: dict[str, int]) -> tuple[int, Any]:
        try:
            return self._start(list(args), executable=program, env=env, **ends)
        except (OSError, ValueError, TypeError, AttributeError):
            # There, it is the child that finds out, and it exits with 127.
            return self._start(_NOT_STARTED, **ends)

    def _start(self, args: Any, **options: Any) -> tuple[int, Any]:
        child = self._world()(args, close_fds=False, restore_signals=False, **options)
        child.returncode = 0  # nobody will ask this object how its child ended
        return child.pid, child  # an outer session looks after the child for as long as there is the object


def _not_searched(file: Any) -> Any:
    """Return a file name that Popen does not look for in PATH, as ``execv`` does not."""
    try:
        named = os.fspath(file)
    except TypeError:
        return file  # raises in Popen too
    if os.path.dirname(named):
        return file
    return os.path.join(os.curdir if isinstance(named, str) else os.fsencode(os.curdir), named)
