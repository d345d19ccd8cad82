"""Which bytes of an event are pieces of a stream, so that a secret that comes in two pieces is known for one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from testbench.protocol import Pieces, Place, Plain


def _read(request: Plain, _: Plain) -> Iterator[tuple[str, Place, bool]]:
    fields = request if isinstance(request, dict) else {}
    yield f"{fields.get('child')!r} {fields.get('stream')!r}", ("outcome",), False


def _written(request: Plain, _: Plain) -> Iterator[tuple[str, Place, bool]]:
    fields = request if isinstance(request, dict) else {}
    yield f"{fields.get('child')!r} to {fields.get('stream', 'stdin')!r}", ("request", "data"), False


def _observed(request: Plain, value: Plain) -> Iterator[tuple[str, Place, bool]]:
    """Find what an observation of a child brings: through its pipes, and in the files that it shares."""
    fields, outcome = (part if isinstance(part, dict) else {} for part in (request, value))
    child = fields.get("child", "system")  # ``os.system`` has but one child, and it has ended
    ended = outcome.get("returncode") is not None or "status" in outcome
    if fields.get("input"):
        yield f"{child!r} to 'stdin'", ("request", "input"), not outcome.get("timeout")
    still = outcome.get("open") or []
    for name, content in outcome.items():
        if isinstance(content, bytes):
            last = ended and not outcome.get("more") and not (isinstance(still, list) and name in still)
            yield f"{child!r} {name!r}", ("outcome", name), last


PIECES: Final[Mapping[str, Pieces]] = {
    "read": _read,
    "write": _written,
    "send": _written,
    "communicate": _observed,
    "output": _observed,
    "wait": _observed,
    "poll": _observed,
    "signal": _observed,
    "system": _observed,
}
