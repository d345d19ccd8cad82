"""Live values where a tape holds placeholders: each secret of this run stands for one of the recorded ones."""

from __future__ import annotations

import re
from typing import AnyStr

from testbench.protocol import Plain
from testbench.redaction._placeholder import stand_ins
from testbench.redaction._secrets import Secrets


def unified(recorded: Plain, live: Plain, secrets: Secrets) -> Plain:
    """Return a live value with the recorded text wherever only secrets differ.

    The same secret must stand wherever the same placeholder stands, and another one where another does.

    Args:
        recorded: what a tape holds.
        live: what there is now.
        secrets: which secret stands for which placeholder; learns new ones.
    """
    if isinstance(recorded, str) and isinstance(live, str):
        return recorded if _fits(recorded, live, secrets) else live
    if isinstance(recorded, bytes) and isinstance(live, bytes):
        return recorded if _fits(recorded, live, secrets) else live
    if isinstance(recorded, list) and isinstance(live, list) and len(recorded) == len(live):
        return [unified(ours, theirs, secrets) for ours, theirs in zip(recorded, live, strict=True)]
    if isinstance(recorded, dict) and isinstance(live, dict):
        return {
            key: unified(recorded[key], value, secrets) if key in recorded else value for key, value in live.items()
        }
    return live


def _fits(recorded: AnyStr, live: AnyStr, secrets: Secrets) -> bool:
    places = stand_ins(recorded)
    if not places or recorded == live:
        return False
    parts: list[str] = []
    names: dict[str, str] = {}
    at = 0
    for place in places:
        placeholder = _text(recorded[place.start : place.end])
        known = placeholder in names
        name = names.setdefault(placeholder, f"secret{len(names)}")
        parts += [re.escape(_text(recorded[at : place.start])), f"(?P={name})" if known else f"(?P<{name}>.+?)"]
        at = place.end
    parts.append(re.escape(_text(recorded[at:])))
    found = re.fullmatch("".join(parts), _text(live), re.DOTALL)
    if found is None:
        return False
    pairs = {placeholder: _bytes(found[name], live) for placeholder, name in names.items()}
    return secrets.bind(pairs)


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")


def _bytes(text: str, like: str | bytes) -> bytes:
    return text.encode("latin-1") if isinstance(like, bytes) else text.encode("utf-8", "surrogatepass")
