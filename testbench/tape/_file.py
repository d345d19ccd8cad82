"""The life of a tape's file: written beside its name, moved onto it when it is whole, set aside when it is not.

While it is written it is ``NAME.partial``, locked with flock(2), which the kernel releases however the process ends.
"""

from __future__ import annotations

import os
import weakref
from fcntl import LOCK_EX, LOCK_NB
from pathlib import Path
from stat import S_ISREG
from typing import Self

from testbench.errors import TapeBusyError, TapeWriteError, TestbenchError
from testbench.inplace.real import aside, close, flock, fstat, fsync, open, pread, rename, stat, unlink
from testbench.tape._sink import forked
from testbench.tape._structure import MAGIC

_FLAGS = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW


class TapeFile:
    """A tape on its way to its name.

    Attributes:
        path: where the tape will be; what is there now is not touched before `commit`.
        fd: open for writing, empty, locked; -1 once committed or set aside.
    """

    def __init__(self, path: Path, fd: int) -> None:
        self.path, self.fd = path, fd
        self._refusal: TestbenchError | None = None
        _files.add(self)

    @classmethod
    def create(cls, path: str | os.PathLike[str]) -> Self:
        """Begin a tape.

        What a killed recording left behind under the same name is kept as ``NAME.failed``.

        Raises:
            TapeBusyError: another recording, here or in another process, writes this tape right now.
            TapeWriteError: the directory is missing or cannot be written, or what stands in the place is no tape.
        """
        path = Path(os.path.abspath(path))  # the program may change its directory before `commit`
        try:
            _look_at(path)
            return cls(path, _create(path))
        except (OSError, ValueError) as error:
            raise _refused(path, error) from error

    @property
    def partial(self) -> Path:
        """Where the tape is while it is written."""
        return _beside(self.path, ".partial")

    def commit(self) -> Path:
        """Move the finished tape onto its name in one step, and return that.

        Raises:
            TapeWriteError: it cannot be moved; the tape stays at `partial`.
        """
        self._move(self.path)
        return self.path

    def set_aside(self) -> Path:
        """Keep an unfinished tape as ``NAME.failed``, whatever stands at its name; return where it is."""
        aside = _beside(self.path, ".failed")
        self._move(aside)
        return aside

    def _move(self, target: Path) -> None:
        if self._refusal is not None:
            raise self._refusal
        try:
            rename(self.partial, target)
            _sync(target.parent)
        except OSError as error:
            raise _refused(target, error) from error
        finally:
            self._close()

    def _close(self) -> None:
        """Let go of the file, and with it of the lock."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            close(fd)

    def _abandon(self) -> None:
        """Forget the file in a forked child, which would hold the lock longer than its parent lives."""
        self._refusal = forked()
        self._close()


def _look_at(path: Path) -> None:
    """Refuse a place where something stands that a tape must not replace."""
    if path.is_dir():
        raise IsADirectoryError
    try:
        fd = open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return
    try:
        status, start = fstat(fd), b""
        if S_ISREG(status.st_mode):
            start = pread(fd, len(MAGIC), 0)
    finally:
        close(fd)
    if not S_ISREG(status.st_mode) or start != MAGIC[: status.st_size]:
        raise TapeWriteError(
            f"{path} is something else than a tape, and would be replaced. Give another path, or move it away."
        )


def _create(path: Path) -> int:
    partial = _beside(path, ".partial")
    while True:
        try:
            fd = aside(open(partial, _FLAGS | os.O_CREAT | os.O_EXCL, 0o644))
        except FileExistsError:
            _take_aside(path, partial)
            continue
        kept = False
        try:
            kept = _lock(fd) and _is_at(fd, partial)
        finally:
            if not kept:
                close(fd)
        if kept:
            return fd  # else another process took it for a leftover, between the two calls


def _take_aside(path: Path, partial: Path) -> None:
    """Move away what a killed recording left; refuse if one is alive behind it."""
    try:
        fd = open(partial, _FLAGS)
    except FileNotFoundError:
        return  # finished meanwhile
    try:
        if not _lock(fd):
            raise TapeBusyError(
                f"another recording writes {path} right now (its file is {partial.name}). Wait for it, or record to "
                "another path."
            )
        if not _is_at(fd, partial):
            return
        if fstat(fd).st_size:
            rename(partial, _beside(path, ".failed"))
        else:
            unlink(partial)
    finally:
        close(fd)


def _lock(fd: int) -> bool:
    try:
        flock(fd, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(fstat(fd), stat(path))
    except FileNotFoundError:
        return False


def _sync(directory: Path) -> None:
    """Make a rename survive a power cut (fsync(2): the directory has its own)."""
    fd = open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fsync(fd)
    finally:
        close(fd)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _refused(path: Path, error: OSError | ValueError) -> TapeWriteError:
    if isinstance(error, FileNotFoundError):
        what = f"there is no directory {path.parent}. Make it: `mkdir -p {path.parent}`."
    elif isinstance(error, NotADirectoryError):
        what = f"{path.parent} is no directory. Give the path of a file in one."
    elif isinstance(error, IsADirectoryError):
        what = "there is a directory in that place. Give the path of a file: for example `RUN.tape` inside it."
    elif isinstance(error, PermissionError):
        what = f"{path.parent} cannot be written by this user. Record to a directory that can be, or change its mode."
    else:
        what = f"{getattr(error, 'strerror', None) or error}. Record to another path."
    return TapeWriteError(f"the tape {path} cannot be written: {what}")


_files: weakref.WeakSet[TapeFile] = weakref.WeakSet()


def _after_fork() -> None:
    for file in _files:
        file._abandon()


os.register_at_fork(after_in_child=_after_fork)
