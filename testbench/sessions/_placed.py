"""The waist of a session with placeholders: paths of this machine on one side, placeholders on the other."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import attrs

from testbench.places import Places
from testbench.protocol import Call, Effect, Plain, Runs


@attrs.frozen
class PlacedCall:
    """Puts placeholders into what goes to a tape, and takes them out of what comes from it.

    Bytes of streams stay as they are, since programs count them.

    Attributes:
        call: the waist behind.
        places: the placeholders.
        streaming: the ops whose bytes are pieces of streams.
    """

    call: Call
    places: Places
    streaming: Collection[str]

    def __call__(
        self, op: str, request: Plain, effect: Effect, *, raises: tuple[type[BaseException], ...] = ()
    ) -> Plain:
        """Make one crossing; see `testbench.protocol.Call`."""
        places, whole = self.places, op not in self.streaming
        value = self.call(
            op,
            places.contract(request, bytes_too=whole),
            lambda: places.contract(effect(), bytes_too=whole),
            raises=raises,
        )
        return places.expand(value, bytes_too=whole)

    def source(
        self,
        op: str,
        effect: Callable[[], Any],
        bind: Callable[[Callable[[], Any]], None],
        *,
        runs: Runs | None = None,
        resume: Callable[[Any], Callable[[], Any]] | None = None,
    ) -> None:
        """Open a source."""
        self.call.source(op, effect, bind, runs=runs, resume=resume)

    def fact(
        self,
        op: str,
        request: Plain,
        effect: Effect,
        *,
        raises: tuple[type[BaseException], ...] = (),
        listed: bool = True,
    ) -> Plain:
        """Ask for a fact."""
        places = self.places
        asked = places.contract(request)
        return places.expand(self.call.fact(op, asked, lambda: places.contract(effect()), raises=raises, listed=listed))

    def foretold(self, op: str) -> Sequence[tuple[Plain, Plain]]:
        """Return the facts that are known."""
        expand = self.places.expand
        return [(expand(request), expand(value)) for request, value in self.call.foretold(op)]

    def leak(self, op: str, request: Plain, effect: Callable[[], Any], *, instead: str = "") -> Any:
        """Deal with what cannot be recorded."""
        return self.call.leak(op, request, effect, instead=instead)

    def report(self, op: str, request: Plain, *, instead: str = "", refused: bool = True) -> None:
        """Deal with what is only watched."""
        self.call.report(op, request, instead=instead, refused=refused)

    def inside(self) -> bool:
        """Tell whether what happens now is no crossing."""
        return self.call.inside()

    def follows(self) -> bool:
        """Tell whether what happens now is the program's."""
        return self.call.follows()

    def alone(self) -> bool:
        """Tell whether there is one lane."""
        return self.call.alone()
