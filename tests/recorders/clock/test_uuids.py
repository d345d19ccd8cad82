"""Time-based UUIDs."""

from __future__ import annotations

import uuid

from testbench.recorders.clock._virtual import VirtualClock


def test_uuids_of_a_still_clock_differ_and_tell_its_time(recorded):
    """UUIDs made in one instant are distinct, of version 1, and carry the still time."""
    (first, second), _ = recorded(lambda: (uuid.uuid1(), uuid.uuid1()), VirtualClock())
    assert (first.version, first.variant, first.node) == (1, uuid.RFC_4122, 0x010000000000)
    assert (first.time - 0x01B21DD213814000) * 100 == VirtualClock().now_ns()
    assert second.time == first.time + 1


def test_what_uuid_remembers_is_put_aside(recorded, replayed):
    """A node and a time remembered from before do not change what a session asks, and are there again afterwards."""
    node = uuid.getnode()
    assert uuid._node == node
    first, events = recorded(uuid.getnode)
    assert [op for op, *_ in events] == ["generate_time_safe"]
    assert uuid._node == node
    assert replayed(uuid.getnode, events) == first
