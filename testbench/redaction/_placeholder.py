"""What stands on a tape in the place of a secret: as long as the secret, and telling nothing else of it.

Equal length keeps true what a program counts: how many bytes a read brought, a ``Content-Length``, an offset, a column.
Line ends inside a secret (a private key) stay where they are, so that lines are counted alike as well.
"""

from __future__ import annotations

import re
from typing import AnyStr, Final

from testbench.redaction._spans import Span

_LONG: Final = "${SECRET:"
_SHORT: Final = "${"
_END: Final = "}"
_FILL: Final = "."
_TINY: Final = "*"

_PATTERN: Final = r"\$\{(?:SECRET:)?(\d{1,9})[.\r\n]*\}"
_NUMBERED: Final = re.compile(_PATTERN)
_NUMBERED_BYTES: Final = re.compile(_PATTERN.encode())
_WHOLE: Final = re.compile(rf"{_PATTERN}|\*+")
_WHOLE_BYTES: Final = re.compile(rf"{_PATTERN}|\*+".encode())


def placeholder(number: int, secret: AnyStr) -> AnyStr:
    """Return what stands for a secret: ``${SECRET:1....}``, or ``${1..}`` where that is too long.

    A secret of fewer than four characters becomes asterisks, for which there is no number.

    Args:
        number: which secret of the tape it is, from 1 up.
        secret: of which the length and the line ends are taken over.
    """
    size = len(secret)
    start = next((start for start in (_LONG, _SHORT) if size > len(f"{start}{number}")), None)
    if start is None:
        return _like(secret, _TINY * size)
    filled = f"{start}{number}".ljust(size - 1, _FILL) + _END
    return _keep_lines(secret, _like(secret, filled), len(f"{start}{number}"))


def is_placeholder(text: AnyStr) -> bool:
    """Tell whether all of a text stands for a secret already."""
    return (_WHOLE if isinstance(text, str) else _WHOLE_BYTES).fullmatch(text) is not None


def placeholders(text: str) -> list[tuple[int, str]]:
    """Return the numbered placeholders in a text, with their numbers, in order."""
    return [(int(found[1]), found[0]) for found in _NUMBERED.finditer(text)]


def unmeasured(text: AnyStr) -> AnyStr:
    """Return a text with placeholders of one length, whatever that of their secrets is."""
    if isinstance(text, bytes):
        return _NUMBERED_BYTES.sub(rb"${SECRET:\1}", text) if b"${" in text else text
    return _NUMBERED.sub(r"${SECRET:\1}", text) if "${" in text else text


def stand_ins(text: str | bytes) -> list[Span]:
    """Return where placeholders stand in a text already."""
    if isinstance(text, bytes):
        return [Span(*found.span(), "") for found in _NUMBERED_BYTES.finditer(text)] if b"${" in text else []
    return [Span(*found.span(), "") for found in _NUMBERED.finditer(text)] if "${" in text else []


def _like(secret: AnyStr, text: str) -> AnyStr:
    return text if isinstance(secret, str) else text.encode()


def _keep_lines(secret: AnyStr, filled: AnyStr, start: int) -> AnyStr:
    ends = (10, 13) if isinstance(secret, bytes) else ("\n", "\r")
    if not any(end in secret for end in ends):
        return filled
    kept = [
        own if own in ends and start <= at < len(secret) - 1 else fill
        for at, (own, fill) in enumerate(zip(secret, filled, strict=True))
    ]
    return bytes(kept) if isinstance(secret, bytes) else "".join(kept)
