"""What a session promises, whatever the kinds: order, stickiness, leftovers, nesting, and what becomes of the tape."""

from __future__ import annotations

import contextlib
import gc
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import testbench
from testbench import boundary
from testbench.inplace import real
from testbench.inplace.real import allocate_lock, start_new_thread

LOG: list[str] = []


@boundary
def ask(question: Any) -> Any:
    """Give back what was asked."""
    LOG.append(f"ask {question}")
    return question


@boundary
def ask_in_thread(question: Any) -> Any:
    """Ask in a thread of its own, and read a clock there."""
    thread = threading.Thread(target=lambda: (ask(question), time.time()))
    thread.start()
    thread.join()
    return question


@boundary
def explode() -> None:
    """Raise what is no outcome."""
    raise KeyboardInterrupt


def events(path: Path) -> list[testbench.Event]:
    """Return all events of a tape."""
    with testbench.open_tape(path) as tape:
        return list(tape)


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """Give a path for a tape, and a clean log."""
    LOG.clear()
    return tmp_path / "run.tape"


def test_a_mismatch_is_raised_again_on_every_later_call_and_at_the_end(tape: Path) -> None:
    """A broad except cannot turn a failed replay green, and the cursor does not move on."""
    with testbench.record(tape):
        ask(1)
        ask(2)
    with pytest.raises(testbench.MismatchError) as last, testbench.replay(tape):
        first: list[BaseException] = []
        for question in ("other", 1, 2):
            try:
                ask(question)
            except BaseException as error:
                first.append(error)
        with contextlib.suppress(testbench.DivergenceError):
            time.time()
        assert len({id(error) for error in first}) == 1
    assert last.value is first[0]
    assert last.value.report.seq == 0


def test_a_divergence_is_not_caught_by_except_exception(tape: Path) -> None:
    """It is no Exception, so that programs that handle every Exception still fail."""
    with testbench.record(tape):
        ask(1)

    def program() -> str:
        try:
            return str(ask("other"))
        except Exception:
            return "handled"

    with pytest.raises(testbench.DivergenceError), testbench.replay(tape):
        assert program() != "handled"
    assert not issubclass(testbench.DivergenceError, Exception)
    assert issubclass(testbench.DivergenceError, testbench.TestbenchError)


def test_an_ended_tape_and_a_leftover_are_divergences(tape: Path) -> None:
    """Asking more, or less, than was recorded fails; less fails at the end of the block."""
    with testbench.record(tape):
        ask(1)
        ask(2)
    with pytest.raises(testbench.ExhaustedError), testbench.replay(tape):
        ask(1)
        ask(2)
        ask(3)
    with pytest.raises(testbench.LeftoverError, match="one event was never asked for"), testbench.replay(tape):
        ask(1)


def test_a_run_read_too_short_or_too_long_is_a_divergence(tape: Path) -> None:
    """Clock reads are events like all others: their number counts, also when they are recorded in runs."""
    with testbench.record(tape):
        seen = [time.time() for _ in range(5)]
        ask(1)
    with testbench.replay(tape):
        assert [time.time() for _ in range(5)] == seen
        ask(1)
    with pytest.raises(testbench.MismatchError, match=r"2 more reads of clock\.time"), testbench.replay(tape):
        for _ in range(3):
            time.time()
        ask(1)
    with pytest.raises(testbench.MismatchError), testbench.replay(tape):
        for _ in range(6):
            time.time()
    with pytest.raises(testbench.DivergenceError), testbench.replay(tape):
        for _ in range(2):
            time.time()


def test_order_between_kinds_is_kept(tape: Path) -> None:
    """What was recorded as a, clock, b does not replay as clock, a, b."""
    with testbench.record(tape):
        ask("a")
        time.monotonic()
        ask("b")
    assert [f"{e.kind}.{e.op}".rpartition(".")[2] for e in events(tape)] == ["ask", "monotonic", "ask"]
    with pytest.raises(testbench.MismatchError), testbench.replay(tape):
        time.monotonic()


