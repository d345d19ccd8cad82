"""Every exception of the project, in one tree.

::

    TestbenchError                     root: catches everything below, and nothing else
    ├── UsageError                     2   a bad argument, an unknown kind, a value that cannot pass the waist
    │   ├── UnsupportedError           2   this interpreter, or this way of calling, is refused
    │   └── TapeBusyError              2   another recording writes the same tape right now
    ├── RecordingError                 1   the run cannot be kept as a faithful tape
    ├── OverlayError                   1   what is in an overlay cannot be told of or brought to its root
    ├── DriftError                     1   the world answers otherwise than the tape, in mode verify
    ├── TapeError                      3   the artefact
    │   ├── TapeNotFoundError              there is none (also a FileNotFoundError)
    │   ├── NotATapeError                  the file is something else, or empty
    │   ├── TapeVersionError               made by a newer format or recorder
    │   ├── TapeIncompleteError            its recording never finished
    │   ├── TapeDamagedError               bytes that a tape cannot hold
    │   ├── TapeWriteError                 it cannot be written (disk full, read-only, a directory)
    │   ├── BlobMissingError               a payload is referred to and absent
    │   └── BlobDamagedError               a payload does not have its digest
    └── DivergenceError                1   the run asks what the tape does not answer
        ├── MismatchError                  the next event is another one
        ├── ExhaustedError                 the tape has ended, the run has not
        ├── LeftoverError                  the run has ended, the tape has not
        ├── RefusedError                   the run crosses a boundary that no tape answers
        └── StallError                     a lane waits for a turn that never comes

Absent, damaged and divergent are never confused. The number is the exit status of the command line.

A `DivergenceError` is deliberately no `Exception`: the code under replay is full of broad ``except Exception``
clauses, and one of them must not turn a failed replay into a green one. All others are ordinary exceptions.
"""

from __future__ import annotations

from typing import Any, ClassVar


class TestbenchError(BaseException):
    """Root of the tree; only its children are raised."""

    __test__ = False  # the name starts with "Test"; pytest must not collect it
    exit_status: ClassVar[int] = 1


class UsageError(TestbenchError, Exception):
    """The caller asked for something that has no meaning, or that cannot be recorded."""

    exit_status = 2


class UnsupportedError(UsageError):
    """This interpreter, or this way of using a boundary, cannot be recorded exactly and is therefore refused."""


class TapeBusyError(UsageError):
    """Another recording, here or in another process, is writing the same tape."""


class RecordingError(TestbenchError, Exception):
    """The recording is not faithful and was not kept as a good tape; the text says what broke it.

    Attributes:
        endless: whether that is a wait which never ends; whoever waits for the one that waited is not let wait either.
    """

    endless = False


class OverlayError(TestbenchError, Exception):
    """What was done in an overlay cannot be told of, or brought to its root; all there is as it was.

    Attributes:
        path: the path that stands in the way.
    """

    def __init__(self, message: str, path: str) -> None:
        """Keep the message and the path."""
        super().__init__(message)
        self.path = path


class DriftError(TestbenchError, Exception):
    """A live run was compared with its tape, in mode ``verify``, and the world has changed.

    Attributes:
        report: what differs, as data (`testbench.Fidelity`).
    """

    def __init__(self, message: str, report: Any = None) -> None:
        """Keep the rendered message and the data behind it."""
        super().__init__(message)
        self.report = report


class TapeError(TestbenchError, Exception):
    """Something about the tape itself, whatever program it is used with."""

    exit_status = 3


class TapeNotFoundError(TapeError, FileNotFoundError):
    """There is no tape at that path."""

    def __str__(self) -> str:
        """Give the message alone; the errno form of FileNotFoundError would hide it."""
        return str(self.args[-1]) if self.args else ""


class NotATapeError(TapeError):
    """The file exists and is not a tape: another format, an empty file, a directory."""


class TapeVersionError(TapeError):
    """The tape was written by a newer format, or by a recorder whose meaning has changed since."""


class TapeIncompleteError(TapeError):
    """The recording of this tape never finished; what it holds can be recovered."""


class TapeDamagedError(TapeError):
    """The bytes of the tape are not what was written."""


class TapeWriteError(TapeError):
    """The tape cannot be written; nothing that stood there before was touched."""


class BlobMissingError(TapeError):
    """An event refers to a payload that is not there."""


class BlobDamagedError(TapeError):
    """A payload is there, and its bytes do not have the digest that names it."""


class DivergenceError(TestbenchError):
    """The run asks what the tape does not answer; raised again on every later call, and at close.

    Attributes:
        report: the divergence as data (`testbench.sessions.Divergence`), None for a bare message.
    """

    def __init__(self, message: str, report: Any = None) -> None:
        """Keep the rendered message and the data behind it."""
        super().__init__(message)
        self.report = report

    @property
    def lanes(self) -> list[dict[str, str]]:
        """For each lane its ``name``, what it ``waits_for`` and ``where``; empty if there was but one."""
        return [] if self.report is None else list(self.report.lanes)


class MismatchError(DivergenceError):
    """The next event of the tape is not the call that the program makes."""


class ExhaustedError(DivergenceError):
    """The program makes a call after the last event of the tape."""


class LeftoverError(DivergenceError):
    """The program ended and events of the tape were never asked for."""


class RefusedError(DivergenceError):
    """The program crosses a boundary that is known and cannot be answered from a tape (an `exec`, say)."""


class StallError(DivergenceError):
    """No lane can go on: each waits for a turn, or a lock, that never comes."""
