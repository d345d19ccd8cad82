"""Where the disk has drifted from what a tape says of it: said when the program reads there, never passed over."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from typing import Any, Final

from testbench.protocol import Call, Plain
from testbench.recorders.files._given import RAISES
from testbench.recorders.files._listing import kinds_of
from testbench.recorders.files._snapshot import kind_of

_ADVICE: Final = (
    "bring back what was there, or record again; with files='sealed' a tape holds what is read and needs no files"
)
WRITTEN: Final = (
    "a file that is opened to be read and written is real on replay: bring back what was there, or record again"
)
_NO_ENTRIES: Final = frozenset(("__pycache__", ".pytest_cache", ".coverage"))
"""Entries of directories that come and go with the interpreter and its tools."""


class Drift:
    """Compares answers of a tape with the disk.

    Only what is the same on another machine counts: whether a path is there and what it is, the length and the content
    of a file, the names in a directory, where a link leads, what may be done. Times and numbers of files do not; the
    program gets those of the tape.

    Args:
        call: the waist.
    """

    def __init__(self, call: Call) -> None:
        self._call = call

    def compare(self, op: str, path: str, recorded: Any, effect: Callable[[], Plain]) -> None:
        """See whether the disk answers as the tape does.

        Args:
            op: the operation.
            path: what was asked about.
            recorded: the answer of the tape, or the exception that it has.
            effect: asks the disk.

        Raises:
            DivergenceError: it does not.
        """
        try:
            present: Any = effect()
        except RAISES as error:
            present = error
        was, now = _told(op, recorded), _told(op, present)
        if was != now:
            self.tell(path, _difference(was, now) if isinstance(was, list) and isinstance(now, list) else (was, now))

    def tell(self, path: str, told: tuple[str, str], advice: str = _ADVICE) -> None:
        """Let the replay end because of what is on the disk.

        Args:
            path: where.
            told: how it was when it was recorded, and how it is.
            advice: what to do about it.
        """
        was, now = told
        request: Plain = {"path": path, "recorded": was, "present": now}
        said = f"{path!r} is not what it was when this was recorded: it was {was}, and is {now}; {advice}"
        self._call.leak("drift", request, lambda: None, instead=said)


def file_told(size: Any, digest: Any) -> str:
    """Return what a file is, by its length and its digest."""
    return f"a file of {size} bytes, sha-256 {digest.hex() if isinstance(digest, bytes) else digest}"


def called(what: Any) -> str:
    """Return what a word for a kind of file means in a sentence."""
    return {"dir": "a directory", "link": "a symbolic link", "absent": "not there"}.get(what, f"a {what}")


def _told(op: str, answer: Any) -> Any:
    """Return of an answer what has to be the same: words, or a list of names."""
    if isinstance(answer, OSError):
        return os.strerror(answer.errno).lower() if answer.errno else str(answer)
    if isinstance(answer, RAISES):
        return str(answer)
    if op in ("stat", "lstat"):
        mode, size = (
            (answer["mode"], answer["size"]) if "mode" in answer else (answer["fields"][0], answer["fields"][6])
        )
        return f"a file of {size} bytes" if stat.S_ISREG(mode) else called(kind_of(mode))
    if op == "listdir":
        return [name for name in answer["names"] if name not in _NO_ENTRIES]
    if op == "scandir":
        return [f"{name} ({what})" for name, what in kinds_of(answer).items() if name not in _NO_ENTRIES]
    if op == "open":
        return answer  # in words already
    return "a file system" if op == "statvfs" else repr(answer)


def _difference(was: list[str], now: list[str]) -> tuple[str, str]:
    """Return what only one of two listings has."""
    gone, new = sorted(set(was) - set(now)), sorted(set(now) - set(was))
    return _listed("a directory with", gone, len(was)), _listed("one with", new, len(now))


def _listed(word: str, names: list[str], count: int) -> str:
    shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
    return f"{word} {shown} ({count} entries)" if names else f"{word} none of its own ({count} entries)"
