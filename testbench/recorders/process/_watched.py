"""The descriptors of one ``select``, ``poll`` or ``epoll``, under names that repeat from run to run.

``"3.stdout"`` is a channel to the third child of the thread, ``"pid 812.stdout"`` to a child of another one, and
``"other 2"`` the second descriptor, in the order of the numbers, that leads to no child.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from testbench.inplace import real
from testbench.recorders.process._channels import Channel
from testbench.recorders.process._children import Children


class Watched:
    """The descriptors of one call, named.

    Args:
        children: the children of the session.
        fds: the descriptors; doubles do no harm.

    Attributes:
        names: the name of each descriptor.
        others: those that lead to no child.
    """

    def __init__(self, children: Children, fds: Iterable[int]) -> None:
        self.names: dict[int, str] = {}
        self.others: set[int] = set()
        seen: dict[str, int] = {}
        for fd in sorted(set(fds)):
            channel = children.channels.find(fd)
            if channel is None:
                self.others.add(fd)
                self.names[fd] = f"other {len(self.others)}"
                continue
            name = _name_of(children, channel)
            seen[name] = seen.get(name, 0) + 1
            self.names[fd] = name if seen[name] == 1 else f"{name} {seen[name]}"  # both ends of a pipe, or a duplicate
        self.fds = {name: fd for fd, name in self.names.items()}


def _name_of(children: Children, channel: Channel) -> str:
    who: Any = children.reference(channel.name)
    return f"pid {who['pid']}.{channel.stream}" if isinstance(who, dict) else f"{who}.{channel.stream}"


def watched_by_epoll(fd: int) -> list[int]:
    """Return what the kernel says an epoll descriptor watches (proc(5), ``/proc/pid/fdinfo``).

    Raises:
        OSError: it is closed, or there is no ``/proc``.
    """
    return [int(line.split()[1]) for line in _read(f"/proc/self/fdinfo/{fd}").splitlines() if line.startswith(b"tfd:")]


def _read(path: str) -> bytes:
    fd = real.open(path, 0)
    try:
        return b"".join(iter(lambda: real.read(fd, 65_536), b""))
    finally:
        real.close(fd)
