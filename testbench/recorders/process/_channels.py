"""Which descriptors of the program lead to a child: pipes, socket pairs and terminals, by what the kernel calls them.

A channel is tracked from the moment a child has one end of it, or the program asks for the ``fileno()`` of a child's
pipe. What the program then does with any descriptor of it, duplicates included, is a crossing.
"""

from __future__ import annotations

import array
import itertools
import os
import stat
from collections.abc import Hashable, Mapping
from typing import Any, Final

import attrs

from testbench.inplace import real
from testbench.recorders.process._child import Name
from testbench.recorders.process._nowhere import Nowhere

Key = tuple[Hashable, ...]

_MOST: Final = 65_536
"""So many channels are remembered; the kernel gives the number of one that is gone to no other for very long."""

_PTMX: Final = os.makedev(5, 2)
_PTS_MAJORS: Final = range(136, 144)  # Linux, Documentation/admin-guide/devices.txt
_TIOCGPTN: Final = 0x80045430  # asks a terminal's master for the number of the terminal

PIDFD: Final = "pidfd"
"""The stream that is no stream: a descriptor for the child itself. It is tracked by its number, since kernels before
Linux 6.9 call all of these the same."""


@attrs.frozen
class Channel:
    """One way between the program and a child.

    Attributes:
        name: the child; the first one where several have got it.
        stream: ``"stdin"``, ``"stdout"``, ``"stderr"``, ``"fd7"``, ``"terminal"``, ``"pidfd"``; ``"channel 2"`` where a
            fork has left it to the child.
    """

    name: Name
    stream: str


class Channels:
    """The tracked channels of one session.

    Args:
        nowhere: lends pipes that lead nowhere, which have to become pipes of their own before they can be told apart.
    """

    def __init__(self, nowhere: Nowhere) -> None:
        self._nowhere = nowhere
        self._by_key: dict[Key, Channel] = {}
        self._by_number: dict[int, tuple[Channel, Key]] = {}
        self._peers: dict[Key, Key] = {}
        self._terminals: set[Key] = set()
        self._numbers: dict[Key, int] = {}
        self._made = itertools.count(1)
        self.changes = 0

    def find(self, fd: int) -> Channel | None:
        """Return the channel that a descriptor belongs to, None for all others, closed ones too."""
        if not self.changes:
            return None  # nothing was ever tracked: the fast way for programs that do nothing of the kind
        key = _key_of(fd)
        channel, was = self._by_number.get(fd, (None, key))
        # Not closed by os.close, as by dup2 upon it: the number is another file's.
        return channel if channel is not None and was == key else self._by_key.get(key)

    def expose(self, fd: int, name: Name, stream: str, size: int) -> None:
        """Track the pipe of a Popen, of a size in bytes, because the program is about to use its descriptor."""
        self._nowhere.settle(fd, size)
        self._track(_key_of(fd), Channel(name, stream))

    def join(self, name: Name, streams: Mapping[str, int]) -> None:
        """Track what a child has got from the program: descriptors by the name of the stream they are to the child."""
        for stream, fd in streams.items():
            channel = Channel(name, stream)
            if stream == PIDFD:
                self._by_number[fd] = channel, _key_of(fd)
                self.changes += 1
                continue
            key = _key_of(fd)
            self._track(key, channel)
            if key in self._peers:
                self._track(self._peers[key], channel)

    def can_join(self, fd: int) -> bool:
        """Tell whether the program's other end of what it hands to a child would be recognised."""
        key = _key_of(fd)
        if key[:1] == ("terminal",):
            return key in self._terminals
        return key in self._peers or key in self._by_key or _is(fd, stat.S_ISFIFO)

    def made(self, *ends: int) -> None:
        """Be told of a new channel of the program's own: what it has made, a fork leaves to the child."""
        for end in ends:
            self._number(_key_of(end))

    def left_to_fork(self) -> dict[str, Key]:
        """Return what a fork leaves to the child, by names that repeat from run to run.

        They are given in the order in which the program has made the channels. The numbers of descriptors do not repeat
        where several threads open files.
        """
        found: dict[str, Key] = {}
        for fd in sorted(map(int, real.listdir("/proc/self/fd"))):
            key = _key_of(fd)
            if key in self._numbers or (fd < real.APART and _has_name(fd)):
                found[f"channel {self._number(key)}"] = key
        return found

    def inherit(self, name: Name, left: Mapping[str, Key]) -> None:
        """Track what a fork has left to a child."""
        for stream, key in left.items():
            self._track(key, Channel(name, stream))

    def _number(self, key: Key) -> int:
        if key not in self._numbers:
            self._numbers[key] = next(self._made)
            _bound(self._numbers)
        return self._numbers[key]

    def pair(self, one: int, other: int) -> None:
        """Be told of a new socket pair."""
        left, right = _key_of(one), _key_of(other)
        self._peers[left], self._peers[right] = right, left
        _bound(self._peers)

    def terminal(self, master: int) -> None:
        """Be told of a new terminal of the program's own."""
        key = _key_of(master)
        self._terminals.add(key)
        self._by_key.pop(key, None)  # the kernel gives these numbers again at once
        self.changes += 1

    def closing(self, fd: int) -> None:
        """Be told that a descriptor is about to be closed."""
        if self._by_number.pop(fd, None) is not None:
            self.changes += 1

    def _track(self, key: Key, channel: Channel) -> None:
        if key and key not in self._by_key:
            self._by_key[key] = channel
            self.changes += 1
            _bound(self._by_key)


def talks(fd: int) -> bool:
    """Tell whether a descriptor is something that two can talk through: a pipe, a socket or a terminal."""
    return _is(fd, stat.S_ISFIFO) or _is(fd, stat.S_ISSOCK) or os.isatty(fd)


def _has_name(fd: int) -> bool:
    """Tell whether this is a pipe that was opened by its name; others are noticed when they are made."""
    return _is(fd, stat.S_ISFIFO) and not os.readlink(f"/proc/self/fd/{fd}").startswith("pipe:")


def _key_of(fd: int) -> Key:
    """Return what the kernel calls the channel, alike for both ends of a pipe or terminal; empty if there is none."""
    try:
        found = real.fstat(fd)
        if stat.S_ISCHR(found.st_mode):
            return _terminal_of(fd, found.st_rdev) or (found.st_dev, found.st_ino)
    except (OSError, OverflowError):
        return ()
    return found.st_dev, found.st_ino


def _terminal_of(fd: int, device: int) -> Key:
    if device == _PTMX:
        number = array.array("I", [0])
        real.ioctl(fd, _TIOCGPTN, number)
        return "terminal", number[0]
    major = os.major(device)
    if major in _PTS_MAJORS:
        return "terminal", (major - _PTS_MAJORS.start) * 256 + os.minor(device)
    return ()


def _is(fd: int, kind: Any) -> bool:
    try:
        return bool(kind(real.fstat(fd).st_mode))
    except (OSError, OverflowError):
        return False


def _bound(entries: dict[Any, Any]) -> None:
    while len(entries) > _MOST:
        entries.pop(next(iter(entries)), None)
