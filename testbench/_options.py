"""What a user may choose about recording and replaying, and what goes together: `Testbench` without its verbs."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import attrs

from testbench._fidelity import MODES as FIDELITIES
from testbench.errors import UsageError
from testbench.places import check_placeholders
from testbench.protocol import Plain, Recorder
from testbench.recorders import BUILTIN, instant_ns
from testbench.redaction import Redact, as_values, check_redact
from testbench.sessions import ORDERS, Rules

if TYPE_CHECKING:
    from testbench.overlay import Overlay

StrPath = str | os.PathLike[str]


def _start_ns(start: int | datetime.datetime | str | None) -> int | None:
    return None if start is None else instant_ns(start, "start")


def _optional_tuple(given: Iterable[str | Recorder] | None) -> tuple[str | Recorder, ...] | None:
    return None if given is None else tuple(given)


def _texts(given: Iterable[StrPath]) -> tuple[str, ...]:
    if isinstance(given, str | bytes | os.PathLike):
        raise UsageError(f"allow={given!r} is one host or path; expected a list of them: allow=[{given!r}]")
    return tuple(os.fsdecode(text) for text in given)


def _optional_paths(given: Iterable[StrPath] | None) -> tuple[str, ...] | None:
    if isinstance(given, str | bytes | os.PathLike):
        raise UsageError(f"roots={given!r} is one path; expected a list of directories: roots=[{given!r}]")
    return None if given is None else tuple(os.fsdecode(path) for path in given)


@attrs.frozen(kw_only=True)
class Options:
    """The options of `testbench.Testbench`, where it says what each of them means."""

    __test__ = False

    recorders: tuple[str | Recorder, ...] | None = attrs.field(default=None, converter=_optional_tuple)
    clock: Literal["real", "paused", "ticking"] = attrs.field(default="real")
    start: int | None = attrs.field(default=None, converter=_start_ns)
    seed: int | None = None
    interception: Literal["in-place", "name"] = attrs.field(default="in-place")
    env: tuple[str, ...] = attrs.field(default=(), converter=tuple)
    files: Literal["off", "programs", "observed", "sealed"] | None = None
    effects: Literal["none", "roots"] = attrs.field(default="none")
    roots: tuple[str, ...] | None = attrs.field(default=None, converter=_optional_paths)
    overlay: StrPath | Overlay | None = None
    environ: tuple[str, ...] = attrs.field(default=(), converter=tuple)
    fidelity: Literal["byte", "semantic", "outcome", "phase"] = attrs.field(default="semantic")
    leaks: Literal["ignore", "warn", "fail"] = attrs.field(default="warn")
    allow: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    stall_s: float = 30.0
    order: Literal["strict", "boundary", "lane", "any"] | None = None
    shuffle: int | None = None
    meta: Mapping[str, Plain] = attrs.field(factory=dict)
    placeholders: bool | Mapping[str, str] = attrs.field(default=False, converter=check_placeholders)
    match: Mapping[str, Any] = attrs.field(factory=dict)
    redact: Redact = attrs.field(default=True, converter=check_redact)
    redact_values: tuple[str | bytes, ...] = attrs.field(default=(), converter=as_values, repr=False)

    def __attrs_post_init__(self) -> None:
        Rules(self.match)  # raises for what is none
        one_of("clock", self.clock, ("real", "paused", "ticking"))
        one_of("interception", self.interception, ("in-place", "name"))
        one_of("fidelity", self.fidelity, FIDELITIES)
        one_of("files", self.files or "off", ("off", "programs", "observed", "sealed"))
        one_of("effects", self.effects, ("none", "roots"))
        one_of("leaks", self.leaks, ("ignore", "warn", "fail"))
        if self.order is not None:
            one_of("order", self.order, ORDERS)
        if self.shuffle is not None and type(self.shuffle) is not int:
            raise UsageError(
                f"shuffle={self.shuffle!r} is no seed; expected an integer, or None for the recorded order"
            )
        if self.clock == "paused" and self.interception == "name":
            raise UsageError(
                'clock="paused" needs interception="in-place": locks, queues and datetime.now have no name to replace, '
                "so that a wait with a timeout would look at a clock that stands still, for ever"
            )
        if self.start is not None and self.clock == "real":
            raise UsageError('start= has a meaning only with clock="paused" or "ticking"; give both or neither')
        if self.seed is not None and type(self.seed) is not int:
            raise UsageError(f"seed={self.seed!r} is no seed; expected an integer, or None for real randomness")
        if not isinstance(self.stall_s, int | float) or not self.stall_s > 0:
            raise UsageError(f"stall_s={self.stall_s!r} is no time to wait; expected a number of seconds above 0")
        if self.effects == "roots" and self.recorders is not None and "files" not in self.recorders:
            raise UsageError('effects="roots" is recorded by the kind files; name it in recorders= too, or name none')
        if self.files in ("observed", "sealed") and self.recorders is not None and "files" not in self.recorders:
            raise UsageError(
                f"files={self.files!r} is recorded by the kind files; name it in recorders= too, or name none"
            )
        if self.overlay is not None and self.recorders is not None and "files" not in self.recorders:
            raise UsageError("overlay= is of the kind files; name it in recorders= too, or name none")
        for given in self.recorders or ():
            if isinstance(given, str):
                one_of("recorders", given, tuple(BUILTIN))
            elif any(not hasattr(given, part) for part in ("kind", "version", "matchers", "install")):
                raise UsageError(
                    f"{given!r} is no recorder: expected the name of a kind, or an object with kind, version, matchers "
                    "and install"
                )


def one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    """Refuse a word that is unknown.

    Raises:
        UsageError: it is not one of those that are known.
    """
    if value not in known:
        raise UsageError(f"{name}={value!r} is unknown; expected one of {', '.join(known)}")
