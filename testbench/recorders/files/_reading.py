"""A file that the program opens to read it, and what it is: in a module apart from those that the program comes by.

What is opened here is no read of the program that nobody has seen; see `testbench.recorders.audit._files`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, Final

from testbench.inplace import real
from testbench.protocol import Plain
from testbench.recorders.files._drift import called, file_told
from testbench.recorders.files._snapshot import contents, digest_of, kind_of

_NOTHING: Final[dict[str, Plain]] = {"offset": 0, "length": 0, "content": None}


def with_opener(original: Callable[..., Any], given: tuple[Any, ...], opener: Callable[[Any, int], int]) -> Any:
    """Open a stream on a descriptor that we give."""
    return original(*given, opener)


class Reading:
    """One file that is opened; what was opened for real is held here.

    Args:
        whole: its content is wanted, not only its digest.
        effect: opens it.

    Attributes:
        fd: its descriptor, -1 if it is not open.
        found: how it stood before it was read.
        begun: the world was asked, and not a tape.
    """

    def __init__(self, whole: bool, effect: Callable[[], int]) -> None:
        self._whole = whole
        self._effect = effect
        self._pieces: Iterator[tuple[dict[str, Plain], bool]] = iter(())
        self.fd = -1
        self.found: os.stat_result | None = None
        self.begun = False

    def first(self) -> Plain:
        """Open it; the effect of op ``open``."""
        self.begun = True
        return self.look()

    def look(self) -> dict[str, Plain]:
        """Open it, and say what it is."""
        self.fd = self._effect()
        found = self.found = real.fstat(self.fd)
        answer: dict[str, Plain] = {"what": kind_of(found.st_mode), "size": 0, "digest": None}
        piece: dict[str, Plain] = _NOTHING
        more = False
        if answer["what"] == "file" and self._whole:
            self._pieces = contents(self.fd)
            piece, more = next(self._pieces)
            answer["size"] = found.st_size
        elif answer["what"] == "file":
            answer["size"], answer["digest"] = digest_of(self.fd)
        return {**answer, **piece, "more": more}

    def next(self) -> Plain:
        """Go on; the effect of op ``more``."""
        piece, more = next(self._pieces)
        return {**piece, "more": more}

    def close(self) -> None:
        """Close what was opened, since nobody will."""
        if self.fd >= 0:
            real.close(self.fd)


def looked_at(opens: Callable[..., int], path: Any, dir_fd: Any) -> dict[str, Plain]:
    """Return what is at a path, without doing anything to it.

    Args:
        opens: as `os.open`.
        path: as it was given.
        dir_fd: the directory that it starts from, None for the working directory.
    """
    try:
        fd = opens(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=dir_fd)
    except FileNotFoundError:
        return {"what": "absent", "size": 0, "digest": None}
    except PermissionError:
        return {"what": "unreadable", "size": 0, "digest": None}
    try:
        what = kind_of(real.fstat(fd).st_mode)
        size, digest = digest_of(fd) if what == "file" else (0, None)
        return {"what": what, "size": size, "digest": digest}
    finally:
        real.close(fd)


def described(answer: Any) -> str:
    """Return what has to be the same on replay, in words."""
    if isinstance(answer, OSError):
        return os.strerror(answer.errno or 0).lower()
    if answer["what"] == "file":
        return file_told(answer["size"], answer["digest"])
    return called(answer["what"])
