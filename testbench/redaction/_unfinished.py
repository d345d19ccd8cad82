"""Where a stream stops in the middle of what may be a secret."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

from testbench.redaction._finding import PEM_BEGIN
from testbench.redaction._named import bearers, named
from testbench.redaction._patterns import BYTES
from testbench.redaction._shapes import STARTS, TOKEN_CHARACTERS
from testbench.redaction._surroundings import begun

_URL_OPEN: Final = (
    r"://[^\s/@:'\"<>\\?#\x00-\x20\x7f-\xff]{0,256}:(?P<secret>[^\s/@'\"<>\\\x00-\x20\x7f-\xff]{1,512})\Z"
)
_OF_TOKENS: Final = "".join((*TOKEN_CHARACTERS, ":")).encode()

_BLOCK: Final = 70_000
"""The largest private key, in bytes, and what stands around it."""

_LINE: Final = 16_384
"""So far back the beginning of a line is looked for."""


@cache
def _parts() -> frozenset[str]:
    return frozenset(start[:size] for start in (*STARTS, PEM_BEGIN) for size in range(1, len(start) + 1))


def unfinished(data: bytes) -> tuple[int, bool]:
    """Return where a secret begins that may go on behind the end of the data, and whether it surely has begun.

    Returns:
        The first such place, the end of the data if there is none; and whether that is more than how a token may begin.
    """
    found = [(len(data), False), *((at, True) for at in _open_contexts(data)), *_open_shapes(data)]
    return min(found, key=lambda place: place[0])


def _open_shapes(data: bytes) -> Iterator[tuple[int, bool]]:
    tail = data[-4096:]
    text = tail[len(tail.rstrip(_OF_TOKENS)) :].decode()
    for start, shape in STARTS.items():
        if start in text:
            found = re.search(f"{re.escape(start)}{shape.body}*\\Z", text)
            if found is not None:
                yield len(data) - len(text) + found.start(), True
    unmarked = begun(text)
    if unmarked is not None:
        yield len(data) - len(text) + unmarked, False
    for size in range(min(40, len(data)), 0, -1):
        if data[-size:].decode("latin-1") in _parts():
            yield len(data) - size, False
            return


def _open_contexts(data: bytes) -> Iterator[int]:
    begin = data.rfind(PEM_BEGIN.encode(), max(0, len(data) - _BLOCK))
    if begin >= 0 and BYTES.get(r"-----BEGIN [A-Z0-9 -]*(?:-----[^-]{0,65536}(?:-[A-Z -]*)?)?\Z").match(data, begin):
        yield begin
    begin = data.rfind(b"$", max(0, len(data) - _BLOCK))
    if begin >= 0 and BYTES.get(r"\$(?:\{[SECRT:]{0,7}\d{0,9}[.\r\n]*)?\Z").match(data, begin):
        yield begin  # a placeholder that goes over several lines is one thing, and no value under the name SECRET
    earliest = max(0, len(data) - _LINE)
    line = max(data.rfind(b"\n", earliest), data.rfind(b"\r", earliest), earliest - 1) + 1
    tail = data[line:]
    found = BYTES.get(_URL_OPEN).search(tail)
    if found is not None:
        yield line + found.start("secret")
    low = tail.lower()
    for span in (*named(tail, low, BYTES, True), *bearers(tail, BYTES, True)):
        if span.end == len(tail):
            yield line + span.start
