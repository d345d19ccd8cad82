"""Whether a descriptor can become ready only by what this process does itself: then waiting for it need take no time.

So it is for a pipe both ends of which are here and were made here, for a socket whose peer this process made, and for
an eventfd; and never while a child is alive, which may hold the other end. What belongs to the system or to somebody
else (a listening socket, a terminal, a file) can be made ready by others. Needs ``/proc`` (proc(5)).
"""

from __future__ import annotations

import _socket
import os
import struct
from collections.abc import Iterable
from typing import Final

from testbench.inplace import real

_FDS: Final = "/proc/self/fd"
_READS, _WRITES = 0o400, 0o200

_CREDENTIALS: Final = struct.Struct("3i")
"""``struct ucred`` of unix(7): the process that made the peer, its user and group."""

_ANY_END: Final = os.WEXITED | os.WNOHANG | os.WNOWAIT


class Within:
    """Tells it for the descriptors of one session, from when it began."""

    def __init__(self) -> None:
        self._before = frozenset(link for link, _ in _opened() if link.startswith("pipe:"))

    def holds(self, fds: Iterable[int]) -> bool:
        """Tell whether none of them can become ready by what another process does."""
        watched = set(fds)
        return not watched or (not _has_children() and all(map(self._is_ours, watched)))

    def _is_ours(self, fd: int) -> bool:
        try:
            link, mode = _look(fd)
        except OSError:
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
