"""Beginning a recording, for real or only to compare it with a tape: recorders, mode and new tape are put together."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import attrs

from testbench import _kinds
from testbench._header import header
from testbench._options import Options, StrPath
from testbench._verifying import clock_of, verifying
from testbench.errors import TapeIncompleteError
from testbench.inplace import check_supported
from testbench.inplace.real import monotonic_ns
from testbench.places import places
from testbench.protocol import Plain
from testbench.recorders import FileSettings, Settings, TickingClock, VirtualClock, zone
from testbench.redaction import Redactor, redactor
from testbench.sessions import Order, Recording, Run
from testbench.tape import Reader, TapeFile, Writer

if TYPE_CHECKING:
    from testbench.overlay import Overlay


def recording(options: Options, path: StrPath) -> Run:
    """Begin a recording to a new tape."""
    check_interception(options)
    overlay, order = overlay_of(options), Order(options.order or "strict")
    virtual, files = _virtual(options), attrs.evolve(_files(options, path), overlay=overlay)
    settings = Settings(
        virtual=virtual,
        seed=options.seed,
        env=options.env,
        environ=options.environ,
        files=files,
        allowed=options.allow,
        ordered=_kinds.orders_waits({"clock": options.clock, "relaxed": order.name}),
    )
    recorders = _kinds.make(options, settings, _kinds.wanted(files))
    made = header(
        {recorder.kind: recorder.version for recorder in recorders},
        clock=options.clock,
        start_ns=None if virtual is None else virtual.start_ns,
        seed=options.seed,
        order=order.name,
        zone=zone(),
        files=files.meta,
        meta=options.meta,
    )
    redacting, found = redactor_of(options), places(options.placeholders)
    if found is not None:
        made["placeholders"] = cast("Plain", found.names)
    file = TapeFile.create(path)
    with set_aside_unless_whole(file):
        writer = Writer(file.fd, made if redacting is None else cast("dict[str, Plain]", redacting.value(made)))
    still = virtual is not None and virtual.still
    now_ns = virtual.monotonic_ns if virtual is not None and still else monotonic_ns
    return Run(
        mode=Recording(writer, now_ns, redacting, _kinds.pieces(recorders), order, stands_still=still),
        recorders=recorders,
        interception=options.interception,
        keep=file.commit,
        set_aside=file.set_aside,
        meta=made,
        places=found,
        streaming=_kinds.streaming(recorders),
        around=overlay,
    )


def verified(options: Options, path: StrPath) -> Run:
    """Begin a run for real that is compared with a tape at its end, under the clock of that tape."""
    with Reader.open(path) as reader:
        check_complete(reader, path)
        like = attrs.evolve(options, **clock_of(reader.meta)) if options.clock == "real" else options
        files = FileSettings.recorded(reader.meta, options.roots)
    if files.effects:
        like = attrs.evolve(like, effects="roots", roots=files.roots)
    like = attrs.evolve(like, files=cast("Any", files.files))
    return verifying(Path(path), options.fidelity, lambda live: recording(like, live))


def unrecorded(options: Options) -> Run:
    """Begin a run of which nothing is recorded; its overlay is there all the same."""
    overlay = overlay_of(options)
    if overlay is None:
        return Run()
    only = attrs.evolve(options, recorders=("files",))
    return Run(recorders=_kinds.make(only, Settings(files=FileSettings(overlay=overlay)), ()), around=overlay)


def overlay_of(options: Options) -> Overlay | None:
    """Return the overlay that the session is in."""
    given = options.overlay
    if given is None:
        return None
    from testbench.overlay import Overlay  # most sessions have none

    return given if isinstance(given, Overlay) else Overlay(given)


def check_interception(options: Options) -> None:
    """See that the world can be reached here in the way that the user chose.

    Raises:
        UnsupportedError: it cannot.
    """
    if options.interception == "in-place":
        check_supported()


def check_complete(reader: Reader, path: StrPath) -> None:
    """See that a tape has an end.

    Raises:
        TapeIncompleteError: it has none.
    """
    if not reader.complete:
        raise TapeIncompleteError(
            f"the recording of {path} never finished, so a replay of it would stop somewhere in the middle; make a "
            f"clean tape of what is there with: testbench recover {path}"
        )


def redactor_of(options: Options, *, replaying: bool = False, first: int = 0) -> Redactor | None:
    """Return what keeps secrets off the tape; None where the user wants nothing of it."""
    return redactor(options.redact, options.redact_values, environ=os.environ, replaying=replaying, first=first)


@contextmanager
def set_aside_unless_whole(file: TapeFile | None) -> Iterator[None]:
    """Let go of a new tape, which is locked for as long as it is written, if there is nothing that would write it."""
    try:
        yield
    except BaseException:
        if file is not None:
            file.set_aside()
        raise


def _files(options: Options, path: StrPath) -> FileSettings:
    effects = options.effects == "roots"
    chosen = options.files or ("programs" if effects else "off")
    return FileSettings(
        effects=effects,
        roots=options.roots,
        programs=chosen != "off",
        reads=chosen if chosen in ("observed", "sealed") else "off",
        path=os.environ.get("PATH") if chosen != "off" else None,
        tapes=(path,),
    )


def _virtual(options: Options) -> VirtualClock | None:
    if options.clock == "real":
        return None
    made = VirtualClock if options.clock == "paused" else TickingClock
    return made() if options.start is None else made(options.start)