def test_replaying_again_records_the_same_bytes(tape: Path, tmp_path: Path) -> None:
    """Recording a replay gives a byte-identical tape."""
    with testbench.record(tape):
        for i in range(700):
            time.time_ns()
            if i % 3 == 0:
                ask({"n": i, "data": b"x" * (i * 5)})
    with testbench.replay(tape, rerecord=tmp_path / "again.tape"):
        for i in range(700):
            time.time_ns()
            if i % 3 == 0:
                ask({"n": i, "data": b"x" * (i * 5)})
    assert (tmp_path / "again.tape").read_bytes() == tape.read_bytes()


def test_a_paused_clock_makes_two_recordings_identical(tmp_path: Path) -> None:
    """Time stands still except for sleeps, and starts where it is told to."""
    for name in ("a.tape", "b.tape"):
        with testbench.record(tmp_path / name, clock="paused", start="2030-05-06T07:08:09Z"):
            begun = time.time()
            time.sleep(3600)
            assert time.time() - begun == 3600
            ask(time.gmtime()[:5])
    assert begun == 1904281689
    assert (tmp_path / "a.tape").read_bytes() == (tmp_path / "b.tape").read_bytes()


def test_a_failing_block_keeps_its_tape_aside_and_the_good_one_in_place(tape: Path) -> None:
    """An exception leaves run.tape as it was and run.tape.failed beside it, both readable."""
    with testbench.record(tape):
        ask("good")
    good = tape.read_bytes()
    with pytest.raises(ZeroDivisionError), testbench.record(tape):
        ask("bad")
        _ = 1 / 0
    assert tape.read_bytes() == good
    failed = tape.with_name("run.tape.failed")
    assert [event.request for event in events(failed)] == [{"question": "bad"}]
    assert not tape.with_name("run.tape.partial").exists()


def test_an_exception_that_is_no_outcome_breaks_the_recording_loudly(tape: Path) -> None:
    """The program sees its own exception; swallowing it does not make the tape good."""
    with pytest.raises(testbench.RecordingError, match="KeyboardInterrupt"), testbench.record(tape):
        with contextlib.suppress(KeyboardInterrupt):
            explode()
        assert ask("still works") == "still works"
    assert not tape.exists()


def test_an_exception_that_comes_between_effect_and_event_breaks_the_recording(tape: Path) -> None:
    """A signal handler may raise what looks like an outcome when none was written down."""
    with pytest.raises(testbench.RecordingError, match="StopIteration"), testbench.record(tape) as session:
        ticks = iter([0])
        session._run.mode._now_ns = lambda: next(ticks)  # type: ignore[union-attr]  # the second time is after the effect
        with contextlib.suppress(StopIteration):
            ask(1)
    assert LOG == ["ask 1"]
    assert not tape.exists()


def test_an_outcome_that_was_raised_is_not_kept_alive(tape: Path) -> None:
    """What an exception refers to dies as early as it does without a session."""
    gone: list[bool] = []

    class Witness:
        def __del__(self) -> None:
            gone.append(True)

    @boundary(name="fail")
    def fail() -> None:
        witness = Witness()
        raise ValueError(id(witness))

    gc.disable()
    try:
        with testbench.record(tape):
            with contextlib.suppress(ValueError):
                fail()
            assert gone == [True]
    finally:
        gc.enable()


def test_nested_sessions_restore_exactly(tmp_path: Path) -> None:
    """The inner session answers first; leaving it brings the outer one back, leaving that brings the world back."""
    before = time.time
    with testbench.record(tmp_path / "inner.tape"):
        inner = [ask("x"), time.time()]
    with testbench.record(tmp_path / "outer.tape"):
        ask("before")
        with testbench.replay(tmp_path / "inner.tape"):
            assert [ask("x"), time.time()] == inner
        ask("after")
    assert [e.request for e in events(tmp_path / "outer.tape")] == [{"question": "before"}, {"question": "after"}]
    assert time.time is before
    assert time.time() > inner[1]


