"""The enclosure of children: a mount namespace in which the view stands where the root is (mount_namespaces(7))."""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress
from typing import Final

from testbench.errors import UnsupportedError
from testbench.inplace import real
from testbench.overlay import _holder

_CLONE_FS: Final = 0x200
_CLONE_NEWNS: Final = 0x20000
_CLONE_NEWUSER: Final = 0x10000000


class Enclosure:
    """A namespace that children enter; it lives as long as this object is open.

    Args:
        root: where the view is to stand.
        view: the directory that stands there.
        deny: whether all else may only be read.

    Raises:
        UnsupportedError: this system gives none to this user.
    """

    def __init__(self, root: str, view: str, *, deny: bool) -> None:
        library = ctypes.CDLL(None, use_errno=True)
        self._setns, self._unshare = library.setns, library.unshare
        told, tells = real.pipe()
        waits, goes_on = real.pipe()
        try:
            arguments = (root, view, "deny" if deny else "real", "user" if os.geteuid() else "root")
            actions = [(os.POSIX_SPAWN_DUP2, waits, 0), (os.POSIX_SPAWN_DUP2, tells, 1)]
            python = [sys.executable, "-I", "-S", str(_holder.__file__), *arguments]
            pid = real.posix_spawn(sys.executable, python, {}, file_actions=actions)
            real.close(tells)
            tells = -1
            try:
                answer = real.read(told, 4096)
                if answer != b"ready":
                    raise _unsupported(os.fsdecode(answer) or "its helper has died")
                self._namespaces = [_opened(pid, name) for name in (("user", "mnt") if os.geteuid() else ("mnt",))]
            finally:
                real.close(goes_on)
                goes_on = -1
                with suppress(ChildProcessError):  # the program waits for any child in another thread
                    real.waitpid(pid, 0)
        finally:
            for fd in (told, tells, waits, goes_on):
                if fd >= 0:
                    real.close(fd)

    def enter(self, directory: str) -> None:
        """Move this process into it, for good; to be called in a child, before it becomes another program.

        Args:
            directory: the working directory in it.

        Raises:
            UnsupportedError: it cannot be entered: this process has several threads, say.
            OSError: the directory is not there.
        """
        if self._unshare(_CLONE_FS):  # else the threads of a process share their working directory
            raise _unsupported(os.strerror(ctypes.get_errno()))
        for fd in self._namespaces:
            if self._setns(fd, 0):
                raise _unsupported(os.strerror(ctypes.get_errno()))
        real.chdir(directory)

    def close(self) -> None:
        """Let go of it; children that run stay in it."""
        while self._namespaces:
            real.close(self._namespaces.pop())


def _opened(pid: int, name: str) -> int:
    return real.aside(real.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC))


def _unsupported(why: str) -> UnsupportedError:
    return UnsupportedError(
        f"a child cannot be kept in the overlay here: {why}. It would write to the real root, so it was not started. "
        "Children need a mount namespace of their own: run as root, or let users make namespaces "
        "(sysctl kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns; unshare -Urm true)."
    )
