"""Look a whole tape over: every byte is covered by a digest or derived again, every event is read as a reader would.

`walk` proves seals, blobs, index and end, and that items fill the file; `audit` goes through what the segments hold.
Here is the rest: the header, and items of later formats. Memory is one segment, and about 200 bytes per payload.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from attrs import evolve

from testbench.errors import TapeDamagedError, TapeError
from testbench.tape._audit import audit
from testbench.tape._event import Finding
from testbench.tape._locate import locate
from testbench.tape._reader import Reader
from testbench.tape._source import Source
from testbench.tape._structure import Header, make_header
from testbench.tape._walk import Walk, walk


def check(path: str | os.PathLike[str]) -> list[Finding]:
    """Check a tape through and through.

    Returns:
        What was found, by place in the file; empty for a sound tape. ``error``: bytes are not what was written.
        ``warning``: the recording never finished, or the digests cannot be verified. ``info``: items of a later format.

    Raises:
        TapeNotFoundError: there is no such file.
        NotATapeError: it is something else, or empty.
        TapeVersionError: a newer format wrote it.
        TapeError: the disk reports an error.
    """
    source = Source.open(path)
    try:
        return sorted(_findings(source), key=lambda finding: finding.offset or 0)
    finally:
        source.close()


def _findings(source: Source) -> Iterator[Finding]:
    try:
        located = locate(source, salvage=True)
    except TapeDamagedError as error:
        yield Finding("header", str(error), 0)
        return
    header = located.header
    seen = walk(source, header if header.size else None, header.rows, verifies=header.verifies)
    yield from located.findings
    if located.complete:  # else they are among those above
        yield from seen.findings
    yield from _unknown(source, seen)
    reader = Reader(source, evolve(located, index=seen.index, tail=seen.tail, complete=False))
    yield from _header(source, header, reader)
    yield from audit(source, reader, seen)


def _unknown(source: Source, seen: Walk) -> Iterator[Finding]:
    for offset, size in seen.unknown:
        yield Finding(
            "unknown-item",
            f"{source.path}, byte {offset}: an item of {size} bytes that this version does not know. It is left alone, "
            "and no digest covers it; to see what it is, upgrade with `pip install --upgrade testbench`.",
            offset,
            "info",
        )


def _header(source: Source, header: Header, reader: Reader) -> Iterator[Finding]:
    """Encode the header again, and read what the recording says about itself."""
    expected = make_header(header.rows, header.meta, header.digest_name)
    if header.size and expected != source.read(0, header.size):
        yield Finding("form", f"{source.path}, byte 0: the header is not in the one form that its value has.", 0)
    try:
        reader.meta  # noqa: B018  # it is lifted when it is asked for
    except TapeError as error:
        yield Finding("meta", f"{source.path}, byte 0: {error}", 0)
