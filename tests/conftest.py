"""What all tests share: the Hypothesis profiles, and the proof that each test gives the world back."""

from __future__ import annotations

import _posixsubprocess
import _signal
import _socket
import _thread
import os
import time

import pytest
from hypothesis import HealthCheck, settings

from testbench.inplace import _layout

_SLOW_MACHINE = [HealthCheck.too_slow]

settings.register_profile("dev", deadline=None, max_examples=30, suppress_health_check=_SLOW_MACHINE)
settings.register_profile("ci", deadline=None, max_examples=40, suppress_health_check=_SLOW_MACHINE, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")

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
