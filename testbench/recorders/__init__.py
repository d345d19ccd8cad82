"""The kinds: siblings, one file each, blind to tape and mode. `BUILTIN` is the one list of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import attrs

from testbench.protocol import Pieces, Plain, Recorder
from testbench.recorders._births import Births
from testbench.recorders.audit import Audit
from testbench.recorders.boundary import Boundary, boundary
from testbench.recorders.clock import Clock
from testbench.recorders.clock._instants import instant_ns
from testbench.recorders.clock._virtual import TickingClock, VirtualClock
from testbench.recorders.clock._zone import zone
from testbench.recorders.environ import Environ
from testbench.recorders.files import Files
from testbench.recorders.files._settings import FileSettings
from testbench.recorders.process import Process
from testbench.recorders.randomness import Randomness
from testbench.recorders.stdin import Stdin
from testbench.recorders.timer import Timer
from testbench.recorders.wait import Wait

__all__ = [
    "BUILTIN",
    "Audit",
    "Births",
    "Boundary",
    "Clock",
    "Environ",
    "FileSettings",
    "Files",
    "Process",
    "Randomness",
    "Settings",
    "Stdin",
    "TickingClock",
    "Timer",
    "VirtualClock",
    "Wait",
    "boundary",
    "instant_ns",
    "known_pieces",
    "zone",
]


@attrs.frozen(kw_only=True)
class Settings:
    """What a user may set about the built-in kinds.

    Attributes:
        virtual: the clock that everything reads while recording; None for the real one.
        seed: what randomness is made from while recording; None for that of the operating system.
        env: names of the environment variables of child processes that belong to a request.
        zone: the time zone to live in, as `zone` tells it; None for the machine's own.
        recorded: on replay, the kinds of the tape and their versions.
        files: what is recorded of files.
        births: how the kinds of one session tell each other of children.
        ordered: whether the session sees to the waits of several threads for one another.
        environ: names of variables that are told, with ``!`` those that never are; see `Environ`.
        allowed: what the program may reach that is on no tape; see `Audit`.
    """

    virtual: VirtualClock | None = None
    seed: int | None = None
    env: tuple[str, ...] = ()
    zone: Plain = None
    recorded: Mapping[str, Plain] = attrs.field(factory=dict)
    files: FileSettings = attrs.field(factory=FileSettings)
    births: Births = attrs.field(factory=Births)
    ordered: bool = True
    environ: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()


def _process(settings: Settings) -> Process:
    still = settings.virtual if settings.virtual is not None and settings.virtual.still else None
    return Process(
        settings.env,
        virtual_pids=still is not None,
        lasting=None if still is None else still.lasting,
        births=settings.births,
    )


def _wait(settings: Settings) -> Wait:
    return Wait(1 if settings.recorded.get("wait") == 1 else 2, ordered=settings.ordered)


def _randomness(settings: Settings) -> Randomness:
    return Randomness(settings.seed, 1 if settings.recorded.get("random") == 1 else 2)


BUILTIN: Final[dict[str, Callable[[Settings], Recorder]]] = {
    "clock": lambda settings: Clock(settings.virtual, settings.zone),
    "process": _process,
    "random": _randomness,
    "call": lambda settings: Boundary(),
    "wait": _wait,
    "timer": lambda settings: Timer(settings.virtual),
    "files": lambda settings: Files(settings.files, settings.births),
    "environ": lambda settings: Environ(
        settings.environ, virtual_pids=settings.virtual is not None and settings.virtual.still
    ),
    "stdin": lambda settings: Stdin(),
    "audit": lambda settings: Audit(
        settings.allowed, settings.files.roots or (), settings.files.tapes, settings.births
    ),
}
"""Every built-in kind and how it is made, in the order of installation."""


def known_pieces() -> dict[str, Pieces]:
    """Return per kind and op of these which bytes of an event are pieces of streams."""
    kinds: tuple[type[Process | Files | Stdin], ...] = (Process, Files, Stdin)
    return {f"{kind.kind}.{op}": pieces for kind in kinds for op, pieces in kind.pieces.items()}
