"""What all tests share: the Hypothesis profiles, and the proof that each gives the world back and leaves no thread."""

from __future__ import annotations

import _posixsubprocess
import _signal
import _socket
import _thread
import os
import signal
import sys
import threading
import time
from collections.abc import Collection, Iterator

import pytest
from hypothesis import HealthCheck, settings

from testbench.inplace import _layout, real
from testbench.inplace.own import OWN_THREADS
from testbench.where import user_line

_SLOW_MACHINE = [HealthCheck.too_slow]

settings.register_profile("dev", deadline=None, max_examples=30, suppress_health_check=_SLOW_MACHINE)
settings.register_profile("ci", deadline=None, max_examples=40, suppress_health_check=_SLOW_MACHINE, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")

# A shell lets what it runs in the background ignore these, and so would all programs that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGQUIT) is signal.SIG_IGN:
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)

_FACES = (
    time.time,
    time.time_ns,
    time.monotonic,
    time.sleep,
    os._exit,
    os.getpid,
    os.kill,
    os.urandom,
    _posixsubprocess.fork_exec,
    _signal.signal,
    _socket.gethostname,
    _thread.start_new_thread,
)


@pytest.fixture(autouse=True)
def _the_world_is_given_back():
    """Fail a test after which a function of the world is still redirected."""
    before = [_layout.read(face) for face in _FACES]
    yield
    left = [face.__name__ for face, body in zip(_FACES, before, strict=True) if not _layout.stands(face, body)]
    assert left == [], f"still redirected after this test: {left}"


_PATIENCE_S = 5
"""How long a thread that is about to end may take to, on a busy machine."""


@pytest.fixture
def leaves_threads() -> None:
    """Be asked for by a test that means to leave a thread behind, one that waits for ever say."""


@pytest.fixture(autouse=True)
def no_thread_stays(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a thread running: it would go on in the middle of other tests."""
    before = {*sys._current_frames()}
    yield
    if "leaves_threads" not in request.fixturenames and (left := _left(before)):
        pytest.fail(f"it left threads running: {left}")


def _left(before: Collection[int]) -> list[str]:
    """Return where other threads than these are, apart from those of testbench, after time to come to their ends."""
    until_s = real.monotonic() + _PATIENCE_S
    while left := sys._current_frames().keys() - OWN_THREADS - before:
        for thread in [each for each in threading.enumerate() if each.ident in left]:
            thread.join(_PATIENCE_S)
        if real.monotonic() > until_s:
            frames = sys._current_frames()
            return [f"{frames[ident].f_code.co_qualname}, {user_line(frames[ident])}" for ident in left]
    return []
