"""Open a tape: read its header, and find its index at the end or rebuild it by a walk."""

from __future__ import annotations

from typing import Final

from attrs import frozen

from testbench.errors import NotATapeError, TapeDamagedError, TapeVersionError
from testbench.tape._codec import MalformedError, Tag
from testbench.tape._event import Finding, KindRow
from testbench.tape._index import Index
from testbench.tape._items import DIGEST_NAME, LANE_START, MAX_HEADER_SIZE, MAX_INDEX_SIZE, TAG_DICT
from testbench.tape._raw import RawEvent
from testbench.tape._source import Source
from testbench.tape._structure import END_SIZE, MAGIC, Header, read_end, read_header, sha256
from testbench.tape._walk import walk

_LANE_ROW: Final = KindRow(number=LANE_START[0], name=LANE_START[1], fields=LANE_START[2])
_NO_HEADER: Final = Header(digest_name=DIGEST_NAME, rows=(_LANE_ROW,), meta=Tag(TAG_DICT, ()), size=0)

_FIRST_READ: Final = 4096
"""Nearly every header is shorter."""


@frozen(kw_only=True)
class Located:
    """What there is to know before the first event is read.

    Attributes:
        header: the header, or an empty one in place of a damaged one.
        index: as it stands on the tape, or rebuilt.
        complete: whether the tape ends with a whole index that belongs to it.
        tail: events behind the last seal.
        findings: what is wrong.
    """

    header: Header
    index: Index
    complete: bool
    tail: tuple[RawEvent, ...] = ()
    findings: list[Finding]


def locate(source: Source, *, salvage: bool) -> Located:
    """Find everything on a tape.

    Args:
        source: the file.
        salvage: go on although the header is damaged, if anything behind it proves itself.

    Raises:
        NotATapeError, TapeVersionError, TapeDamagedError: as the header has it.
    """
    try:
        header = _read_header(source)
    except (NotATapeError, TapeDamagedError) as error:
        return _salvage(source, error, salvage)
    except TapeVersionError as error:
        raise TapeVersionError(f"{source.path}: {error}") from None
    findings = [] if header.verifies else [_not_verified(header)]
    index = _read_index(source, header)
    if index is not None:
        return Located(header=header, index=index, complete=True, findings=findings)
    seen = walk(source, header, header.rows, verifies=header.verifies)
    return Located(
        header=header, index=seen.index, complete=False, tail=seen.tail, findings=[*findings, *seen.findings]
    )


def _salvage(source: Source, error: NotATapeError | TapeDamagedError, wanted: bool) -> Located:
    seen = walk(source, None, _NO_HEADER.rows) if wanted else None
    if seen is None or not (seen.index.offsets or seen.index.blob_offsets or seen.index.rows[1:]):
        raise error
    findings = [Finding("header", str(error), 0), *seen.findings]
    return Located(header=_NO_HEADER, index=seen.index, complete=False, tail=seen.tail, findings=findings)


def _read_header(source: Source) -> Header:
    start = source.read(0, _FIRST_READ)
    if not start.startswith(MAGIC[: len(start)]):
        raise NotATapeError(
            f"{source.path} is no tape: expected it to begin with {MAGIC.hex()}, not {start[:8].hex()}. Give the path "
            "of a tape, or record one: `testbench record -o PATH -- CMD`."
        )
    try:
        return read_header(start)
    except MalformedError as error:
        if source.size <= _FIRST_READ:
            raise source.damaged(str(error), 0) from error
    try:
        return read_header(source.read(0, MAX_HEADER_SIZE))
    except MalformedError as error:
        raise source.damaged(str(error), 0) from error


def _read_index(source: Source, header: Header) -> Index | None:
    """Read the index of a complete tape; None when there is none that proves itself."""
    try:
        end = read_end(source.read(max(0, source.size - END_SIZE), END_SIZE))
        if end.size > MAX_INDEX_SIZE or end.offset + end.size + END_SIZE != source.size:
            return None
        item = source.read(end.offset, end.size)
        index = Index.parse(item)
    except MalformedError:
        return None
    proved = sha256(item) == end.digest
    proved = proved and sha256(source.read(0, header.size), index.events_digest) == index.tape_digest
    return index if proved or not header.verifies else None


def _not_verified(header: Header) -> Finding:
    what = f"the digest function {header.digest_name!r} is not known here, so nothing was verified"
    fix = f"Expected {DIGEST_NAME!r}: upgrade with `pip install --upgrade testbench`."
    return Finding("not-verified", f"{what}. {fix}", 0, "warning")
