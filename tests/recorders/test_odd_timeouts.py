"""Odd timeouts of locks and queues: a session takes and refuses what CPython takes and refuses, with its words."""

from __future__ import annotations

import math
import queue
import threading
from decimal import Decimal
from typing import Any

import pytest

import testbench

TIMEOUTS: list[Any] = ["1", b"1", None, Decimal("0.001"), math.nan, math.inf, -1, -1.0, -2, 2**70, 0, 0.0, 0.001]
CALLS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    *(((True, timeout), {}) for timeout in TIMEOUTS),
    *(((), {"timeout": timeout}) for timeout in TIMEOUTS),
    *(((False, timeout), {}) for timeout in TIMEOUTS),
    ((1, 2, 3), {}),
    ((True,), {"timeout": 0.001, "strange": 1}),
    ((True, 0.001), {"timeout": 1}),
    ((True,), {"blocking": True}),
    ((None,), {}),
    (("",), {}),
    ((False,), {}),
]


def said(method: Any, args: Any, options: Any) -> str:
    """Tell what a call returns or raises."""
    try:
        return repr(method(*args, **options))
    except (TypeError, ValueError, OverflowError, queue.Empty) as error:
        return repr(error)


def asked(*, several: bool) -> list[str]:
    """Ask for what never comes in each of these ways, beside another thread or not; not where that lasts for ever."""
    release = threading.Event()
    thread = threading.Thread(target=release.wait)
    if several:
        thread.start()
    told = []
    for args, options in CALLS:
        lock = threading.Lock()
        lock.acquire()
        timeout = options.get("timeout", args[1] if len(args) > 1 else 0)
        if timeout != -1 or args[:1] == (False,):
            told.append(said(lock.acquire, args, options))
        if timeout is not None or args[:1] == (False,):
            told.append(said(queue.SimpleQueue().get, args, options))
    release.set()
    if several:
        thread.join()
    return told


@pytest.mark.parametrize("several", [False, True], ids=["alone", "beside another thread"])
@pytest.mark.parametrize("clock", ["real", "paused"])
def test_odd_timeouts_do_what_they_do_without_a_session(tmp_path: Any, clock: str, several: bool) -> None:
    """The same results and exceptions, word for word, while recording and on replay."""
    plain = asked(several=several)
    with testbench.record(tmp_path / "run.tape", clock=clock):
        assert asked(several=several) == plain
    with testbench.replay(tmp_path / "run.tape"):
        assert asked(several=several) == plain


ENDLESS = [((), {}), ((True,), {}), ((True, -1), {}), ((), {"timeout": -1}), ((), {"blocking": True})]


@pytest.mark.parametrize(("args", "options"), ENDLESS, ids=repr)
def test_a_lock_is_waited_for_in_vain_in_any_way(tmp_path: Any, args: Any, options: Any) -> None:
    """However the program says that it waits for ever, a paused clock reports it, where it would hang."""
    lock = threading.Lock()
    lock.acquire()
    with (
        pytest.raises(testbench.RecordingError, match="a wait that never ends"),
        testbench.record(tmp_path / "run.tape", clock="paused"),
    ):
        lock.acquire(*args, **options)
