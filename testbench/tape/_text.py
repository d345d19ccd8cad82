"""Values and events as short lines of text, safe to print whatever a tape holds."""

from __future__ import annotations

from typing import Final

from testbench.protocol import Plain
from testbench.tape._event import Event, Raised, Returned

_WIDTH: Final = 96


def short(value: Plain, width: int = _WIDTH) -> str:
    """Return a value in Python's notation, cut in the middle when it is longer than ``width`` characters.

    Control characters and terminal escapes come out escaped: a tape is untrusted.
    """
    size = ""
    if isinstance(value, str | bytes) and len(value) > width:
        size = f" ({len(value):,} {'bytes' if isinstance(value, bytes) else 'characters'})"
        text = ascii_safe(f"{value[:width]!r}…{value[-width:]!r}")  # a payload of 50 MB is not spelled out to be cut
    else:
        text = ascii_safe(_spelled(value))
    if len(text) <= width:
        return text
    keep = width - 1 - len(size)
    return f"{text[: keep * 2 // 3]}…{text[len(text) - keep // 3 :]}{size}"


def _spelled(value: Plain) -> str:
    try:
        return repr(value)
    except ValueError:  # CPython refuses to write huge ints in decimal, wherever in the value they are
        if isinstance(value, dict):
            return "{" + ", ".join(f"{key!r}: {_spelled(item)}" for key, item in value.items()) + "}"
        return f"[{', '.join(map(_spelled, value))}]" if isinstance(value, list) else hex(value)  # type: ignore[arg-type]


def ascii_safe(text: str) -> str:
    """Return text with whatever is not printable escaped, lone surrogates included."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode("ascii") for c in text)


def fields(request: Plain, width: int = _WIDTH) -> str:
    """Return a request as ``name=value`` pairs, leaving out what says nothing: None, False, empty lists and dicts."""
    if type(request) is not dict:
        return "" if request is None else short(request, width)
    telling = [(key, item) for key, item in request.items() if item not in (None, [], {}) and item is not False]
    return " ".join(f"{ascii_safe(key)}={short(item, width)}" for key, item in telling)


def line(event: Event, width: int = _WIDTH) -> str:
    """Return an event as one line: seq, lane, kind and op, what was asked, what came back."""
    head = f"{event.seq:>6}  {ascii_safe(event.lane)}  {ascii_safe(event.kind)}.{ascii_safe(event.op)}".rstrip(".")
    parts = [head, fields(event.request, width)]
    if event.values is not None:
        parts.append(f"x{len(event.values)} {short(event.values, width)}")
    if isinstance(event.outcome, Raised):
        parts.append(f"-> raised {ascii_safe(event.outcome.type)}{short(event.outcome.args, width)}")
    elif isinstance(event.outcome, Returned):
        parts.append(f"-> {fields(event.outcome.value, width) or short(event.outcome.value)}")
    return "  ".join(part for part in parts if part)
