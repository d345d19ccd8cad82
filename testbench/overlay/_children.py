"""The ways to start another program, redirected so that it runs in the enclosure of the overlay."""

from __future__ import annotations

import _posixsubprocess  # its function is that of subprocess, multiprocessing, …
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final

from testbench.errors import UnsupportedError
from testbench.inplace import Attribute, Redirect, real
from testbench.overlay._enclosure import Enclosure
from testbench.overlay._ground import Ground

_CWD: Final = 4
_WHOM: Final = slice(17, 20)
_PREEXEC: Final = -2
"""Where arguments of ``_posixsubprocess.fork_exec`` stand (``Modules/_posixsubprocess.c``, 3.11 to 3.13)."""


class Children:
    """The children of a program within one overlay.

    Args:
        ground: where paths lead.
    """

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._enclosure: Enclosure | None = None
        self._lock = real.Mutex()

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Redirect them while the body runs."""
        with ExitStack() as stack:
            stack.callback(self._leave)
            self._to(stack, _posixsubprocess.fork_exec, self._fork_exec)
            for name in ("posix_spawn", "posix_spawnp"):
                self._to(stack, getattr(os, name), _refused)
            for name in ("execv", "execve"):
                self._to(stack, getattr(os, name), self._exec)
            self._to(stack, os.system, lambda original: _system)
            by_spawn = Attribute(subprocess, "_USE_POSIX_SPAWN")  # fork_exec does the same
            stack.callback(by_spawn.restore)
            by_spawn.to(False)
            yield

    def _to(self, stack: ExitStack, function: Any, body: Callable[[Any], Any]) -> None:
        redirect = Redirect(function)
        stack.callback(redirect.restore)
        redirect.to(body(redirect.original))

    def _entered(self) -> Enclosure:
        """Return the enclosure, made for the first child that needs it."""
        with self._lock:
            if self._enclosure is None:
                self._enclosure = Enclosure(self._ground.root, self._ground.view, deny=self._ground.deny)
            return self._enclosure

    def _leave(self) -> None:
        if self._enclosure is not None:
            self._enclosure.close()

    def _fork_exec(self, original: Callable[..., int]) -> Callable[..., int]:
        def fork_exec(*args: Any) -> int:
            if any(given is not None for given in args[_WHOM]):
                raise UnsupportedError(
                    "a child that becomes another user or group cannot be kept in the overlay: it may not enter a "
                    "mount namespace then. Start a program that does that (setpriv, say)."
                )
            given, own = list(args), args[_PREEXEC]
            given[_CWD] = self._ground.real(self._here()) if args[_CWD] is None else self._ground.found(args[_CWD])
            directory, enclosure = self._named(given[_CWD]), self._entered()

            def enter() -> None:
                enclosure.enter(directory)
                if own is not None:
                    own()

            given[_PREEXEC] = enter
            return original(*given)

        return fork_exec

    def _exec(self, original: Callable[..., None]) -> Callable[..., None]:
        def become(path: Any, argv: Any, *env: Any) -> None:
            self._entered().enter(self._here())
            original(path, argv, *env)

        return become

    def _here(self) -> str:
        return self._ground.named(real.getcwd())

    def _named(self, directory: Any) -> str:
        """Return what a directory is called in the enclosure."""
        try:
            fd = real.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            return "/"  # it is none: the child says so before it enters
        try:
            return self._ground.named(real.readlink(f"/proc/self/fd/{fd}"))
        finally:
            real.close(fd)


def _system(command: str | bytes) -> int:
    """Run a command as `os.system`, but that Ctrl-C is for this process too; return the status of wait(2)."""
    code = subprocess.Popen(["/bin/sh", "-c", command], close_fds=False).wait()
    return code << 8 if code >= 0 else -code


def _refused(original: Callable[..., int]) -> Callable[..., int]:
    def refuse(*args: Any, **options: Any) -> int:
        raise UnsupportedError(
            f"os.{original.__name__} cannot start a child within an overlay, where the child has to enter a mount "
            "namespace first; use subprocess"
        )

    return refuse
