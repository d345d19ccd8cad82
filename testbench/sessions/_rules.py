"""What a user wants compared: some fields of a request and not others, normalised on both sides, or by a matcher."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from testbench.errors import UsageError
from testbench.protocol import Matcher, Plain
from testbench.sessions._matching import guarded

Normaliser: TypeAlias = Callable[[Any], Plain]
"""Returns what is compared in the place of a value."""

Part: TypeAlias = str | Mapping[str, Normaliser] | Matcher
"""``"argv"``: compare this field, and no others but those named so too. ``"-cwd"``: do not compare this one. A mapping:
normalise these fields, or the whole request under ``""``. A function of two requests: it decides in the end."""

_DROP = "-"


class Rules:
    """What is compared, by kind and op (``"process.spawn"``), by kind (``"process"``), or for all (``"*"``).

    Args:
        given: parts by what they are for; the most particular ones count. They are applied in order.

    Raises:
        UsageError: a part is none.
    """

    def __init__(self, given: Mapping[str, Part | Sequence[Part]]) -> None:
        self._parts = {name: _listed(name, parts) for name, parts in given.items()}
        self._made: dict[str, Matcher] = {}

    def matcher(self, name: str, base: Matcher) -> Matcher:
        """Return the matcher of one kind and op.

        Args:
            name: kind and op.
            base: that of its recorder, which compares what is left.
        """
        if not self._parts:
            return base
        if name not in self._made:
            parts = self._of(name)
            self._made[name] = base if parts is None else guarded(name, _Composed(name, parts, base))
        return self._made[name]

    def asks_always(self, name: str) -> bool:
        """Tell whether the parts of one kind and op are asked of the same requests too, since they may say or raise.

        A name of a field that is given for a kind is not one of all of its ops.
        """
        parts = self._of(name)
        return parts is not None and (name in self._parts or all(map(_is_matcher, parts)))

    def _of(self, name: str) -> tuple[Part, ...] | None:
        keys = (name, name.partition(".")[0], "*") if self._parts else ()
        return next((self._parts[key] for key in keys if key in self._parts), None)


class _Composed:
    """A matcher made of parts."""

    def __init__(self, name: str, parts: tuple[Part, ...], base: Matcher) -> None:
        words = [part for part in parts if isinstance(part, str)]
        self._name = name
        self._only = [word for word in words if not word.startswith(_DROP)]
        self._without = [word[1:] for word in words if word.startswith(_DROP)]
        self._normalisers = [part for part in parts if isinstance(part, Mapping)]
        self._last: Matcher = next((part for part in reversed(parts) if _is_matcher(part)), base)  # type: ignore[assignment]

    def __call__(self, recorded: Plain, live: Plain) -> str | None:
        """Say why two requests differ in what is compared, or None."""
        return self._last(self._view(recorded), self._view(live))

    def _view(self, request: Plain) -> Plain:
        for normalisers in self._normalisers:
            for field, normalise in normalisers.items():
                request = self._normalised(request, field, normalise)
        if not isinstance(request, dict):
            return request
        self._check(request, [*self._only, *self._without])
        return {
            field: value
            for field, value in request.items()
            if field not in self._without and (not self._only or field in self._only)
        }

    def _normalised(self, request: Plain, field: str, normalise: Normaliser) -> Plain:
        if not field:
            return normalise(request)
        if not isinstance(request, dict):
            return request
        self._check(request, [field])
        return {**request, field: normalise(request[field])}

    def _check(self, request: dict[str, Plain], fields: list[str]) -> None:
        for field in fields:
            if field not in request:
                raise UsageError(f"match= names the field {field!r} of {self._name}, which has {', '.join(request)}")


def _listed(name: str, parts: Part | Sequence[Part]) -> tuple[Part, ...]:
    single = not isinstance(parts, (list, tuple))
    listed: tuple[Any, ...] = (parts,) if single else tuple(parts)  # type: ignore[arg-type]
    for part in listed:
        mapping = isinstance(part, Mapping) and all(callable(normalise) for normalise in part.values())
        if not (isinstance(part, str) or mapping or callable(part)):
            raise UsageError(
                f"match= says {part!r} of {name}; expected the name of a field, '-' and a name, a mapping from fields "
                "to functions, or a function of two requests"
            )
    return listed


def _is_matcher(part: Part) -> bool:
    return callable(part)
