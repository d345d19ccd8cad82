"""The recorders of one session: made from what the user chose, and what each of them declares about its ops."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping

from testbench._options import Options
from testbench.errors import TapeVersionError, UsageError
from testbench.protocol import Matcher, Pieces, Plain, Recorder
from testbench.recorders import BUILTIN, FileSettings, Settings
from testbench.sessions import guarded


def make(options: Options, settings: Settings, default: tuple[str, ...]) -> list[Recorder]:
    """Return the recorders that the user chose, or those of the default kinds.

    Raises:
        UsageError: one is not built in, or two are of one kind.
    """
    chosen = default if options.recorders is None else options.recorders
    for given in chosen:
        if isinstance(given, str) and given not in BUILTIN:
            raise UsageError(f"the kind {given!r} is not built in; give its recorder object in recorders=[...]")
    made = [BUILTIN[given](settings) if isinstance(given, str) else given for given in chosen]
    kinds = [recorder.kind for recorder in made]
    for kind in kinds:
        if kinds.count(kind) > 1:
            raise UsageError(f"two recorders are of kind {kind!r}; every kind has one")
    return made


def wanted(files: FileSettings) -> tuple[str, ...]:
    """Return the kinds that record, unless the user says which."""
    return tuple(kind for kind in BUILTIN if kind != "files" or files.wanted)


def recorded(meta: Mapping[str, Plain]) -> dict[str, Plain]:
    """Return the kinds that recorded a tape, with their versions; all built-in ones where its header names none."""
    found = meta.get("recorders")
    if isinstance(found, dict):
        return found
    # The facts of environ would all be missing, and what audit refuses was there before it.
    return dict.fromkeys(kind for kind in wanted(FileSettings()) if kind not in ("environ", "stdin", "audit"))


def check_versions(there: Mapping[str, Plain], recorders: list[Recorder], path: str | os.PathLike[str]) -> None:
    """See that every recorder understands what is on a tape.

    Raises:
        TapeVersionError: one does not.
    """
    for recorder in recorders:
        version = there.get(recorder.kind)
        if version is not None and version != recorder.version:
            raise TapeVersionError(
                f"{path} was recorded by version {version!r} of the recorder {recorder.kind!r}, and this is version "
                f"{recorder.version}, for which an event means something else; record the tape again, or replay it "
                "with the release that made it"
            )


def orders_waits(meta: Mapping[str, Plain]) -> bool:
    """Tell whether the session sees to the waits of several threads for one another, by the header of its tape."""
    return meta.get("clock") != "paused" and meta.get("relaxed", "strict") == "strict"


def streaming(recorders: list[Recorder]) -> dict[str, Collection[str]]:
    """Return per kind the ops whose bytes are pieces of streams."""
    return {recorder.kind: tuple(getattr(recorder, "pieces", ())) for recorder in recorders}


def pieces(recorders: list[Recorder]) -> dict[str, Pieces]:
    """Return per kind and op which bytes are pieces of streams; a recorder need not have any."""
    return {
        f"{recorder.kind}.{op}": pieces
        for recorder in recorders
        for op, pieces in getattr(recorder, "pieces", {}).items()
    }


def facts(recorders: list[Recorder]) -> set[str]:
    """Return the ops that are asked in no order; a recorder need not have any."""
    return {f"{recorder.kind}.{op}" for recorder in recorders for op in getattr(recorder, "facts", ())}


def matchers(recorders: list[Recorder]) -> dict[str, Matcher]:
    """Return the matcher of each kind and op that has one of its own; a fault of it is named."""
    named = {f"{recorder.kind}.{op}": matcher for recorder in recorders for op, matcher in recorder.matchers.items()}
    return {name: guarded(name, matcher) for name, matcher in named.items()}
