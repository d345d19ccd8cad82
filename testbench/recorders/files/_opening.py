"""Opening files: ops ``open`` and ``more`` for what is read, ``update`` for what is read and written.

What is opened for writing alone is real in both modes: the program writes it again on replay. What it reads is on the
tape as it was at that moment, whoever wrote it. A file that is opened to be read and written (``r+``, ``a+``, or made
if it is not there) is real too; a replay sees that it is what it was, or says so.

The outcome of ``open`` is ``{"what", "size", "digest", "offset", "length", "content", "more"}``: ``what`` is ``file``,
``dir``, or a word for what cannot be recorded. With files="sealed" there is content, see
`testbench.recorders.files._snapshot`; what is not one piece comes in further events, ``more``. With files="observed"
there is the digest.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any, Final

from testbench.inplace import Redirect
from testbench.protocol import Call, Pieces, Place, Plain
from testbench.recorders.files._direct import watch_direct
from testbench.recorders.files._drift import WRITTEN, Drift
from testbench.recorders.files._given import RAISES, as_given, exactly
from testbench.recorders.files._growing import Growing
from testbench.recorders.files._reading import Reading, described, looked_at, with_opener
from testbench.recorders.files._served import Served, directory_of, file_of

_REAL: Final = os.O_PATH | (os.O_TMPFILE & ~os.O_DIRECTORY)
_SAID: Final = {"directory": os.O_DIRECTORY, "nofollow": os.O_NOFOLLOW}
_NO_ROOM: Final = "what the file held finds no room here ({}); make some in /var/tmp or /tmp"
_SPECIAL: Final = "read it within a function that is marked with @testbench.boundary"


def _content(request: Plain, value: Plain) -> Iterator[tuple[str, Place, bool]]:
    path = request.get("path") if isinstance(request, dict) else None
    if isinstance(value, dict) and isinstance(value.get("content"), bytes):
        yield f"{path!r}", ("outcome", "content"), not value.get("more")


PIECES: Final[Mapping[str, Pieces]] = {"open": _content, "more": _content}
"""Which bytes are the content of a file: no placeholder for a path goes there."""

Named = Callable[[Any, Any], "str | None"]


class Opening:
    """What opens files, for one session.

    Args:
        call: the waist.
        named: gives the path of a read of the program, None for what is none.
        served: the descriptors that the program has from us.
        drift: compares with the disk, None where the tape holds what is read.
    """

    def __init__(self, call: Call, named: Named, served: Served, drift: Drift | None) -> None:
        self._call = call
        self._named = named
        self._served = served
        self._drift = drift
        self._growing = Growing(call)
        self._opens: Callable[..., int] = os.open

    def install(self, stack: ExitStack) -> None:
        """Redirect ``open`` and ``os.open`` until the stack is closed."""
        descriptor, stream = Redirect(os.open), Redirect(io.open)
        stack.callback(descriptor.restore)
        stack.callback(stream.restore)
        self._opens = descriptor.original
        descriptor.to(as_given(self._os_open(descriptor.original)))
        stream.to(self._io_open(stream.original))
        watch_direct(self._call, self._named, _reads, stack)
        self._growing.install(stack)

    def _os_open(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def open(path: Any, flags: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> Any:
            name = self._named(path, dir_fd) if isinstance(flags, int) and _looks(flags) else None
            if name is None:
                return original(path, flags, mode, dir_fd=dir_fd)
            return self._open(name, flags, lambda: original(path, flags, mode, dir_fd=dir_fd), path, dir_fd)

        return open

    def _io_open(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def open(
            file: Any,
            mode: Any = "r",
            buffering: Any = -1,
            encoding: Any = None,
            errors: Any = None,
            newline: Any = None,
            closefd: Any = True,
            opener: Any = None,
        ) -> Any:
            given = (file, mode, buffering, encoding, errors, newline, closefd)
            if opener is not None:
                return original(*given, opener)
            name = self._named(file, None) if _reads(mode) and type(file) is not int else None
            if name is None:
                return original(*given)

            def own(path: Any, flags: int) -> int:
                """Open what CPython would open here; it has checked everything else by now."""
                exact = exactly(path)
                try:
                    return self._open(name, flags, lambda: self._opens(exact, flags, 0o666), exact, None)
                except OSError as error:
                    error.filename = path
                    raise

            if "+" in mode:
                return original(*given, own)  # it is written as well, and nothing of that is recorded
            return with_opener(original, given, own)

        return open

    def _open(self, name: str, flags: int, effect: Callable[[], int], path: Any, dir_fd: Any) -> int:
        if flags & (os.O_ACCMODE | os.O_CREAT):
            self._see_update(name, path, dir_fd)
            return effect()
        reading = Reading(self._drift is None, effect)
        request: Plain = {"path": name, "options": {word: True for word, flag in _SAID.items() if flags & flag}}
        try:
            fd = self._cross(reading, name, request, path, flags, dir_fd)
        except BaseException:
            reading.close()
            raise
        return self._served.remember(fd, name)

    def _cross(self, reading: Reading, name: str, request: Plain, path: Any, flags: int, dir_fd: int | None) -> int:
        try:
            answer: Any = self._call("open", request, reading.first, raises=RAISES)
        except OSError as error:
            if not reading.begun and self._drift is not None:
                self._drift.compare("open", name, error, lambda: described(reading.look()))
            raise
        if answer["what"] not in ("file", "dir"):
            asked: Plain = {"path": name, "what": answer["what"]}
            fd: int = self._call.leak("special", asked, lambda: reading.fd, instead=_SPECIAL)
            return fd
        if reading.begun:
            for _ in self._rest(name, answer, reading):
                pass  # each piece is an event, and nobody needs it here
            if answer["what"] == "file" and reading.found is not None:
                self._growing.remember(reading.fd, name, reading.found)
            return reading.fd
        if self._drift is not None:
            return self._compared(self._drift, name, answer, reading)
        if answer["what"] == "dir":
            return directory_of(self._opens, path, flags, dir_fd)
        size = answer["size"]
        parts = ((part["offset"], part["length"], part["content"]) for part in self._rest(name, answer, reading))
        try:
            return file_of(size, parts, flags)
        except OSError as error:  # none that the program had
            told = _NO_ROOM.format(error.strerror)
            return int(self._call.leak("serve", {"path": name, "size": size}, lambda: -1, instead=told))

    def _rest(self, name: str, answer: Any, reading: Reading) -> Iterator[Any]:
        yield answer
        while answer["more"]:
            answer = self._call("more", {"path": name}, reading.next)
            yield answer

    def _compared(self, drift: Drift, name: str, answer: Any, reading: Reading) -> int:
        """Return the real file, if it is what the tape says."""
        try:
            present: Any = reading.look()
        except OSError as error:
            present = error
        was, now = described(answer), described(present)
        if was != now:
            drift.tell(name, (was, now))
        return reading.fd

    def _see_update(self, name: str, path: Any, dir_fd: Any) -> None:
        """Put on the tape what a file is that will be written to as well; on replay see that it is that."""
        performed: list[bool] = []

        def effect() -> Plain:
            performed.append(True)
            return looked_at(self._opens, path, dir_fd)

        answer = self._call("update", {"path": name}, effect, raises=RAISES)
        if not performed:
            was, now = described(answer), described(looked_at(self._opens, path, dir_fd))
            if was != now:
                (self._drift or Drift(self._call)).tell(name, (was, now), WRITTEN)


def _looks(flags: int) -> bool:
    """Tell whether opening a file so means to read what is there."""
    way = flags & os.O_ACCMODE
    fresh = (flags & os.O_CREAT and flags & os.O_EXCL) or (way != os.O_RDONLY and flags & os.O_TRUNC)
    return not (flags & _REAL or way == os.O_WRONLY or fresh)


def _reads(mode: Any) -> bool:
    """Tell whether what is in a file counts if it is opened so; what is no mode CPython refuses."""
    return type(mode) is str and ("r" in mode or "+" in mode) and "w" not in mode and "x" not in mode
