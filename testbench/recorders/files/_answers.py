"""Questions about paths and what answers them, as plain values: ``stat`` and its kin, listings.

What no two machines share (times, inodes, the order of a listing) stands apart, in ``numbers``, so that tapes can be
compared without it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from testbench.protocol import Call, Plain
from testbench.recorders.files._drift import Drift
from testbench.recorders.files._given import RAISES

_FIRST: Final = ("st_ino", "st_dev", "st_nlink", "st_uid", "st_gid", "st_size")
_TIMES: Final = ("st_atime", "st_mtime", "st_ctime")
_NUMBERS: Final = (*_FIRST, *(f"{field}_ns" for field in _TIMES), "st_blksize", "st_blocks", "st_rdev")
"""What a ``stat`` says that another machine does not say, and more that the first fields have too."""


class Asking(Protocol):
    """Makes one crossing."""

    def __call__(self, op: str, request: Plain, effect: Callable[[], Plain]) -> Any:
        """Return the answer.

        Args:
            op: the operation.
            request: what is asked.
            effect: asks the disk.
        """


def asking(call: Call) -> Asking:
    """Return what makes crossings whose answers are not compared with anything."""
    return lambda op, request, effect: call(op, request, effect, raises=RAISES)


def comparing(call: Call, drift: Drift) -> Asking:
    """Return what makes crossings and, where a tape has answered one, looks whether the disk says the same."""

    def ask(op: str, request: Any, effect: Callable[[], Plain]) -> Plain:
        performed: list[bool] = []

        def perform() -> Plain:
            performed.append(True)
            return effect()

        try:
            answer = call(op, request, perform, raises=RAISES)
        except RAISES as error:
            if not performed:
                drift.compare(op, request["path"], error, effect)
            raise
        if not performed:
            drift.compare(op, request["path"], answer, effect)
        return answer

    return ask


def ask_stat(ask: Asking, original: Callable[..., Any], name: str, path: Any, options: Mapping[str, Any]) -> Any:
    """Ask ``stat`` or ``lstat`` of a path; return an `os.stat_result`.

    Args:
        ask: makes the crossing.
        original: asks the disk.
        name: the path as text.
        path: as it was given.
        options: of the call.
    """

    def effect() -> Plain:
        found = original(path, **options)
        numbers: list[Plain] = [getattr(found, field) for field in _NUMBERS]
        return {"mode": found.st_mode, "size": size_of(found), "numbers": numbers}

    return _stat_of(ask(original.__name__, {"path": name, "options": said(options)}, effect))


def _stat_of(answer: Any) -> os.stat_result:
    if "numbers" not in answer:  # a tape of a time when looking for programs was all that was recorded
        return os.stat_result(answer["fields"], answer["more"])
    more = dict(zip(_NUMBERS, answer["numbers"], strict=True))
    first = [answer["mode"], *(more.pop(field) for field in _FIRST)]
    for field in _TIMES:
        seconds, rest_ns = divmod(more[f"{field}_ns"], 1_000_000_000)
        first.append(seconds)
        more[field] = seconds + 1e-9 * rest_ns  # so CPython makes it
    return os.stat_result(first, more)


def size_of(found: os.stat_result) -> int | None:
    """Return the size of what is a file, or a link; that of a directory is an affair of the file system."""
    return None if stat.S_ISDIR(found.st_mode) else found.st_size


def listed(names: Sequence[str], *more: Sequence[Plain]) -> dict[str, Plain]:
    """Return a listing as it stands on a tape: names sorted, and apart from them in which order they came.

    Args:
        names: in the order of the disk.
        more: what else is the disk's own, by name, in the same order.
    """
    in_order = sorted(names)
    places = {name: place for place, name in enumerate(in_order)}
    return {"names": list(in_order), "numbers": [[places[name] for name in names], *(list(part) for part in more)]}


def as_listed(answer: Any) -> list[str]:
    """Return the names of a listing in the order of the disk."""
    return [answer["names"][place] for place in answer["numbers"][0]]


def said(options: Mapping[str, Any]) -> dict[str, Plain]:
    """Return the options that differ from what they are by default; a directory to begin in is part of the path."""
    return {
        name: bool(value)
        for name, value in options.items()
        if name != "dir_fd" and bool(value) != (name == "follow_symlinks")
    }
