"""What the three standard streams of a child are: for its request, and for the recorder to look after."""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
from collections.abc import Callable, Mapping
from typing import Final

from testbench.inplace import real
from testbench.protocol import Plain
from testbench.recorders.process._channels import talks
from testbench.recorders.process._fds import identity
from testbench.recorders.process._outputs import NO_OUTPUTS, Outputs, Shared, share
from testbench.recorders.process._pump import stands_for
from testbench.recorders.process._spawn import Spawn

_CHUNK: Final = 1 << 20

NamePipe = Callable[[int], Plain]
"""Gives the name of a recorded child's pipe by its descriptor, or None."""


def describe(spawn: Spawn, devnull: int, name_pipe: NamePipe) -> dict[str, Plain]:
    """Return the fields of a request that tell what the streams are.

    ``"pipe"`` to the program, ``"null"``, ``"inherit"``, ``"file"`` (any open file given), ``"own channel"`` (a pipe,
    socket or terminal given), ``"stdout"`` (stderr goes to where stdout goes), ``"own stderr"``, ``"own stdout"``
    (those of the program), or the pipe of another child.
    """
    return {
        "stdin": "pipe" if spawn.p2cwrite != -1 else _shape(spawn.p2cread, 0, devnull, name_pipe),
        "stdin_digest": _digest(spawn.p2cread) if stands_for(spawn.p2cread) > 2 and spawn.p2cwrite == -1 else None,
        "stdout": "pipe" if spawn.c2pread != -1 else _shape(spawn.c2pwrite, 1, devnull, name_pipe),
        "stderr": "pipe" if spawn.errread != -1 else _shape_of_stderr(spawn, devnull, name_pipe),
    }


def channels_among(given: Mapping[str, int], can_join: Callable[[int], bool]) -> tuple[dict[str, int], str | None]:
    """Return what a child gets through which the program could talk with it, and the name of what cannot be tracked.

    Args:
        given: descriptors by the stream that they are to the child.
        can_join: tells whether the other end would be recognised.
    """
    found = {name: fd for name, fd in given.items() if fd > 2 and stands_for(fd) > 2 and talks(fd)}
    strange = next((name for name, fd in found.items() if not can_join(fd)), None) if found else None
    return found, None if strange is None else f"foreign_channel_as_{strange}"


def outputs_of(outside: Mapping[str, int], devnull: int, name_pipe: NamePipe) -> Outputs:
    """Return the open files that the child shares with the program and that somebody may look at afterwards.

    Args:
        outside: from `Spawn.outside`.
        devnull: the descriptor that Popen opened for DEVNULL.
        name_pipe: finds pipes of other children.
    """
    merged = "stdout" in outside and "stderr" in outside and _one_file(outside["stdout"], outside["stderr"])
    all_in_one = "stdin" in outside and _is_output_too(outside["stdin"], outside)
    found: list[Shared] = []
    unseen: list[str] = []
    for name, fd in outside.items():
        if fd == devnull or name_pipe(fd) is not None or (merged and name == "stderr"):
            continue
        if name == "stdin" and all_in_one:
            continue  # what is done to that file is seen once
        kind = _kind(fd)
        if kind == "file" or (kind == "pipe" and name != "stdin"):
            number = stands_for(fd)
            pumped = name != "stdin" and number in (1, 2) and not (all_in_one and kind == "file")
            found.append(share(name, fd, standard=number if pumped else None))
        elif kind is None and name != "stdin" and os.isatty(fd):
            unseen.append(name)
    return Outputs(found, merged=merged, unseen=tuple(unseen)) if found or unseen else NO_OUTPUTS


def _shape(fd: int, number: int, devnull: int, name_pipe: NamePipe) -> Plain:
    fd = stands_for(fd)
    if fd in (-1, number):
        return "inherit"
    if fd == devnull:
        return "null"
    if fd in (1, 2):
        return "own stdout" if fd == 1 else "own stderr"
    return name_pipe(fd) or ("own channel" if talks(fd) else "file")


def _shape_of_stderr(spawn: Spawn, devnull: int, name_pipe: NamePipe) -> Plain:
    stdout, stderr = stands_for(spawn.c2pwrite), stands_for(spawn.errwrite)
    if stderr != devnull and stderr == (1 if stdout == -1 else stdout):
        return "stdout"
    return _shape(spawn.errwrite, 2, devnull, name_pipe)


def _kind(fd: int) -> str | None:
    """Return ``"file"``, ``"pipe"`` (a socket too), or None for what cannot be looked at afterwards."""
    try:
        mode = real.fstat(fd).st_mode
    except OSError:
        return None  # not open: the child will find that out
    if stat.S_ISREG(mode):
        return "file"
    return "pipe" if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) else None


def _one_file(left: int, right: int) -> bool:
    try:
        return left == right or (identity(left) == identity(right) and _kind(left) in ("file", "pipe"))
    except OSError:
        return False


def _is_output_too(stdin: int, outside: Mapping[str, int]) -> bool:
    """Tell whether the same open file, or one of the same name, is an output of the child and stdin could be one."""
    others = [fd for name, fd in outside.items() if name != "stdin" and _one_file(stdin, fd)]
    return bool(others) and fcntl.fcntl(stdin, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY


def _digest(fd: int) -> Plain:
    """Return the SHA-256, in hex, of what is left to read in a regular file; None for anything else."""
    if _kind(fd) != "file":
        return None
    digest = hashlib.sha256()
    try:
        position = real.lseek(fd, 0, os.SEEK_CUR)
        while part := real.pread(fd, _CHUNK, position):
            digest.update(part)
            position += len(part)
    except OSError:
        return None  # open for writing only: the child cannot read it either
    return digest.hexdigest()
