"""Runs: the values of a source that was read again and again, packed into one event body and unpacked.

Floats and 64-bit integers become typed arrays (RFC 8746 section 2.1), eight bytes each; anything else a plain array.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Sequence
from operator import countOf
from typing import Any, Final

from testbench.errors import TapeDamagedError
from testbench.protocol import Plain
from testbench.tape._codec import Tag
from testbench.tape._items import TAG_F64, TAG_I64
from testbench.tape._wire import GetBlob, PutBlob, Wire, lift, lower

_CODES: Final = {TAG_F64: "d", TAG_I64: "q"}


def pack_run(values: list[Any], put_blob: PutBlob) -> Wire:
    """Lower the values of a run; every list of values has exactly one form.

    Raises:
        UsageError: a value is not plain.
    """
    count = len(values)
    if count and countOf(map(type, values), float) == count:
        return Tag(TAG_F64, struct.pack(f"<{count}d", *values))
    if count and countOf(map(type, values), int) == count:
        try:
            return Tag(TAG_I64, struct.pack(f"<{count}q", *values))
        except struct.error:
            pass  # one of them needs more than 64 bits: the plain array below holds it
    return [lower(value, put_blob) for value in values]


def unpack_run(body: Wire, get_blob: GetBlob) -> Sequence[Plain]:
    """Lift the values of a run; those of a typed array are made when they are looked at.

    Raises:
        TapeDamagedError: no writer packs a run like this.
    """
    if type(body) is tuple or type(body) is list:
        return [lift(value, get_blob) for value in body]
    if type(body) is not Tag or body.tag not in _CODES or type(body.value) is not bytes or len(body.value) % 8:
        raise TapeDamagedError(
            "damaged event: expected a run, which is a typed array of eight-byte numbers or an array of values; the "
            "tape holds something else. Run `testbench check` on the tape."
        )
    numbers: array[Any] = array(_CODES[body.tag], body.value)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
