"""What the three standard streams of a child are: for its request, and for the recorder to look after."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from typing import Final

import attrs

from testbench.inplace import real
from testbench.protocol import Plain
from testbench.recorders._process_fds import identity
from testbench.recorders._process_outputs import Outputs, Shared, share
from testbench.recorders._process_pump import stands_for
from testbench.recorders._process_spawn import Spawn

_CHUNK: Final = 1 << 20

NamePipe = Callable[[int], Plain]
"""Gives the name of a recorded child's pipe by its descriptor, or None."""


@attrs.frozen
class Stdio:
    """The standard streams of one child about to start.

    Attributes:
        request: what the request of the spawn says of them.
        outputs: the open files that the child shares with the program.
    """

    request: dict[str, Plain]
    outputs: Outputs


def describe(spawn: Spawn, devnull: int, name_pipe: NamePipe) -> dict[str, Plain]:
    """Return the fields of a request that tell what the streams are.

    ``"pipe"`` to the program, ``"null"``, ``"inherit"``, ``"file"`` (any open file given), ``"stdout"`` (stderr goes to
    where stdout goes), ``"own stderr"``, ``"own stdout"`` (those of the program), or the pipe of another child.
    """
    stdin, stdout, stderr = (stands_for(fd) for fd in (spawn.p2cread, spawn.c2pwrite, spawn.errwrite))
    return {
        "stdin": "pipe" if spawn.p2cwrite != -1 else _shape(stdin, 0, devnull, name_pipe),
        "stdin_digest": _digest(stdin) if stdin > 2 and spawn.p2cwrite == -1 else None,
        "stdout": "pipe" if spawn.c2pread != -1 else _shape(stdout, 1, devnull, name_pipe),
        "stderr": _shape_of_stderr(spawn, stdout, stderr, devnull, name_pipe),
    }


def stranger_among(spawn: Spawn, name_pipe: NamePipe) -> str | None:
    """Return what to call a child with which the program could talk unseen, None if there is no such way."""
    given = [("stdin", spawn.p2cread, spawn.p2cwrite), ("stdout", spawn.c2pwrite, spawn.c2pread)]
    if spawn.errwrite != spawn.c2pwrite:
        given.append(("stderr", spawn.errwrite, spawn.errread))
    for name, fd, ours in given:
        if ours == -1 and stands_for(fd) > 2 and name_pipe(fd) is None and _talks(fd):
            return f"own_pipe_as_{name}"
    passed = spawn.pass_fds if isinstance(spawn.pass_fds, (tuple, list, set, frozenset)) else ()
    return "own_pipe_as_pass_fds" if any(isinstance(fd, int) and _talks(fd) for fd in passed) else None


def outputs_of(spawn: Spawn, devnull: int, name_pipe: NamePipe) -> Outputs:
    """Return the open files that the child shares with the program and that somebody may look at afterwards."""
    out = None if spawn.c2pread != -1 else spawn.c2pwrite if spawn.c2pwrite != -1 else 1
    err = None if spawn.errread != -1 else spawn.errwrite if spawn.errwrite != -1 else 2
    if err is not None and err == spawn.c2pwrite and out is None:
        err = None  # it goes where the pipe goes
    merged = out is not None and err is not None and _one_file(out, err)
    found: list[Shared] = []
    unseen: list[str] = []
    for name, fd in (("stdin", _stdin(spawn)), ("stdout", out), ("stderr", None if merged else err)):
        if fd is None or fd == devnull or name_pipe(fd) is not None:
            continue
        kind = _kind(fd)
        if kind == "terminal" and name != "stdin":
            unseen.append(name)
        elif kind == "file" or (kind == "pipe" and name != "stdin"):
            number = stands_for(fd)
            found.append(share(name, fd, standard=number if name != "stdin" and number in (1, 2) else None))
    return Outputs(found, merged=merged, unseen=tuple(unseen))


def _stdin(spawn: Spawn) -> int | None:
    if spawn.p2cwrite != -1:
        return None
    return spawn.p2cread if spawn.p2cread != -1 else 0


def _shape(fd: int, number: int, devnull: int, name_pipe: NamePipe) -> Plain:
    if fd in (-1, number):
        return "inherit"
    if fd == devnull:
        return "null"
    if fd in (1, 2):
        return "own stdout" if fd == 1 else "own stderr"
    return name_pipe(fd) or "file"


def _shape_of_stderr(spawn: Spawn, stdout: int, stderr: int, devnull: int, name_pipe: NamePipe) -> Plain:
    if spawn.errread != -1:
        return "pipe"
    if stderr != devnull and stderr == (1 if stdout == -1 else stdout):
        return "stdout"
    return _shape(stderr, 2, devnull, name_pipe)


def _kind(fd: int) -> str | None:
    """Return ``"file"``, ``"pipe"`` (a socket too), ``"terminal"``, or None for what cannot be looked at afterwards."""
    try:
        mode = real.fstat(fd).st_mode
    except OSError:
        return None  # not open: the child will find that out
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        return "pipe"
    return "terminal" if os.isatty(fd) else None


def _talks(fd: int) -> bool:
    return _kind(fd) in ("pipe", "terminal")


def _one_file(left: int, right: int) -> bool:
    try:
        return left == right or (identity(left) == identity(right) and _kind(left) in ("file", "pipe"))
    except OSError:
        return False


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
