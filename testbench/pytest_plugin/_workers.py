"""Which tests pytest-xdist runs in one worker: those that share a session have to be among them."""

from __future__ import annotations

from typing import Any, Final

import pytest

_SENT: Final = "testbench_dist"


def tell_worker(node: Any) -> None:
    """Tell a worker, before it starts, how tests are spread; it is not told by xdist itself."""
    node.workerinput[_SENT] = node.config.getoption("dist")


def group_of(item: pytest.Item) -> str:
    """Return what a test has in common with those that surely run in the same process; "" for all.

    It is known once all plugins have had the collected tests.
    """
    told: dict[str, Any] = getattr(item.config, "workerinput", {})
    if told.get("workercount", 1) == 1:
        return ""
    test, dist = item.nodeid, told.get(_SENT)
    if dist == "loadfile":
        return test.partition("::")[0]
    if dist == "loadscope":
        return test.rpartition("::")[0]
    if dist == "loadgroup" and test.rfind("@") > test.rfind("]"):  # xdist adds the group of the test to its id
        return test.rpartition("@")[2]
    return test
