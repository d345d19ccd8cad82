"""The laws of exactness: replay gives what record gave, runs nothing, and re-records the same bytes."""

from __future__ import annotations

import datetime
import random
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import testbench
from testbench import boundary

EFFECTS: list[str] = []
ERRORS: dict[str, Exception] = {
    "value": ValueError("no", 3),
    "key": KeyError("k"),
    "os": FileNotFoundError(2, "No such file or directory", "/nowhere"),
    "unicode": UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    "stop": StopIteration(5),
}


@boundary
def ask(value: Any) -> Any:
    """Give back what was asked."""
    EFFECTS.append("ask")
    return value


@boundary
def fail(name: str) -> None:
    """Raise one of the known errors."""
    EFFECTS.append("fail")
    raise ERRORS[name]


@boundary
def roll(sides: int) -> int:
    """Return what nobody can foresee."""
    EFFECTS.append("roll")
    return random.randrange(sides)


FACES: dict[str, Callable[[], Any]] = {
    face: getattr(time, face)
    for face in (
        *("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"),
        *("process_time", "process_time_ns", "thread_time", "thread_time_ns"),
        *("localtime", "gmtime", "ctime"),
    )
} | {"now": lambda: datetime.datetime.now(), "today": datetime.date.today}

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.binary(max_size=40)
    | st.text(st.characters(codec=None), max_size=12)
    | st.builds(bytes, st.integers(1000, 5000)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)

simple = st.one_of(
    st.tuples(st.just("face"), st.sampled_from(sorted(FACES)), st.integers(1, 4)),
    st.tuples(st.just("sleep"), st.sampled_from([0, 0.0, 0.0001])),
    st.tuples(st.just("ask"), plain),
    st.tuples(st.just("roll"), st.integers(1, 10**30)),
    st.tuples(st.just("fail"), st.sampled_from(sorted(ERRORS))),
)
spawn = st.one_of(
    st.tuples(st.just("run"), st.binary(max_size=30), st.integers(0, 3)),
    st.tuples(st.just("missing"), st.text(st.characters(categories=["Ll"]), min_size=1, max_size=5)),
    st.tuples(st.just("killed"), st.sampled_from([9, 15])),
)
steps = st.lists(simple | simple | simple | spawn, max_size=8)
program = st.lists(simple | simple | spawn | st.tuples(st.just("thread"), st.lists(simple, max_size=6)), max_size=10)


def outcome(action: Callable[[], Any]) -> Any:
    """Return what came of an action in a form that compares exactly."""
    try:
        value = action()
    except Exception as error:
        return ("raised", type(error).__name__, repr(error), repr(vars(error)), getattr(error, "filename", None))
    return ("returned", repr(value))


def perform(step: tuple[Any, ...]) -> Any:
    """Make the crossings of one step."""
    name, *rest = step
    if name == "face":
        return [repr(FACES[rest[0]]()) for _ in range(rest[1])]
    if name == "sleep":
        return outcome(lambda: time.sleep(rest[0]))
    if name == "run":
        script = 'cat; printf err >&2; exit "$1"'
        run = lambda: subprocess.run(["sh", "-c", script, "sh", str(rest[1])], input=rest[0], capture_output=True)  # noqa: E731
        return outcome(run)
    if name == "missing":
        return outcome(lambda: subprocess.run([f"/nowhere/{rest[0]}"]))
    if name == "killed":
        return outcome(lambda: subprocess.check_output(["sh", "-c", f"kill -{rest[0]} $$"]))
    return outcome(lambda: {"ask": ask, "fail": fail, "roll": roll}[name](rest[0]))


def run(steps: list[tuple[Any, ...]]) -> list[Any]:
    """Run a generated program: its threads start where they stand, and are joined at its end."""
    results: list[Any] = []
    threads: list[threading.Thread] = []
    for step in steps:
        if step[0] == "thread":
            mine: list[Any] = []
            results.append(mine)
            threads.append(threading.Thread(target=lambda todo=step[1], to=mine: to.extend(map(perform, todo))))
            threads[-1].start()
        else:
            results.append(perform(step))
    for thread in threads:
        thread.join()
    return results


@given(program)
def test_replay_gives_the_same_outcomes_runs_nothing_and_records_the_same_bytes(steps: list[tuple[Any, ...]]) -> None:
    """For any program of real spawns, clock reads, sleeps, marked calls, errors and threads."""
    with tempfile.TemporaryDirectory() as folder:
        tape, again = Path(folder, "a.tape"), Path(folder, "b.tape")
        with testbench.record(tape):
            recorded = run(steps)
        EFFECTS.clear()
        with pytest.MonkeyPatch.context() as world:
            world.setenv("PATH", "/nonexistent")
            with testbench.replay(tape, rerecord=again):
                replayed = run(steps)
        assert replayed == recorded
        assert EFFECTS == []
        assert again.read_bytes() == tape.read_bytes()
        assert [f for f in testbench.check(tape) if f.severity == "error"] == []


@given(steps, st.integers(0, 7), st.sampled_from(["drop", "repeat", "change"]))
def test_a_program_that_changed_never_replays_silently(steps: list[tuple[Any, ...]], at: int, how: str) -> None:
    """Dropping, repeating or changing one step of a program is a divergence, wherever it stands."""
    if not steps:
        return
    at %= len(steps)
    changed = {
        "drop": steps[:at] + steps[at + 1 :],
        "repeat": steps[: at + 1] + steps[at:],
        "change": [*steps[:at], ("ask", "a value that no step asks"), *steps[at + 1 :]],
    }[how]
    with tempfile.TemporaryDirectory() as folder:
        tape = Path(folder, "a.tape")
        with testbench.record(tape):
            run(steps)
        with pytest.raises(testbench.DivergenceError), testbench.replay(tape):
            run(changed)


@given(steps)
def test_a_paused_clock_makes_recordings_of_a_deterministic_program_identical(steps: list[tuple[Any, ...]]) -> None:
    """Two recordings of the same deterministic program are the same bytes when time stands still."""
    steps = [step for step in steps if step[0] != "roll"]
    with tempfile.TemporaryDirectory() as folder:
        tapes = [Path(folder, name) for name in ("a.tape", "b.tape")]
        for tape in tapes:
            with testbench.record(tape, clock="paused"):
                run(steps)
        assert tapes[0].read_bytes() == tapes[1].read_bytes()
