from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import testbench
from testbench.tape import Reader


@testbench.boundary
def ask(what: Any) -> Any:
    """Stand for the world: what it says follows from how often it was asked."""
    CALLS.append(what)
    return [what, len(CALLS)]


@testbench.boundary
def fail(what: str) -> None:
    """Stand for a world that refuses."""
    CALLS.append(what)
    raise ValueError(what)


CALLS: list[Any] = []


@pytest.fixture(autouse=True)
def _nothing_asked_yet() -> None:
    CALLS.clear()


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """Return where the tape of a test is."""
    return tmp_path / "a.tape"


def raw_events(path: Path) -> list[Any]:
    """Return kind, dt, lane and body of each event, as they stand on the tape."""
    with Reader.open(path) as reader:
        return [(reader.kinds[event[0]].name, *event[1:]) for event in reader.events()]


def asking(*questions: Any) -> Callable[[], list[Any]]:
    """Return a program."""
    return lambda: [ask(what) for what in questions]


def splice(tape: Path, before: Callable[[], Any], after: Callable[[], Any]) -> tuple[Any, Any, testbench.Session]:
    """Record one program, splice with another one, prove that the new tape replays it; return what both got."""
    with testbench.record(tape):
        recorded = before()
    old = raw_events(tape)
    with testbench.session(tape, mode="splice") as session:
        spliced = after()
    kept = len(old) if session.splice is None else session.splice.seq
    assert raw_events(tape)[:kept] == old[:kept]
    assert [finding for finding in testbench.check(tape) if finding.severity == "error"] == []
    with testbench.replay(tape):
        assert after() == spliced
    return recorded, spliced, session


def test_the_faithful_prefix_is_kept_and_the_rest_is_recorded(tape: Path) -> None:
    """What the program asks as before is answered from the tape; from the first difference on the world is asked."""
    recorded, spliced, session = splice(tape, asking(1, 2, 3, 4), asking(1, 2, "new", 4))
    assert spliced[:2] == recorded[:2]
    assert CALLS == [1, 2, 3, 4, "new", 4]
    assert (session.mode, session.splice and session.splice.seq) == ("splice", 2)
    assert "2 of 4 events of the old tape were kept" in str(session.splice)


def test_a_run_that_has_not_changed_keeps_its_tape_to_the_byte(tape: Path) -> None:
    """Nothing is asked of the world, and the new tape is the old one."""

    def program() -> Any:
        with contextlib.suppress(ValueError):
            fail("no")
        started = time.time(), time.monotonic()
        said = subprocess.run(["echo", "hi"], capture_output=True).stdout
        return started, said, ask(1), random.random(), time.time()

    with testbench.record(tape):
        recorded = program()
    before, asked = tape.read_bytes(), len(CALLS)
    with testbench.session(tape, mode="new_episodes") as session:
        assert program() == recorded
    assert session.splice is None
    assert (tape.read_bytes(), len(CALLS)) == (before, asked)


def test_a_program_that_does_more_at_its_end_is_recorded_there(tape: Path) -> None:
    """The end of the tape is a difference as well."""
    _, spliced, session = splice(tape, asking(1, 2), asking(1, 2, 3))
    assert spliced == [[1, 1], [2, 2], [3, 3]]
    assert session.splice is not None
    assert session.splice.seq == 2


def test_what_is_not_asked_any_more_is_left_out(tape: Path) -> None:
    """A program that ends earlier has a shorter tape."""
    _, _, session = splice(tape, asking(1, 2, 3), asking(1))
    assert session.splice is not None
    assert "1 of 3 events of the old tape were kept" in str(session.splice)
    with testbench.open_tape(tape) as read:
        assert len(read) == 1


def test_without_a_tape_everything_is_recorded(tape: Path) -> None:
    """The first run makes the tape."""
    with testbench.session(tape, mode="splice"):
        ask(1)
    with testbench.replay(tape):
        assert ask(1) == [1, 1]


def test_a_run_of_reads_is_cut_where_the_program_leaves_it(tape: Path) -> None:
    """Reads of a clock that were answered stay, and those that were not are gone; more reads than before are live."""

    def reading(count: int, what: Any) -> Callable[[], Any]:
        return lambda: ([time.time() for _ in range(count)], ask(what), time.time())

    recorded, spliced, session = splice(tape, reading(10, 1), reading(7, 1))
    assert spliced[0] == recorded[0][:7]
    assert session.splice is not None
    assert "3 more reads of clock.time" in session.splice.reason
    recorded, spliced, _ = splice(tape, reading(3, 1), reading(5, 1))
    assert spliced[0][:3] == recorded[0]
    assert spliced[0][3] > recorded[2]


def test_clocks_that_never_go_back_go_on_where_the_tape_left_them(tape: Path) -> None:
    """A deadline taken from the tape is reached in its time, by whichever face of the clock; the wall clock is live."""

    def program(what: Any) -> Callable[[], Any]:
        return lambda: (
            [time.monotonic(), time.perf_counter_ns(), time.time()],
            ask(what),
            [time.monotonic(), time.monotonic_ns() / 1e9, time.perf_counter(), time.time()],
        )

    recorded, (first, _, then), _ = splice(tape, program(1), program(2))
    assert first == recorded[0]
    for moment, before in ((then[0], first[0]), (then[1], first[0]), (then[2], first[1] / 1e9)):
        assert 0 <= moment - before < 60
    assert then[3] >= recorded[2][3]


