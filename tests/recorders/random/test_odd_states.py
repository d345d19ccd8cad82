"""Tapes that hold no state of a generator where there should be one: refused by name, whoever wrote them."""

from __future__ import annotations

import datetime
import random
from pathlib import Path
from typing import Any

import pytest

import testbench
from testbench.tape import Reader, Returned, TapeFile, Writer

WORDS = bytes(2500)

ODD: dict[str, Any] = {
    "nothing": {},
    "no dict": 5,
    "text": "state",
    "a list": [1, 2],
    "too few words": {"words": bytes(12), "gauss_next": None},
    "words that are none": {"words": 7, "gauss_next": None},
    "an index out of bounds": {"words": b"\xff" * 2500, "gauss_next": None},
    "no place for gauss": {"words": WORDS},
    "gauss of another type": {"words": WORDS, "gauss_next": "left"},
}


def draw_twice() -> None:
    """Go on as if nothing had happened."""
    try:
        random.random()
    except Exception:  # what programs do
        random.random()


def tape_with(folder: Path, op: str, outcome: Any) -> Path:
    """Write a tape with one event, whose outcome is odd."""
    with testbench.record(folder / "good.tape"):
        random.random()
    with Reader.open(folder / "good.tape") as reader:
        file = TapeFile.create(folder / "odd.tape")
        writer = Writer(file.fd, reader.meta)
    kind = writer.kind(op, ["took_ns", "outcome"])
    writer.event([kind, 0, 0, writer.call_body([1], Returned(outcome))])
    writer.close()
    return file.commit()


@pytest.mark.parametrize("state", ODD.values(), ids=ODD.keys())
def test_an_odd_state_is_a_divergence_that_names_its_event(tmp_path: Path, state: Any) -> None:
    """It is raised at the draw, cannot be swallowed like an error of the program, and says what to do."""
    tape = tape_with(tmp_path, "random.state", state)
    before = random.getstate()
    with pytest.raises(testbench.RefusedError, match=r"random\.state.*no state of a generator.*record again"):  # noqa: SIM117
        with testbench.replay(tape):
            draw_twice()
    assert random.getstate() == before


def test_an_odd_run_of_datetimes_is_damage(tmp_path: Path) -> None:
    """Integers that are no datetimes are found before the program gets one of them."""
    with testbench.record(tmp_path / "good.tape"):
        datetime.datetime.now()
    with Reader.open(tmp_path / "good.tape") as reader:
        file = TapeFile.create(tmp_path / "odd.tape")
        writer = Writer(file.fd, reader.meta)
    kind = writer.kind("clock.datetime_now", ["values"])
    writer.event([kind, 0, 0, writer.run_body([1 << 62])])
    writer.close()
    with pytest.raises(testbench.TapeDamagedError, match=r"event 0 .*clock\.datetime_now"):  # noqa: SIM117
        with testbench.replay(file.commit()):
            datetime.datetime.now()
