"""Read the bytes of a tape from its file: bounded, with errors that name the path and say what to do."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final, Self

from testbench.errors import NotATapeError, TapeDamagedError, TapeError, TapeNotFoundError
from testbench.inplace.real import aside, close, fstat, open, pread

_SMALL: Final = 16_384
"""A tape of up to so many bytes is read at once: most have less, and would be asked for eight parts of it."""


class Source:
    """An open tape file, as it was when it was opened.

    Attributes:
        path: where it is.
        size: its length in bytes at that moment.
    """

    def __init__(self, path: Path, fd: int, size: int) -> None:
        self.path, self.size, self._fd = path, size, fd
        self._whole: bytes | None = None

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Open a file for reading.

        Raises:
            TapeNotFoundError: there is none.
            NotATapeError: it is a directory, a pipe or a device, or it is empty.
            TapeError: it cannot be read.
        """
        path = path if isinstance(path, Path) else Path(path)
        try:
            fd = aside(open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK))  # a pipe must not make us wait
        except (FileNotFoundError, NotADirectoryError):
            raise TapeNotFoundError(_missing(path)) from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise TapeError(f"{path} cannot be read: {reason}. Check the path and its permissions.") from error
        status = fstat(fd)
        if not stat.S_ISREG(status.st_mode) or not status.st_size:
            close(fd)
            what = "an empty file" if stat.S_ISREG(status.st_mode) else "no regular file"
            raise NotATapeError(f"{path} is {what}; expected a tape. Record one: `testbench record -o {path} -- CMD`.")
        return cls(path, fd, status.st_size)

    def read(self, offset: int, size: int) -> bytes:
        """Read up to ``size`` bytes from ``offset``; fewer only at the end of the file.

        Raises:
            TapeError: the disk reports an error.
        """
        size = max(0, min(size, self.size - offset))  # whatever a hostile index asks for
        if self._whole is None and self.size <= _SMALL:
            self._whole = self._read(0, self.size)
        return self._read(offset, size) if self._whole is None else self._whole[offset : offset + size]

    def _read(self, offset: int, size: int) -> bytes:
        try:
            data = pread(self._fd, size, offset) if size else b""
            while len(data) < size:  # one call gives at most 2 GiB
                more = pread(self._fd, size - len(data), offset + len(data))
                if not more:
                    break  # the file became shorter; whoever asked sees that something is missing
                data += more
        except OSError as error:
            raise TapeError(f"{self.path} cannot be read at byte {offset}: {error.strerror}. Copy it first.") from error
        return data

    def close(self) -> None:
        """Close the file; more than once does no harm."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            close(fd)

    def damaged(self, what: str, offset: int) -> TapeDamagedError:
        """Make the error of bytes that no writer wrote."""
        return TapeDamagedError(
            f"{self.path} is damaged at byte {offset}: {what}. `testbench check {self.path}` lists all damage, "
            f"`testbench recover {self.path} -o OUT.tape` keeps what is whole."
        )


def _missing(path: Path) -> str:
    for suffix in (".partial", ".failed"):
        beside = path.with_name(path.name + suffix)
        if beside.exists():
            return (
                f"there is no tape at {path}, but {beside.name} beside it holds what an unfinished recording wrote. "
                f"Keep it with `testbench recover {beside} -o {path}`, or record again."
            )
    return f"there is no tape at {path}. Record one: `testbench record -o {path} -- CMD`."