def test_recording_inside_a_replay_gets_what_the_replay_gives(tmp_path: Path) -> None:
    """An inner recording sees the outer replay as its world."""
    with testbench.record(tmp_path / "a.tape"):
        seen = [ask(1), time.time(), ask(2)]
    with testbench.replay(tmp_path / "a.tape"), testbench.record(tmp_path / "b.tape"):
        assert [ask(1), time.time(), ask(2)] == seen
    with testbench.replay(tmp_path / "b.tape"):
        assert [ask(1), time.time(), ask(2)] == seen


def test_recording_inside_a_replay_that_diverges_is_no_good_tape(tmp_path: Path) -> None:
    """Although the program swallows it, and although a clock is read where nobody looks at each read."""
    with testbench.record(tmp_path / "outer.tape"):
        ask(1)
    with (
        pytest.raises(testbench.MismatchError),
        testbench.replay(tmp_path / "outer.tape"),
        pytest.raises(testbench.RecordingError),
        testbench.record(tmp_path / "inner.tape"),
        contextlib.suppress(BaseException),
    ):
        time.time()
    assert not (tmp_path / "inner.tape").exists()


def test_sessions_end_in_reverse_order(tmp_path: Path) -> None:
    """Closing the outer session first is refused, and nothing is lost."""
    outer = testbench.record(tmp_path / "outer.tape").open()
    inner = testbench.record(tmp_path / "inner.tape").open()
    with pytest.raises(testbench.UsageError, match="reverse order"):
        outer.close()
    inner.close()
    outer.close()
    assert len(events(tmp_path / "outer.tape")) == 0


def test_sessions_that_threads_open_at_the_same_time_restore_exactly(tmp_path: Path) -> None:
    """They come and go one at a time; whichever ends before an inner one is refused, and the world comes back."""
    ready = threading.Barrier(4)
    refused: list[testbench.Session] = []

    def work(number: int) -> None:
        session = testbench.record(tmp_path / f"{number}.tape")
        ready.wait()
        session.open()
        try:
            session.close()
        except testbench.UsageError:
            refused.append(session)

    for _ in range(10):
        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        while refused:  # the innermost of them can be closed at any time
            refused = [session for session in refused if not _closed(session)]
        assert time.time.__self__ is time  # type: ignore[attr-defined]  # a builtin's module, when nothing redirects it


def _closed(session: testbench.Session) -> bool:
    try:
        session.close()
    except testbench.UsageError:
        return False
    return True


def test_a_session_is_used_once(tape: Path) -> None:
    """Opening a closed session again is refused with what to do."""
    opened = testbench.record(tape)
    with opened:
        pass
    with pytest.raises(testbench.UsageError, match="make a new one"):
        opened.open()
    opened.close()


