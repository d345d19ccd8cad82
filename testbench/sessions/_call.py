"""The waist as a session gives it to one recorder: names in front, the mode behind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import attrs

from testbench.protocol import Effect, Plain, Runs
from testbench.sessions._readers import Bind, Source


class Mode(Protocol):
    """What stands behind the waist; see `testbench.protocol.Call` for what each does."""

    def cross(self, name: str, request: Plain, effect: Effect, raises: tuple[type[BaseException], ...]) -> Plain:
        """Make one crossing."""

    def add_source(self, source: Source) -> None:
        """Open a source."""

    def leak(self, name: str, request: Plain, effect: Callable[[], Any], instead: str) -> Any:
        """Deal with what cannot be recorded."""

    def report(self, name: str, request: Plain, instead: str, refused: bool) -> None:
        """Deal with what is only watched."""

    def fact(
        self, name: str, request: Plain, effect: Effect, raises: tuple[type[BaseException], ...], listed: bool
    ) -> Plain:
        """Ask for a fact."""

    def foretold(self, name: str) -> Sequence[tuple[Plain, Plain]]:
        """Return the facts that are known."""

    def inside(self) -> bool:
        """Tell whether what happens now is no crossing."""

    def follows(self) -> bool:
        """Tell whether what happens now is the program's."""

    def alone(self) -> bool:
        """Tell whether there is one lane."""


@attrs.frozen
class KindCall:
    """The waist of one kind; see `testbench.protocol.Call`."""

    _mode: Mode
    _kind: str

    def __call__(
        self, op: str, request: Plain, effect: Effect, *, raises: tuple[type[BaseException], ...] = ()
    ) -> Plain:
        """Make one crossing."""
        return self._mode.cross(f"{self._kind}.{op}", request, effect, raises)

    def source(
        self,
        op: str,
        effect: Callable[[], Any],
        bind: Bind,
        *,
        runs: Runs | None = None,
        resume: Callable[[Any], Callable[[], Any]] | None = None,
    ) -> None:
        """Open a source."""
        self._mode.add_source(Source(f"{self._kind}.{op}", effect, bind, runs, resume))

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
        return self._mode.fact(f"{self._kind}.{op}", request, effect, raises, listed)

    def foretold(self, op: str) -> Sequence[tuple[Plain, Plain]]:
        """Return the facts that are known."""
        return self._mode.foretold(f"{self._kind}.{op}")

    def leak(self, op: str, request: Plain, effect: Callable[[], Any], *, instead: str = "") -> Any:
        """Deal with what cannot be recorded."""
        return self._mode.leak(f"{self._kind}.{op}", request, effect, instead)

    def report(self, op: str, request: Plain, *, instead: str = "", refused: bool = True) -> None:
        """Deal with what is only watched."""
        self._mode.report(f"{self._kind}.{op}", request, instead, refused)

    def inside(self) -> bool:
        """Tell whether what happens now is no crossing."""
        return self._mode.inside()

    def follows(self) -> bool:
        """Tell whether what happens now is the program's."""
        return self._mode.follows()

    def alone(self) -> bool:
        """Tell whether there is one lane."""
        return self._mode.alone()
