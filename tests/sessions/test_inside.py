"""What a recorder is told when it asks whether the running code is inside an effect."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import testbench
from testbench.inplace.real import allocate_lock, start_new_thread
from testbench.protocol import Call, Matcher


class Asking:
    """A recorder whose only op asks, within its effect, whether it is inside of one."""

    kind = "asking"
    version = 1
    matchers: Mapping[str, Matcher] = {}
    call: Call

    @contextlib.contextmanager
    def install(self, call: Call) -> Iterator[None]:
        """Keep the waist."""
        self.call = call
        yield

    def ask(self, effect: Any = None) -> Any:
        """Make one crossing."""
        return self.call("ask", None, effect or self.call.inside)


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """Give a path for a tape."""
    return tmp_path / "run.tape"


def test_only_an_effect_is_inside_and_everything_after_the_session(tape: Path) -> None:
    """While recording it is true within effects alone; on replay never; afterwards always."""
    asking = Asking()
    with testbench.record(tape, recorders=[asking]):
        assert not asking.call.inside()
        assert asking.ask() is True
        assert not asking.call.inside()
    assert asking.call.inside()
    with testbench.replay(tape, recorders=[asking]):
        assert not asking.call.inside()
        assert asking.ask() is True
        assert not asking.call.inside()
    assert asking.call.inside()


def test_a_thread_without_a_lane_is_not_inside_and_gets_no_lane_by_asking(tape: Path) -> None:
    """The question leaves no trace on the tape."""
    asking, told, done = Asking(), [], allocate_lock()

    def stranger() -> None:
        told.append(asking.call.inside())
        done.release()

    with testbench.record(tape, recorders=[asking]):
        done.acquire()
        start_new_thread(stranger, ())
        done.acquire()
    assert told == [False]
    with testbench.open_tape(tape) as opened:
        assert list(opened) == []


def test_a_broken_recording_is_over_for_recorders_too(tape: Path) -> None:
    """Once the program has seen what broke it, everything belongs to the real world."""
    asking = Asking()

    def explode() -> None:
        raise LookupError

    with pytest.raises(testbench.RecordingError), testbench.record(tape, recorders=[asking]):
        with pytest.raises(LookupError):
            asking.ask(explode)
        assert asking.call.inside()
