"""Time-based UUIDs: ``uuid.uuid1`` and ``uuid.getnode`` ask libuuid, which reads the clock out of our sight.

They do it through one builtin, ``_uuid.generate_time_safe``, so that is the crossing. Its outcome is the sixteen bytes
(time, sequence and node at once) and whether libuuid calls them safe.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final, cast

from testbench.inplace import Attribute, Redirect
from testbench.protocol import Call, Plain
from testbench.recorders.clock._virtual import VirtualClock

try:
    from _uuid import generate_time_safe as _generate_time_safe  # type: ignore[import-not-found]  # no stub has it
except ImportError:  # built without libuuid: uuid.py then reads time.time_ns, which is a source
    _generate_time_safe = None

_GREGORIAN_100NS: Final = 0x01B21DD213814000
"""From 1582-10-15, where UUID time begins, to 1970-01-01, in 100 ns (RFC 9562, section 5.1)."""

_NODE: Final = 0x010000000000
"""Node under a still clock: the multicast bit says that it is no machine's address (RFC 9562, section 6.10)."""


def install_uuids(call: Call, stack: ExitStack, virtual: VirtualClock | None) -> None:
    """Send UUID generation through ``call`` until the stack unwinds, and let ``uuid`` forget what it remembers.

    It keeps the node and the last time for ever; a replay in the process that recorded would ask less than it did.
    """
    if "uuid" in sys.modules:
        for name in ("_node", "_last_timestamp"):
            remembered = Attribute(sys.modules["uuid"], name)
            stack.push(remembered)
            remembered.to(None)
    if _generate_time_safe is not None:
        redirect = Redirect(_generate_time_safe)
        stack.push(redirect)
        read = redirect.original if virtual is None else _still(virtual)
        redirect.to(lambda: tuple(cast("list[Any]", call("generate_time_safe", {}, lambda: _listed(read())))))


def _listed(answer: Any) -> Plain:
    return list(answer)


def _still(virtual: VirtualClock) -> Callable[[], tuple[bytes, int | None]]:
    """Return a generator of UUIDs whose times are those of the still clock, each one at least 100 ns after the last."""
    last = 0

    def generate() -> tuple[bytes, int | None]:
        nonlocal last
        last = max(virtual.now_ns() // 100 + _GREGORIAN_100NS, last + 1)
        low, middle, high = last & 0xFFFFFFFF, last >> 32 & 0xFFFF, last >> 48 & 0x0FFF
        version, variant = 0x1000, 0x8000
        return (low << 96 | middle << 80 | (version | high) << 64 | variant << 48 | _NODE).to_bytes(16, "big"), None

    return generate
