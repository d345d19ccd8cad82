"""Whether a descriptor can become ready only by what this process does itself: then waiting for it need take no time.

So it is for a pipe both ends of which are here and were made here, for a socket whose peer this process made, and for
an eventfd; and never while a child is alive that may hold the other end: one that was started before this was made has
none. What belongs to the system or to somebody
else (a listening socket, a terminal, a file) can be made ready by others. Needs ``/proc`` (proc(5)).
"""

from __future__ import annotations

import _socket
import os
import struct
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from testbench.inplace import real, threads

_FDS: Final = "/proc/self/fd"
_TASKS: Final = "/proc/self/task"
_READS, _WRITES = 0o400, 0o200

_CREDENTIALS: Final = struct.Struct("3i")
"""``struct ucred`` of unix(7): the process that made the peer, its user and group."""

_ANY_END: Final = os.WEXITED | os.WNOHANG | os.WNOWAIT


class Within:
    """Tells it for the descriptors of one session, from when it began."""

    def __init__(self) -> None:
        self._before = frozenset(link for link, _ in _opened() if not link.startswith("/"))
        self._children = _children() if _has_children() else frozenset()

    def holds(self, fds: Iterable[int]) -> bool:
        """Tell whether none of them can become ready by what another process does."""
        watched = set(fds)
        if not watched:
            return True
        has_children = _has_children()
        if has_children and not self._are_older(_children()):
            return False
        return all(self._is_ours(fd, shared=has_children) for fd in watched)

    def _are_older(self, children: frozenset[bytes]) -> bool:
        """Tell whether all children were there before; not where the system does not tell who they are."""
        return bool(children) and children <= self._children

    def _is_ours(self, fd: int, *, shared: bool) -> bool:
        """Tell whether both ends are here, and, where there are children from before, whether they are newer."""
        try:
            link, mode = _look(fd)
        except OSError:
            return False
        if shared and link in self._before:
            return False
        if link.startswith("pipe:"):
            other_end = _READS | _WRITES if mode == _READS | _WRITES else mode ^ (_READS | _WRITES)
            return link not in self._before and any(link == there and can & other_end for there, can in _opened())
        if link.startswith("socket:"):
            return _made_peer(fd)
        return link == "anon_inode:[eventfd]"


def _has_children() -> bool:
    try:
        real.waitid(os.P_ALL, 0, _ANY_END)
    except ChildProcessError:
        return False
    return True


def _children() -> frozenset[bytes]:
    """Return the pids of all children; none where the system does not tell (CONFIG_PROC_CHILDREN of Linux)."""
    found: set[bytes] = set()
    for task in threads.tasks():
        with suppress(OSError):  # the thread has ended
            found.update(_read(f"{_TASKS}/{task}/children").split())
    return frozenset(found)


def _read(path: str) -> bytes:
    fd = real.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return b"".join(iter(lambda: real.read(fd, 65_536), b""))
    finally:
        real.close(fd)


def _made_peer(fd: int) -> bool:
    """Tell whether this process made the other end of a socket (SO_PEERCRED of unix(7))."""
    own = _socket.socket(fileno=real.dup(fd))
    try:
        if own.family != _socket.AF_UNIX:
            return False
        found = own.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, _CREDENTIALS.size)
        return bool(_CREDENTIALS.unpack(found)[0] == real.getpid())
    except OSError:
        return False
    finally:
        real.close(own.detach())


def _opened() -> list[tuple[str, int]]:
    """Return where each descriptor of this process leads, and whether it reads or writes there."""
    found: list[tuple[str, int]] = []
    try:
        names = real.listdir(_FDS)
    except OSError:
        return found
    for name in names:
        try:
            found.append(_look(int(name)))
        except OSError:  # it was that of the listing itself
            continue
    return found


def _look(fd: int) -> tuple[str, int]:
    path = f"{_FDS}/{fd}"
    return real.readlink(path), real.stat(path, follow_symlinks=False).st_mode & (_READS | _WRITES)
