"""Text and JSON for people and tools; whatever a tape holds is made harmless on the way out."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import os
from typing import Any, Final

from testbench.errors import DriftError
from testbench.protocol import Plain
from testbench.tape import Change, Event, Raised, Returned
from testbench.tape._text import ascii_safe, short

_INT_BITS: Final = 1024  # more than that no reader of JSON takes for a number, and CPython refuses to write huge ones

PAYLOAD: Final = 1024
"""Bytes and texts longer than this are shown by their digest unless asked for."""

_UNITS: Final = (("s", 10**9), ("ms", 10**6), ("us", 10**3), ("ns", 1))


def print_json(data: Any) -> None:
    """Print one JSON value on one line, ASCII only."""
    print(json.dumps(data, ensure_ascii=True, allow_nan=False))


def as_json(value: Plain, *, whole: bool = True) -> Any:
    """Return a value as JSON knows it; what JSON has no form for becomes an object with one ``$`` key.

    ``{"$utf8": text}`` and ``{"$base64": text}`` are bytes, ``{"$float": "nan"}`` and ``{"$int": "0x..."}`` numbers,
    ``{"$payload": digest, "size": n}`` a long value left out, ``{"$dict": [[key, value], ...]}`` an object that looks
    like one of these.

    Args:
        value: what a tape holds.
        whole: give long payloads whole, not by their digest.
    """
    if type(value) in (bytes, str):
        return _payload(value, whole)
    if type(value) is float and not math.isfinite(value):
        return {"$float": repr(value)}
    if type(value) is int and value.bit_length() > _INT_BITS:
        return {"$int": hex(value)}
    if type(value) is list:
        return [as_json(item, whole=whole) for item in value]
    if type(value) is dict:
        if any(key.startswith("$") for key in value):
            return {"$dict": [[key, as_json(item, whole=whole)] for key, item in value.items()]}
        return {key: as_json(item, whole=whole) for key, item in value.items()}
    return value


def event_as_json(event: Event, *, whole: bool) -> dict[str, Any]:
    """Return an event as JSON knows it, without the parts that it does not have."""
    data: dict[str, Any] = {"seq": event.seq, "lane": event.lane, "kind": event.kind, "op": event.op}
    data["at_ns"] = event.at_ns
    if event.values is not None:
        return {**data, "values": as_json(event.values, whole=whole)}
    data["request"] = as_json(event.request, whole=whole)
    match event.outcome:
        case Returned(value):
            data |= {"took_ns": event.took_ns, "returned": as_json(value, whole=whole)}
        case Raised(name, args, state):
            raised = {"type": name, "args": as_json(args, whole=whole), "state": as_json(state, whole=whole)}
            data |= {"took_ns": event.took_ns, "raised": raised}
    return data


def change_as_json(change: Change) -> dict[str, Any]:
    """Return one result of a comparison as JSON knows it."""
    left, right = (side and event_as_json(side, whole=False) for side in (change.left, change.right))
    fields = [[name, as_json(one, whole=False), as_json(other, whole=False)] for name, one, other in change.fields]
    return {"action": change.action, "left": left, "right": right, "fields": fields}


def fidelity_as_json(report: Any) -> dict[str, Any]:
    """Return a `testbench.Fidelity` as JSON knows it."""
    names = ("mode", "left", "right", "alike", "same", "total", "score", "cut")
    data = {name: getattr(report, name) for name in names}
    return {**data, "changes": [change_as_json(change) for change in report.changes]}


def told(error: BaseException, *, in_json: bool, colour: bool) -> str:
    """Return an error as a command says it: in words, or what a run and its tape differ in as one line of JSON."""
    report: Any = getattr(error, "report", None)
    if in_json and isinstance(error, DriftError):
        return json.dumps({"code": "drift", **fidelity_as_json(report)}, ensure_ascii=True, allow_nan=False)
    if not hasattr(report, "as_data"):
        return f"testbench: {error}"
    if in_json:
        return json.dumps(as_json(report.as_data(), whole=False), ensure_ascii=True, allow_nan=False)
    return f"testbench: {report.render(colour=colour)}"


def takes_colour(stream: Any) -> bool:
    """Tell whether a stream is a terminal whose user has not asked for none (https://no-color.org)."""
    return bool(stream is not None and stream.isatty() and not os.environ.get("NO_COLOR"))


def rows(pairs: list[tuple[str, str]], indent: str = "  ") -> str:
    """Return pairs as two aligned columns."""
    width = max((len(name) for name, _ in pairs), default=0)
    return "\n".join(f"{indent}{name:<{width}}  {value}".rstrip() for name, value in pairs)


def text(value: Plain, width: int = 96) -> str:
    """Return a value as one harmless line, a str without quotes."""
    return ascii_safe(value) if type(value) is str and len(value) <= width else short(value, width)


def duration(ns: int) -> str:
    """Return a duration with a unit that leaves three or four digits."""
    unit, size = next((pair for pair in _UNITS if ns >= pair[1]), _UNITS[-1])
    return f"{ns / size:.3g}{unit}" if ns < 1000 * size else f"{ns / size:.0f}{unit}"


def _payload(value: Any, whole: bool) -> Any:
    raw = value if type(value) is bytes else value.encode("utf-8", "surrogatepass")
    if not whole and len(raw) > PAYLOAD:
        return {"$payload": f"sha256:{hashlib.sha256(raw).hexdigest()}", "size": len(raw)}
    if type(value) is str:
        return value
    try:
        return {"$utf8": raw.decode("utf-8")}
    except UnicodeDecodeError:
        return {"$base64": base64.b64encode(raw).decode("ascii")}
