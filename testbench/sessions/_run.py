"""What a session is made of, put together at the moment it opens."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager

import attrs

from testbench.places import Places
from testbench.protocol import Plain, Recorder
from testbench.sessions._recording import Recording
from testbench.sessions._replaying import Replaying


def _nothing() -> None:
    """Stand for what there is to do when nothing is to be done."""


@attrs.frozen(kw_only=True)
class Run:
    """What a session needs, made at the moment it opens.

    Attributes:
        mode: the engine behind `Call`; None for a session that does nothing.
        recorders: the kinds to install, in order.
        interception: how they reach the world; see `testbench.inplace.intercepting`.
        places: the placeholders for paths; None if the tape has none.
        streaming: per kind, the ops whose bytes are pieces of streams, in which there are none.
        keep: called at the end of a good run.
        set_aside: called at the end of any other run.
        named: what the session calls itself, where that is not the name of the engine.
        meta: header of the tape.
        around: entered before the recorders, and left after them; None if nothing is.
    """

    mode: Recording | Replaying | None = None
    recorders: Sequence[Recorder] = ()
    interception: str = "in-place"
    places: Places | None = None
    streaming: Mapping[str, Collection[str]] = attrs.field(factory=dict)
    keep: Callable[[], object] = _nothing
    set_aside: Callable[[], object] = _nothing
    named: str = ""
    meta: Mapping[str, Plain] = attrs.field(factory=dict)
    around: AbstractContextManager[object] | None = None
