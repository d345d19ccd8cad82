"""Make a sound tape of an unfinished or damaged one: keep what proves itself, say what is lost.

Events are read, lifted and recorded again, in order, so the new tape is what an uninterrupted recording of the same
events would have written, byte for byte. Nothing is invented, with one exception that the report names: a lane whose
start is lost gets one, because no event can stand in a lane that never began.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from attrs import frozen

from testbench.errors import (
    BlobDamagedError,
    BlobMissingError,
    TapeDamagedError,
    TapeError,
    TapeVersionError,
    UsageError,
)
from testbench.protocol import Plain
from testbench.tape._check import check
from testbench.tape._event import Finding, KindRow, Outcome
from testbench.tape._file import TapeFile
from testbench.tape._items import DIGEST_NAME, LANE_START
from testbench.tape._raw import RawEvent
from testbench.tape._reader import Reader
from testbench.tape._wire import Wire
from testbench.tape._writer import Writer

_HARMLESS: Final = frozenset({"incomplete", "index", "end", "trailing", "kind-digest", "kind"})
"""Codes of findings that cost nothing themselves: it is written anew, or every event that it costs is counted."""


@frozen
class RecoverReport:
    """What came of a recovery.

    Attributes:
        path: the new tape.
        events: how many events it holds.
        lost: how many are lost; at least 1 where bytes are damaged and nobody can tell how many events they were, or
            where the header or what it says about the recording is lost.
        findings: what was wrong with the old tape.
    """

    path: Path
    events: int
    lost: int
    findings: list[Finding]


def recover(
    path: str | os.PathLike[str], out: str | os.PathLike[str] | None = None, *, overwrite: bool = False
) -> RecoverReport:
    """Write a sound tape with everything that is whole on another.

    The old tape is not changed; only where it is the ``.partial`` beside ``out``, it is moved to ``.failed``, as every
    recording does with what a killed one left.

    Args:
        path: the incomplete or damaged tape.
        out: the new tape; by default ``NAME.recovered.tape`` beside the old one.
        overwrite: replace a file that is at ``out`` already.

    Raises:
        TapeNotFoundError, NotATapeError: there is nothing to recover.
        TapeVersionError: a newer format wrote it, or its digest function is not known, so that nothing can be proved.
        TapeDamagedError: nothing on the tape proves itself.
        UsageError: there is a file at ``out``, and ``overwrite`` is not given.
        TapeBusyError: a recording is writing to ``out`` right now.
        TapeWriteError: the new tape cannot be written.
    """
    target = Path(out) if out is not None else _default(Path(path))
    if target.exists() and not overwrite:
        raise UsageError(
            f"there is a file at {target} already, and it was not touched. Give another path: "
            f"`testbench recover {path} -o OTHER.tape`, or remove it first."
        )
    with Reader.open(path, salvage=True) as reader:
        _provable(reader)
        file = TapeFile.create(target)
        try:
            copy = _Copy(reader, file)
            copy.run()
            _prove(file)
        except BaseException:
            file.set_aside()
            raise
        return RecoverReport(file.commit(), copy.events, copy.lost(), copy.findings)


def _default(path: Path) -> Path:
    """Name the new tape after the old one: ``run.tape``, ``run.tape.partial`` and ``run.tape.failed`` all agree."""
    name = path.name
    for suffix in (".partial", ".failed", ".tape"):
        name = name.removesuffix(suffix)
    return path.with_name(f"{name}.recovered.tape")


def _provable(reader: Reader) -> None:
    if reader.digest_name != DIGEST_NAME:
        raise TapeVersionError(
            f"{reader.path} names the digest function {reader.digest_name!r}, which is not known here: expected "
            f"{DIGEST_NAME!r}. Only what proves itself can be recovered. Upgrade with "
            "`pip install --upgrade testbench`."
        )


def _prove(file: TapeFile) -> None:
    findings = check(file.partial)
    if findings:
        raise TapeDamagedError(f"the recovered tape is not sound, so it was not kept: {findings[0].message}")


class _Copy:
    """Records the events of one tape on another.

    Attributes:
        events: how many events the new tape holds.
        findings: what was wrong with the old one.
    """

    def __init__(self, reader: Reader, file: TapeFile) -> None:
        self.events, self.findings = 0, reader.damage
        self._reader = reader
        self._writer = Writer(file.fd, self._meta())
        self._lanes = {0}
        self._nameless: set[int] = set()  # kinds whose row is lost, as far as events of them were met
        self._waited_ns = 0  # what lost events leave to the next one, so that times stay right

    def run(self) -> None:
        """Copy everything."""
        for seq, event in enumerate(self._reader.events(salvage=True)):
            try:
                self._event(event)
            except (TapeDamagedError, BlobMissingError, BlobDamagedError) as error:
                self._waited_ns += event[1]
                self._note("event", f"event {seq} is lost: {error}")
        self._writer.close()

    def lost(self) -> int:
        """Count what the old tape had and the new one has not."""
        known = self._reader.total - self.events
        return max(known, int(any(finding.code not in _HARMLESS for finding in self.findings)))

    def _meta(self) -> dict[str, Plain]:
        if any(finding.code == "header" for finding in self.findings):
            self._note("meta", "what the recording said about itself is lost with its header")
        try:
            return self._reader.meta
        except TapeError as error:
            self._note("meta", f"what the recording said about itself is lost: {error}")
            return {}

    def _event(self, event: RawEvent) -> None:
        number, dt, lane, body = event
        if number not in self._reader.kinds:
            self._lose(number, dt)
            return
        row = self._reader.kinds[number]
        if number == LANE_START[0]:
            self._append(number, dt, lane, list(body))
        elif row.fields == ("values",):
            values = list(self._reader.run_values(body))
            self._append(self._writer.kind(row.name, row.fields), dt, lane, self._writer.run_body(values))
        else:
            values, outcome = self._crossing(row, body)
            number = self._writer.kind(row.name, row.fields)  # not before all of the event could be read
            self._append(number, dt, lane, self._writer.call_body(values, outcome))

    def _crossing(self, row: KindRow, body: Wire) -> tuple[list[Plain], Outcome]:
        request, took_ns, outcome = self._reader.call_body(body, row)
        values = list(request.values()) if type(request) is dict and row.fields[:-2] != ("",) else [request]
        if len(values) != len(row.fields) - 2 or row.fields[-2:] != ("took_ns", "outcome"):
            raise TapeDamagedError(f"the fields of {row.name!r} are not those of a crossing, or share a name.")
        return [*values, took_ns], outcome

    def _append(self, number: int, dt: int, lane: int, body: object) -> None:
        if number == LANE_START[0]:
            self._lanes.add(lane)
        elif lane not in self._lanes:
            self._start_lost(lane)
        self._writer.event([number, dt + self._waited_ns, lane, body])
        self._waited_ns = 0
        self.events += 1

    def _lose(self, number: int, dt: int) -> None:
        """Leave out an event whose kind has no row; said once per kind, of which there may be a million events."""
        self._waited_ns += dt
        if number not in self._nameless:
            self._nameless.add(number)
            self._note("kind", f"every event of kind {number} is lost, because the row that names it is")

    def _start_lost(self, lane: int) -> None:
        name = f"lost#{lane}"
        self._note("lane", f"the start of lane {lane} is lost; the new tape calls it {name!r}")
        self._lanes.add(lane)
        self._writer.event([LANE_START[0], 0, lane, [name, None]])

    def _note(self, code: str, what: str) -> None:
        self.findings.append(Finding(code, f"{self._reader.path}: {what}"))
