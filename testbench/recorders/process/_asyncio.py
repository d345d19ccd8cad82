"""Let asyncio wait for its children by descriptors, as it does since CPython 3.12, and not in a thread for each.

Such a thread hands the end of its child to the event loop through memory, at a moment that no event tells: a replay
could see it a turn of the loop later, and take another way from there. A descriptor is ready when the tape says so.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from testbench.inplace import Attribute, real
from testbench.recorders.process._children import Children

_MODULE = "asyncio.unix_events"
_WATCHERS = ("ThreadedChildWatcher", "PidfdChildWatcher") if sys.version_info >= (3, 12) else ("ThreadedChildWatcher",)
"""Its ways that need nothing but the loop that runs. The second, of 3.12, does what we do; but when the session is over
it would ask for a child by a pid that was made up."""


class Watchers:
    """How asyncio watches its children, for one session.

    Args:
        children: the children of the session.
        stack: when it is closed, asyncio is as it was.
    """

    def __init__(self, children: Children, stack: ExitStack) -> None:
        self._children, self._stack = children, stack
        self._replaced = not hasattr(os, "pidfd_open")
        self._pidfds: dict[int, Any] = {}

    def look(self) -> None:
        """Be called when a child is about to start: asyncio may have been imported by now."""
        if not self._replaced and (module := sys.modules.get(_MODULE)) is not None:
            watchers = [getattr(module, name) for name in _WATCHERS if hasattr(module, name)]
            if all(watcher.add_child_handler.__module__ != __name__ for watcher in watchers):  # no other session's
                self._replaced = True
                self._stack.callback(self._let_go)
                for watcher in watchers:
                    self._replace(Attribute(watcher, "add_child_handler"))

    def _replace(self, redirect: Attribute) -> None:
        original = redirect.original

        def add_child_handler(watcher: Any, pid: int, callback: Callable[..., Any], *args: Any) -> None:
            try:
                pidfd = os.pidfd_open(pid)
            except OSError:  # a kernel before Linux 5.3, or no descriptor is left
                original(watcher, pid, callback, *args)
            else:
                loop = asyncio_events.get_running_loop()
                self._pidfds[pidfd] = loop
                loop._add_reader(pidfd, self._ended, loop, pidfd, pid, callback, args)

        asyncio_events: Any = vars(sys.modules[_MODULE])["events"]
        self._stack.push(redirect)
        redirect.to(add_child_handler)

    def _ended(self, loop: Any, pidfd: int, pid: int, callback: Callable[..., Any], args: tuple[Any, ...]) -> None:
        loop._remove_reader(pidfd)
        del self._pidfds[pidfd]
        os.close(pidfd)
        name = self._children.named(pid)
        try:
            status = os.waitpid(name.real_pid if name is not None and self._children.over else pid, 0)[1]
        except ChildProcessError:
            returncode = 255  # asyncio says so of a child that somebody else has waited for
        else:
            returncode = os.waitstatus_to_exitcode(status)
        callback(pid, returncode, *args)

    def _let_go(self) -> None:
        """Close what stands for children whose loop was closed before they ended."""
        for pidfd, loop in list(self._pidfds.items()):
            if loop.is_closed():
                del self._pidfds[pidfd]
                real.close(pidfd)
