"""Beginning a replay, or a splice, of a tape: recorders, mode, the tape, and the new one if there is to be one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

from testbench import _kinds
from testbench._beginning import check_complete, check_interception, overlay_of, redactor_of, set_aside_unless_whole
from testbench._header import warn_of_hash_seed
from testbench._options import Options, StrPath
from testbench.errors import TapeVersionError, UsageError
from testbench.inplace.real import monotonic_ns
from testbench.places import places_of
from testbench.protocol import Plain, Recorder
from testbench.recorders import FileSettings, Settings
from testbench.redaction import Redactor
from testbench.sessions import (
    ORDERS,
    Comparing,
    Order,
    Prefix,
    Replaying,
    Rules,
    Run,
    Splicing,
    highest_on,
)
from testbench.tape import Reader, TapeFile, Writer

if TYPE_CHECKING:
    from testbench.overlay import Overlay


def replaying(options: Options, path: StrPath, rerecord: StrPath | None = None) -> Run:
    """Begin a replay of a tape, which may be recorded again meanwhile."""
    return _opened(options, path, rerecord, splice=False)


def splicing(options: Options, path: StrPath) -> Run:
    """Begin a replay that goes on as a recording, to a new tape in the old one's place."""
    return _opened(options, path, path, splice=True)


def _opened(options: Options, path: StrPath, rerecord: StrPath | None, *, splice: bool) -> Run:
    check_interception(options)
    reader = Reader.open(path)
    try:
        _check(reader, path, splice=splice)
        return _run(options, reader, path, rerecord, splice=splice)
    except BaseException:
        reader.close()
        raise


def _run(options: Options, reader: Reader, path: StrPath, rerecord: StrPath | None, *, splice: bool) -> Run:
    meta = reader.meta
    order = _order(options, meta, path)
    if order.by_lane and rerecord is not None:
        raise UsageError("rerecord= needs the recorded order; give order='strict' or 'boundary', and no shuffle=")
    overlay = overlay_of(options)
    recorders = _recorders(options, meta, path, rerecord, overlay)
    warn_of_hash_seed(meta)
    found = places_of(_names(meta), options.placeholders)
    file = None if rerecord is None else TapeFile.create(rerecord)

    def keep() -> None:
        reader.close()
        if file is not None:
            file.commit()

    def set_aside() -> None:
        reader.close()
        if file is not None:
            file.set_aside()

    with set_aside_unless_whole(file):
        writer = None if file is None else Writer(file.fd, meta)
        if splice and writer is not None:
            mode: Replaying | Splicing = _splicing(options, reader, recorders, writer)
        else:
            mode = _replaying(options, reader, recorders, writer, order)
    return Run(
        mode=mode,
        recorders=recorders,
        interception=options.interception,
        keep=keep,
        set_aside=set_aside,
        meta=meta,
        places=found,
        streaming=_kinds.streaming(recorders),
        around=overlay,
    )


def _recorders(
    options: Options, meta: Mapping[str, Plain], path: StrPath, rerecord: StrPath | None, overlay: Overlay | None
) -> list[Recorder]:
    """Return the recorders for what is on a tape, made as they were when it was recorded."""
    there, host = _kinds.recorded(meta), meta.get("host")
    files = FileSettings.recorded(meta, options.roots, (path, path if rerecord is None else rerecord))
    settings = Settings(
        env=options.env,
        environ=options.environ,
        zone=host.get("zone") if isinstance(host, dict) else None,
        recorded=there,
        allowed=options.allow,
        files=files if overlay is None else attrs.evolve(files, overlay=overlay),
        ordered=_kinds.orders_waits(meta),
    )
    kinds = tuple(there) if overlay is None or "files" in there else (*there, "files")
    recorders = _kinds.make(options, settings, kinds)
    _kinds.check_versions(there, recorders, path)
    return recorders


def _replaying(
    options: Options, reader: Reader, recorders: list[Recorder], writer: Writer | None, order: Order
) -> Replaying:
    redacting = redactor_of(options, replaying=True)
    return Replaying(
        reader,
        _comparing(options, recorders, redacting),
        stall_s=options.stall_s,
        writer=writer,
        redactor=redacting,
        order=order,
        facts=_kinds.facts(recorders),
    )


def _splicing(options: Options, reader: Reader, recorders: list[Recorder], writer: Writer) -> Splicing:
    redacting = redactor_of(options, first=highest_on(reader))
    prefix = Prefix(reader, _comparing(options, recorders, redacting), writer, _kinds.facts(recorders))
    return Splicing(writer, monotonic_ns, prefix, reader.total, redacting, _kinds.pieces(recorders))


def _comparing(options: Options, recorders: list[Recorder], redacting: Redactor | None) -> Comparing:
    return Comparing(_kinds.matchers(recorders), redacting, _kinds.pieces(recorders), Rules(options.match))


def _order(options: Options, meta: Mapping[str, Plain], path: StrPath) -> Order:
    recorded = str(meta.get("relaxed", "strict"))
    chosen = options.order or recorded
    if recorded not in ORDERS or ORDERS.index(chosen) < ORDERS.index(recorded):
        raise UsageError(
            f"{path} was recorded with order={recorded!r}, so that nothing stricter can be replayed of it; leave "
            f"order= out, or record again with order={chosen!r}"
        )
    return Order(chosen, options.shuffle)


def _check(reader: Reader, path: StrPath, *, splice: bool) -> None:
    """See that a tape can be answered from.

    Raises:
        TapeIncompleteError, TapeVersionError, UsageError: it cannot.
    """
    check_complete(reader, path)
    if splice and reader.meta.get("clock", "real") != "real":
        raise UsageError(
            f"{path} was recorded with clock={reader.meta['clock']!r}, and nobody can say how far that clock is where "
            "the program leaves its tape; mode splice needs a tape of the real clock. Record again"
        )
    if splice and reader.meta.get("files") == "observed":
        raise UsageError(
            f"{path} was recorded with files='observed', so that what a file was would be kept before it shows that it "
            "is something else now; mode splice needs files='sealed', 'programs' or 'off'. Record again"
        )
    if reader.digest_name != "sha-256":
        raise TapeVersionError(
            f"{path} names the digest function {reader.digest_name!r}, which is not known here, so that nothing "
            "of it could be verified; expected sha-256. Look for damage with: testbench check, or upgrade testbench"
        )


def _names(meta: Mapping[str, Plain]) -> list[Plain]:
    """Return the placeholders of a tape."""
    names = meta.get("placeholders")
    return names if isinstance(names, list) else []