def test_threads_are_recorded_in_lanes_and_lose_nothing(tape: Path, tmp_path: Path) -> None:
    """Eight threads lose no event; their lanes are named by creator and count; the replay is in the recorded order."""

    def work(name: int) -> list[Any]:
        return [(ask(f"{name}:{i}"), time.time_ns()) for i in range(25)]

    def program() -> dict[int, list[Any]]:
        results: dict[int, list[Any]] = {}
        threads = [threading.Thread(target=lambda n=n: results.update({n: work(n)})) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return dict(sorted(results.items()))

    with testbench.record(tape):
        recorded = program()
    with testbench.open_tape(tape) as opened:
        assert opened.lanes == ("main", *(f"main.{n}" for n in range(1, 9)))
        assert len(list(opened.events(kind="call"))) == 200
        assert sum(len(e.values or ()) for e in opened.events(kind="clock", op="time_ns")) == 200
    with testbench.replay(tape, rerecord=tmp_path / "again.tape"):
        assert program() == recorded
    assert (tmp_path / "again.tape").read_bytes() == tape.read_bytes()


def test_a_lane_that_never_comes_ends_the_wait(tape: Path) -> None:
    """A replay whose other lane does not do its part stalls, and says which lane it waited for."""
    gate = threading.Event()

    def work() -> None:
        ask("in thread")
        gate.set()

    with testbench.record(tape):
        thread = threading.Thread(target=work)
        thread.start()
        gate.wait()
        thread.join()
        ask("main")
    with pytest.raises(testbench.StallError, match=r"belongs to main\.1"), testbench.replay(tape, stall_s=0.2):
        thread = threading.Thread(target=lambda: None)
        thread.start()
        thread.join()
        ask("main")


def test_a_thread_that_was_there_before_gets_a_lane_of_its_own(tape: Path) -> None:
    """Threads older than the session are adopted at their first crossing."""
    go, done = threading.Event(), threading.Event()

    def work() -> None:
        go.wait()
        ask("old thread")
        done.set()

    for opened in (testbench.record(tape), testbench.replay(tape)):
        go.clear()
        done.clear()
        thread = threading.Thread(target=work)
        thread.start()
        with opened:
            go.set()
            done.wait()
            thread.join()
    assert [event.lane for event in events(tape)] == ["other.1", "other.1"]


def test_a_forked_child_is_out_of_the_session(tape: Path) -> None:
    """The child of a fork gets the real world back and never writes to the parent's tape."""
    with testbench.record(tape, leaks="ignore"):
        ask(1)
        pid = os.fork()
        if pid == 0:
            ok = ask("child") == "child" and time.time() > 0
            os._exit(0 if ok else 1)
        assert os.waitpid(pid, 0)[1] == 0
        ask(2)
    assert [e.request for e in events(tape) if e.kind == "call"] == [{"question": 1}, {"question": 2}]
    assert not [f for f in testbench.check(tape) if f.severity == "error"]


def test_a_thread_that_outlives_the_session_waits_for_its_end(tape: Path) -> None:
    """A heartbeat is in the middle of a sleep when the recording ends; replaying, it must not ask for one more."""
    stop = threading.Event()
    beats: list[float] = []

    def beat() -> None:
        while not stop.is_set():
            time.sleep(0.001)
            beats.append(time.monotonic())

    def program(enough: int) -> list[float]:
        beats.clear()
        stop.clear()
        thread = threading.Thread(target=beat)
        thread.start()
        while len(beats) < enough:
            pass
        threads.append(thread)
        return beats[:enough]

    threads: list[threading.Thread] = []
    with testbench.record(tape, leaks="ignore"):  # that it loses the baton
        recorded = program(5)
    stop.set()
    threads.pop().join()
    with testbench.open_tape(tape) as opened:
        beaten = sum(len(event.values or ()) for event in opened)
    with testbench.replay(tape):
        assert program(beaten)[:5] == recorded
        begun = real.monotonic_ns()
        while real.monotonic_ns() - begun < 20_000_000:
            pass  # as long as a heart would beat again
    stop.set()
    threads.pop().join()
    assert len(beats) > beaten  # the last one is after the session and of the real world


def test_any_thread_may_end_a_session(tape: Path) -> None:
    """Ending is no crossing, so that the thread that does it need not be on the tape."""
    with testbench.record(tape):
        ask(1)
    for asked, expected in ((1, []), (None, [testbench.LeftoverError])):
        session = testbench.replay(tape, stall_s=0.1).open()
        if asked is not None:
            ask(asked)
        raised: list[type[BaseException]] = []
        done = allocate_lock()
        done.acquire()

        def end(session: Any = session, raised: Any = raised, done: Any = done) -> None:
            try:
                session.close()
            except BaseException as error:
                raised.append(type(error))
            done.release()

        start_new_thread(end, ())
        done.acquire()
        assert raised == expected


def test_what_asks_in_the_middle_of_reading_an_event_fails_the_replay(tape: Path) -> None:
    """A finaliser that ran there had its error swallowed by the interpreter; the end of the session still knows."""
    with testbench.record(tape):
        ask(1)
        time.time()
    for call in (lambda: ask(1), time.time):
        with pytest.raises(testbench.UsageError, match="finaliser"), testbench.replay(tape) as session:
            lane = session._run.mode.lanes.main  # type: ignore[union-attr]  # as if an event were being read
            lane.depth = 1
            with contextlib.suppress(testbench.UsageError):
                call()
            lane.depth = 0
            with contextlib.suppress(testbench.UsageError):
                ask(1)
                time.time()


def test_once_records_the_first_time_and_replays_after(tape: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mode once needs no thought: record when there is no tape, else replay; under CI a missing tape is an error."""
    monkeypatch.delenv("CI", raising=False)
    for expected in ("record", "replay"):
        with testbench.session(tape, "once") as session:
            assert session.mode == expected
            ask(1)
    assert LOG == ["ask 1"]
    monkeypatch.setenv("CI", "1")
    with (
        pytest.raises(testbench.TapeNotFoundError, match="record"),
        testbench.session(tape.with_name("no.tape"), "once"),
    ):
        pass
    with testbench.session(tape, "off") as session:
        assert (session.mode, ask(5)) == ("off", 5)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"clock": "fast"}, "expected one of real, paused"),
        ({"start": 5}, 'only with clock="paused"'),
        ({"clock": "paused", "start": "2026-01-01"}, "time zone"),
        ({"clock": "paused", "start": "yesterday"}, "ISO 8601"),
        ({"recorders": ["clocks"]}, "clocks"),
        ({"recorders": ["clock", "clock"]}, "two recorders"),
        ({"recorders": [object()]}, "is no recorder"),
        ({"leaks": "maybe"}, "expected one of ignore, warn, fail"),
        ({"stall_s": "long"}, "number of seconds"),
        ({"stall_s": 0}, "number of seconds"),
    ],
)
def test_a_wrong_option_is_refused_before_anything_happens(options: dict[str, Any], text: str, tape: Path) -> None:
    """Bad options are usage errors that name what was expected; no file appears."""
    with pytest.raises(testbench.UsageError, match=text), testbench.record(tape, **options):
        pass
    assert list(tape.parent.iterdir()) == []


def test_the_recorders_of_a_session_are_its_attributes(tape: Path) -> None:
    """A host that wants no patched function calls the recorder's own methods: the second door to the same room."""
    with testbench.record(tape) as session:
        seen = session.clock.now_ns()
        with pytest.raises(AttributeError, match="clock"):
            _ = session.nothing
    with testbench.replay(tape) as session:
        assert session.clock.now_ns() == seen


def test_callbacks_of_the_collector_do_not_read_the_tape(tape: Path) -> None:
    """Tools that time collections are not part of the program, and come back after the session."""
    calls: list[float] = []

    def callback(*_: Any) -> None:
        calls.append(time.perf_counter())

    gc.callbacks.append(callback)
    try:
        with testbench.record(tape):
            time.perf_counter()
            gc.collect()
        assert calls == []
        gc.collect()
        assert len(calls) == 2
    finally:
        gc.callbacks.remove(callback)
    assert [len(event.values or ()) for event in events(tape)] == [1]


def test_names_of_lanes_stay_short_over_many_generations(tape: Path) -> None:
    """Threads that start threads without end, as timers do, have names that repeat and do not grow without bound."""

    def chain(left: int) -> None:
        ask(left)
        if left:
            thread = threading.Thread(target=chain, args=(left - 1,))
            thread.start()
            thread.join()

    with testbench.record(tape):
        chain(60)
    with testbench.replay(tape):
        chain(60)
    with testbench.open_tape(tape) as opened:
        names = opened.lanes
    assert len(set(names)) == 61
    assert names[:3] == ("main", "main.1", "main.1.1")
    assert max(map(len, names)) < 50


def test_a_thread_that_a_marked_call_starts_belongs_to_that_call(tape: Path) -> None:
    """A replay does not run the call, so nothing that its threads do may be on the tape."""
    with testbench.record(tape):
        recorded = ask_in_thread("x"), time.time()
    with testbench.replay(tape):
        assert (ask_in_thread("x"), time.time()) == recorded
    assert [event.kind for event in events(tape)] == ["call", "clock"]


def test_the_program_gets_the_descriptors_it_would_get_without_us(tape: Path) -> None:
    """Numbers of files are the program's to see; ours are out of their way."""
    with open(os.devnull) as file:
        expected = file.fileno()
    for opened in (testbench.record(tape), testbench.replay(tape)):
        with opened, open(os.devnull) as file:
            assert file.fileno() == expected
