"""Tapes from and to the process tapes of harn: JSON arrays of finished processes.

That form is text and knows processes only; what it cannot say is refused, or left out when asked for and then named.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from attrs import frozen

from testbench._api import open_tape
from testbench.errors import UsageError
from testbench.harness._harn_json import HarnProcess, dumps, loads
from testbench.processes import Process
from testbench.protocol import Plain
from testbench.recorders import Process as Recorder
from testbench.tape import Returned, Tape, TapeFile, Writer

StrPath = str | os.PathLike[str]

_MS: Final = 1_000_000
_FIRST_PID: Final = 5_000_000  # above any that Linux gives, so that it never means somebody else's process
_SPAWN: Final = (
    *("program", "argv", "shell", "cwd", "env", "stdin", "stdin_digest", "stdout", "stderr", "options"),
    *("took_ns", "outcome"),
)
_COMMUNICATE: Final = ("child", "input", "timeout", "took_ns", "outcome")
_SHOWN: Final = 5


@frozen(kw_only=True)
class HarnExport:
    """A tape in harn's form.

    Attributes:
        text: the JSON.
        notes: what of the tape is not in it, one sentence each.
    """

    text: str
    notes: list[str]


def import_harn(source: StrPath, path: StrPath) -> Path:
    """Make a tape of a process-tape JSON file.

    A replay of it compares program, arguments and working directory; everything else is answered whatever it is.

    Args:
        source: the JSON; an empty file is an empty tape, and missing fields have their defaults.
        path: the tape to write.

    Raises:
        UsageError: the source cannot be read or has another form; the text names the process and the field.
        TapeWriteError: the tape cannot be written.
    """
    found = loads(_read(source), os.fspath(source))
    file = TapeFile.create(path)
    try:
        writer = Writer(file.fd, {"recorders": {Recorder.kind: Recorder.version}, "imported": "harn"})
        for number, process in enumerate(found, 1):
            _write(writer, number, process)
        writer.close()
    except BaseException:
        file.set_aside()
        raise
    return file.commit()


def export_harn(path: StrPath, *, lossy: bool = False) -> HarnExport:
    """Give the processes of a tape in harn's form.

    Args:
        path: the tape.
        lossy: leave out or escape what the form cannot say, instead of refusing it.

    Raises:
        UsageError: some process cannot be told in that form; the text names its event.
        TapeError: the tape cannot be read.
    """
    with open_tape(path) as tape:
        found = tape.processes()
        notes = list(_others(tape))
    losses = [f"event {process.seq}: {loss}" for process in found for loss in _losses(process)]
    if losses and not lossy:
        more = [f"and {len(losses) - _SHOWN} more"] if len(losses) > _SHOWN else []
        listed = "\n  ".join([*losses[:_SHOWN], *more])
        raise UsageError(
            f"{path} cannot be told in the form of harn:\n  {listed}\n"
            "Export it with --lossy (lossy=True) to leave this out or escape it."
        )
    text = dumps([_told(process) for process in found if process.error is None])
    return HarnExport(text=text, notes=[*losses, *notes])


def _read(source: StrPath) -> bytes:
    try:
        return Path(source).read_bytes()
    except OSError as error:
        raise UsageError(f"{os.fspath(source)} cannot be read: {error.strerror}") from error


def _write(writer: Writer, number: int, process: HarnProcess) -> None:
    """Write the two events of ``subprocess.run``; a field that is None matches anything."""
    env: dict[str, Plain] = dict(process.env)
    # harn keeps the environment and compares none of it: it goes where no matcher looks.
    started: dict[str, Plain] = {"pid": _FIRST_PID + number, **({"env": env} if env else {})}
    argv: list[Plain] = [process.program, *process.args]
    body = writer.call_body([process.program, argv, None, process.cwd, *[None] * 6, 0], Returned(started))
    writer.event([writer.kind("process.spawn", _SPAWN), 0, 0, body])
    ended: dict[str, Plain] = {
        "stdout": process.stdout.encode(),
        "stderr": process.stderr.encode(),
        "returncode": process.exit_code,
        "timeout": False,
    }
    took_ns = round(process.duration_ms * _MS)
    body = writer.call_body([number, None, None, took_ns], Returned(ended))
    writer.event([writer.kind("process.communicate", _COMMUNICATE), took_ns, 0, body])


def _others(tape: Tape) -> Iterator[str]:
    """Name the kinds that the form does not know."""
    counts = Counter({name: count for name, count in tape.info().kinds.items() if not name.startswith("process.")})
    for name, count in sorted(counts.items()):
        yield f"{count} event{'' if count == 1 else 's'} of kind {name} left out"


def _losses(process: Process) -> Iterator[str]:
    """Name what the form cannot say of a process."""
    if process.error is not None:
        yield f"the process could not be started ({process.error.type}), so it is left out"
        return
    for name, value in (
        ("program", process.program),
        *(("argument", word) for word in process.argv),
        ("cwd", process.cwd),
    ):
        if value is not None and _as_text(value) is None:
            yield f"{name} {value!r} is no Unicode text"
    for name in ("stdout", "stderr"):
        if _decoded(getattr(process, name)) is None:
            yield f"{name} is not UTF-8"
    if process.stdin:
        yield f"{len(process.stdin):,} bytes were sent to its stdin"
    if process.expired:
        yield "an observation of it ended by a timeout"
    if process.returncode is None:
        yield "its end was never observed"
    if not process.shell and process.argv[:1] != [process.program]:
        yield f"it was called {process.argv[:1]} and the program is {process.program!r}"


def _told(process: Process) -> HarnProcess:
    words = ["-c", *process.argv] if process.shell else process.argv[1:]
    return HarnProcess(
        program=_escaped(process.program),
        args=[_escaped(word) for word in words],
        cwd=None if process.cwd is None else _escaped(process.cwd),
        env={_escaped(name): _escaped(value) for name, value in process.env.items()},
        stdout=process.stdout.decode("utf-8", "backslashreplace"),
        stderr=process.stderr.decode("utf-8", "backslashreplace"),
        exit_code=-1 if process.returncode is None else process.returncode,
        duration_ms=round(process.duration_ns / _MS),
    )


def _as_text(value: Plain) -> str | None:
    """Return a text that JSON and UTF-8 can hold, None for bytes and for lone surrogates."""
    return value if isinstance(value, str) and not any("\ud800" <= c <= "\udfff" for c in value) else None


def _escaped(value: Plain) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value).encode("utf-8", "backslashreplace").decode("utf-8")


def _decoded(value: bytes) -> str | None:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return None
