"""How the contents of two files differ, as ``git apply`` takes it: hunks of lines, or all bytes in base 85."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator
from typing import Final

_CONTEXT: Final = 3
_MOST_TEXT: Final = 1 << 20
"""Longer contents are not shown as lines; nobody reads them."""

_MOST_PAIRS: Final = 1_000_000
"""For more pairs of lines than this nobody looks for lines in the middle that are the same: that takes long."""

_LINE: Final = 52
"""Bytes in one line of a binary patch."""

Opcode = tuple[str, int, int, int, int]


def is_text(content: bytes | None) -> bool:
    """Tell whether a content is shown as lines."""
    return content is None or (len(content) <= _MOST_TEXT and b"\0" not in content)


def binary(old: bytes, new: bytes) -> bytes:
    """Return how to get from one content to the other and back, both whole (git's ``GIT binary patch``)."""
    return b"GIT binary patch\n" + _literal(new) + b"\n" + _literal(old) + b"\n"


def _literal(content: bytes) -> bytes:
    packed = zlib.compress(content)
    lines = [b"literal %d\n" % len(content)]
    for at in range(0, len(packed), _LINE):
        piece = packed[at : at + _LINE]
        length = len(piece) + (ord("A") - 1 if len(piece) <= 26 else ord("a") - 27)
        lines.append(bytes((length,)) + base64.b85encode(piece, pad=True) + b"\n")
    return b"".join(lines)


def text(old: bytes, new: bytes) -> bytes:
    """Return the hunks that lead from one text to the other."""
    before, after = _lines(old), _lines(new)
    return b"".join(line for group in _groups(before, after) for line in _hunk(before, after, group))


def _lines(content: bytes) -> list[bytes]:
    lines = [line + b"\n" for line in content.split(b"\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines


def _groups(before: list[bytes], after: list[bytes]) -> list[list[Opcode]]:
    if len(before) * len(after) <= _MOST_PAIRS:
        from difflib import SequenceMatcher  # patches are rare, and it is heavy

        return list(SequenceMatcher(None, before, after, autojunk=False).get_grouped_opcodes(_CONTEXT))
    head = _alike(before, after)
    tail = _alike(before[head:][::-1], after[head:][::-1])
    lead, trail = min(head, _CONTEXT), min(tail, _CONTEXT)
    old, new = len(before) - tail, len(after) - tail
    return [
        [
            ("equal", head - lead, head, head - lead, head),
            ("replace", head, old, head, new),
            ("equal", old, old + trail, new, new + trail),
        ]
    ]


def _alike(left: list[bytes], right: list[bytes]) -> int:
    """Return how many lines are the same from the beginning."""
    shorter = min(len(left), len(right))
    return next((at for at in range(shorter) if left[at] != right[at]), shorter)


def _hunk(before: list[bytes], after: list[bytes], group: list[Opcode]) -> Iterator[bytes]:
    old = _range(group[0][1], group[-1][2])
    new = _range(group[0][3], group[-1][4])
    yield b"@@ -%s +%s @@\n" % (old, new)
    for tag, start, end, new_start, new_end in group:
        if tag == "equal":
            yield from _marked(b" ", before[start:end])
        else:
            yield from _marked(b"-", before[start:end])
            yield from _marked(b"+", after[new_start:new_end])


def _range(start: int, end: int) -> bytes:
    return b"%d,%d" % (start + 1 if end > start else start, end - start)


def _marked(mark: bytes, lines: list[bytes]) -> Iterator[bytes]:
    for line in lines:
        yield mark + line
        if not line.endswith(b"\n"):
            yield b"\n\\ No newline at end of file\n"
