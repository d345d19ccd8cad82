"""Lanes: which of the threads of a program are which, and what happens while the second one comes to be."""

from __future__ import annotations

import _thread
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import testbench
from testbench.inplace.real import allocate_lock, start_new_thread
from testbench.sessions._lanes import Lane, Lanes


def _lanes(many: Callable[[], None]) -> Lanes:
    lanes = Lanes(
        lambda _, name: Lane(1, name),
        lambda name: Lane(1, name),
        many,
        *2 * [lambda _: None],
        lambda lane: setattr(lane, "depth", 0),
    )
    lanes.single = True
    return lanes


def test_what_a_finaliser_does_while_the_second_lane_begins_passes_straight_through() -> None:
    """Locks are held then, so that a crossing would wait for ever for its own thread."""
    depths: list[int] = []
    lanes = _lanes(lambda: depths.append(lanes.current().depth))
    lanes.install()
    try:
        thread = threading.Thread(target=int)
        thread.start()
    finally:
        lanes.restore()
    thread.join()
    assert depths == [1]
    assert lanes.current().depth == 0


def test_a_thread_of_unknown_origin_is_one_lane_from_its_first_moment() -> None:
    """A finaliser that runs while it is adopted must not have it adopted once more."""
    done = allocate_lock()
    done.acquire()
    seen: list[Lane] = []
    lanes = _lanes(lambda: seen.append(lanes.current()))

    def stranger() -> None:
        seen.append(lanes.current())
        done.release()

    start_new_thread(stranger, ())
    done.acquire()
    assert [lane.name for lane in seen] == ["other.1", "other.1"]
    assert seen[0] is seen[1]


def test_what_a_thread_raises_is_told_of_the_programs_own_function(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread started below `threading` that raises is told of as without a session, and ends its lane."""
    told: list[Any] = []

    def fail(ended: Any) -> None:
        try:
            raise ValueError("no")
        finally:
            ended.release()

    def run() -> None:
        ended = _thread.allocate_lock()
        ended.acquire()
        _thread.start_new_thread(fail, (ended,))
        ended.acquire()
        while _thread._count() > before:
            time.sleep(0)

    before = _thread._count()
    with monkeypatch.context() as patched:
        patched.setattr(
            sys, "unraisablehook", lambda seen: told.append((seen.exc_value.args, seen.object, seen.err_msg))
        )
        run()
        with testbench.record(tmp_path / "t.tape"):
            run()
    assert told[0][0] == ("no",)
    assert told[0] == told[1]