def test_randomness_goes_on_from_the_state_of_the_tape(tape: Path) -> None:
    """A generator whose state is on the tape draws on; the new tape gives all of it again."""

    def program(what: Any) -> Callable[[], Any]:
        return lambda: (random.random(), ask(what), random.random(), os.urandom(4))

    recorded, spliced, _ = splice(tape, program(1), program(2))
    assert spliced[0] == recorded[0]
    assert spliced[2] == recorded[2]


def test_children_that_have_ended_on_the_tape_are_spliced(tape: Path) -> None:
    """Processes of the prefix are not started again; those after it are."""

    def program(word: str) -> Callable[[], Any]:
        def run() -> list[bytes]:
            words = ["one", word, "three"]
            return [subprocess.run(["echo", what], capture_output=True, check=True).stdout for what in words]

        return run

    recorded, spliced, session = splice(tape, program("two"), program("other"))
    assert recorded == [b"one\n", b"two\n", b"three\n"]
    assert spliced == [b"one\n", b"other\n", b"three\n"]
    assert session.splice is not None
    assert session.splice.seq == 2


def test_a_child_of_the_prefix_cannot_be_gone_on_with(tape: Path) -> None:
    """There is no such process: a clear error names it, and the old tape stays."""

    def program(what: Any) -> None:
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
            ask(what)
            child.communicate(b"hello")

    with testbench.record(tape):
        program(1)
    before = tape.read_bytes()
    with (
        pytest.raises(testbench.UnsupportedError, match=r"child 1 \(pid \d+\) was replayed, so there is no process"),
        testbench.session(tape, mode="splice"),
    ):
        program(2)
    assert tape.read_bytes() == before


def test_a_recording_that_fails_leaves_the_old_tape(tape: Path) -> None:
    """A block that raises is no good run, whatever part of it was spliced."""
    with testbench.record(tape):
        ask(1)
    before = tape.read_bytes()
    with pytest.raises(ZeroDivisionError), testbench.session(tape, mode="splice"):
        ask(2)
        1 / 0  # noqa: B018  # it raises
    assert tape.read_bytes() == before
    assert Path(f"{tape}.failed").exists()


def test_outcomes_that_were_raised_are_raised(tape: Path) -> None:
    """In the prefix as they are on the tape, after it as they come."""

    def program(*words: str) -> Callable[[], Any]:
        def run() -> list[str]:
            told = []
            for word in words:
                try:
                    fail(word)
                except ValueError as error:
                    told.append(str(error))
            return told

        return run

    _, spliced, _ = splice(tape, program("a", "b"), program("a", "c"))
    assert spliced == ["a", "c"]


def test_the_first_thread_ends_the_prefix(tape: Path) -> None:
    """From there on all is recorded, in whatever order the threads ask."""

    def program() -> Any:
        first, found = ask("before"), []
        threads = [threading.Thread(target=lambda n=n: found.append(ask(n)[0])) for n in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return first, sorted(found), ask("after")[0]

    _, spliced, session = splice(tape, program, program)
    assert spliced[:2] == (["before", 1], [0, 1, 2])
    assert session.splice is not None
    assert session.splice.seq == 1


def test_a_signal_ends_the_prefix(tape: Path) -> None:
    """A handler that runs is recorded anew, with what it asks."""

    def program() -> Any:
        before = signal.signal(signal.SIGUSR1, lambda *_: ask("handled"))
        try:
            ask(1)
            signal.raise_signal(signal.SIGUSR1)
            return ask(2)
        finally:
            signal.signal(signal.SIGUSR1, before)

    _, spliced, session = splice(tape, program, program)
    assert spliced == [2, 5]
    assert session.splice is not None
    assert session.splice.seq == 1


def test_a_leak_ends_the_prefix(tape: Path) -> None:
    """What is never on a tape happens, and is listed."""

    def program() -> None:
        ask(1)
        with contextlib.suppress(FileNotFoundError):
            os.execv("/no/such/program", ["program"])

    with testbench.record(tape, leaks="ignore"):
        program()
    with testbench.session(tape, mode="splice", leaks="ignore") as session:
        program()
    assert [leak.name for leak in session.leaks] == ["process.execv"]
    assert session.splice is not None
    assert session.splice.seq == 1


def test_a_tape_of_another_clock_is_refused(tape: Path) -> None:
    """How far a paused clock is in the middle of a tape is not on it."""
    with testbench.record(tape, clock="paused"):
        ask(1)
    with pytest.raises(testbench.UsageError, match="clock='paused'"), testbench.session(tape, mode="splice"):
        pytest.fail("the block ran")


def test_other_threads_are_refused(tape: Path) -> None:
    """A process with threads of its own before the session cannot be followed alone; nothing is lost."""
    with testbench.record(tape):
        ask(1)
    before, over = tape.read_bytes(), threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    try:
        with pytest.raises(testbench.UnsupportedError, match="others run"), testbench.session(tape, mode="splice"):
            pytest.fail("the block ran")
    finally:
        over.set()
        thread.join()
    assert tape.read_bytes() == before


def test_a_spliced_tape_can_be_spliced_again(tape: Path) -> None:
    """Each time from the first difference on."""
    splice(tape, asking(1, 2, 3), asking(1, 2, 4))
    with testbench.session(tape, mode="splice") as session:
        assert asking(1, 2, 4, 5)()[:3] == [[1, 1], [2, 2], [4, 4]]
    assert session.splice is not None
    assert session.splice.seq == 3
