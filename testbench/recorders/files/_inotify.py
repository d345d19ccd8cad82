"""What the kernel tells of changes in directories: inotify(7), by way of the C library."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterator
from typing import Final

from testbench.inplace import real
from testbench.inplace.own import start_own_thread

MODIFY: Final = 0x002
ATTRIB: Final = 0x004
CLOSE_WRITE: Final = 0x008
MOVED_FROM: Final = 0x040
MOVED_TO: Final = 0x080
CREATE: Final = 0x100
DELETE: Final = 0x200
DELETE_SELF: Final = 0x400
MOVE_SELF: Final = 0x800
OVERFLOW: Final = 0x4000
IGNORED: Final = 0x8000
IS_DIR: Final = 0x40000000

NAMES: Final = CREATE | DELETE | MOVED_FROM | MOVED_TO
"""Events that change which names a directory has."""

_ONLY_DIR: Final = 0x01000000
_DONT_FOLLOW: Final = 0x02000000
_MASK: Final = MODIFY | ATTRIB | CLOSE_WRITE | NAMES | DELETE_SELF | MOVE_SELF | _ONLY_DIR | _DONT_FOLLOW
_HEAD: Final = struct.Struct("iIII")
_SIZE: Final = 1 << 16


class Inotify:
    """One queue of events about directories that are watched.

    Raises:
        OSError: the system gives none (inotify(7): limits; or it has no such thing).
    """

    def __init__(self) -> None:
        library = ctypes.CDLL(None, use_errno=True)
        try:
            new, self._add, self._remove = library.inotify_init1, library.inotify_add_watch, library.inotify_rm_watch
        except AttributeError as error:
            raise OSError(str(error)) from error
        self._add.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32]
        self._fd = real.aside(_checked(new(os.O_NONBLOCK | os.O_CLOEXEC)))

    def add(self, path: bytes) -> int:
        """Watch a directory; return the number under which events tell of it, the same one if it was watched.

        Raises:
            OSError: it cannot be watched: too many are, or it is gone.
        """
        return _checked(self._add(self._fd, path, _MASK))

    def remove(self, number: int) -> None:
        """Watch a directory no longer; it may be gone."""
        self._remove(self._fd, number)

    def events(self) -> Iterator[tuple[int, int, bytes]]:
        """Give all events that have come: number of the directory, bits, and the name in it, empty for itself."""
        while True:
            try:
                data = real.read(self._fd, _SIZE)
            except BlockingIOError:
                return
            at = 0
            while at < len(data):
                number, mask, _, size = _HEAD.unpack_from(data, at)
                at += _HEAD.size
                yield number, mask, data[at : at + size].rstrip(b"\0")
                at += size

    def close(self) -> None:
        """Watch nothing any more. The kernel takes its time for that, 15 ms and more, and so nobody waits for it."""
        fd = self._fd
        try:
            start_own_thread(lambda: real.close(fd))
        except RuntimeError:  # the interpreter is about to end
            real.close(fd)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
