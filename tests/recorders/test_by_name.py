"""Recording and replaying with interception by name: what follows comes out the same, what does not is told."""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
import threading
import time
import uuid
import warnings
from pathlib import Path
from typing import Any

import pytest

import testbench
from testbench.errors import ExhaustedError, LeftoverError, RecordingError, UnsupportedError, UsageError
from testbench.inplace import _selftest

early = time.time_ns
METHODS = {"datetime.datetime.now", "datetime.datetime.utcnow"}


def program() -> list[Any]:
    """Ask for everything that the standard library gives under a name, more than once where a name is kept."""
    seen: list[Any] = [time.time(), time.monotonic_ns(), time.strftime("%s"), tuple(time.localtime())]
    time.sleep(0.001)
    for _ in range(2):
        seen.append(subprocess.run(["sh", "-c", "echo $$; echo err >&2; exit 3"], capture_output=True, timeout=60))
    seen.append(os.system("exit 4"))
    with os.popen("date +%N") as stream:
        seen.append(stream.read())
    with subprocess.Popen(["sh", "-c", "read line; echo $line $$"], stdin=-1, stdout=-1, text=True) as child:
        seen.append(child.communicate("hello"))
    seen.append(pipe_of_its_own())
    seen.append(str(uuid.uuid1()))
    thread = threading.Thread(target=lambda: seen.append(time.perf_counter()))
    thread.start()
    thread.join()
    seen.append(datetime.date.today())
    return [*seen, time.time()]


def pipe_of_its_own() -> bytes:
    """Return what a child writes to a pipe that the program has made."""
    read_end, write_end = os.pipe()
    with subprocess.Popen(["sh", "-c", "echo $$"], stdout=write_end):
        os.close(write_end)
        said = os.read(read_end, 100)
    os.close(read_end)
    return said


def record(tape: Path, run: Any = program, **options: Any) -> Any:
    """Record by name."""
    with testbench.record(tape, interception="name", leaks="ignore", **options):
        return run()


def replay(ways: Any, tape: str = "run.tape", run: Any = program, how: str = "name") -> Any:
    """Replay where no process can be started."""
    ways.tape = ways.tape.with_name(tape)
    ways.options = {"interception": how, "leaks": "ignore"}
    came, seen = ways.replay(lambda place: run())
    assert came == "returned"
    return seen


def as_text(seen: list[Any]) -> list[str]:
    """Return outcomes in a form that can be compared."""
    return list(map(repr, seen))


@pytest.mark.parametrize("how", ["name", "in-place"])
def test_what_goes_through_names_is_replayed(ways, how):
    """A program that looks its functions up gets the same by name, and in place from the same tape."""
    recorded = record(ways.tape)
    assert as_text(replay(ways, how=how)) == as_text(recorded)


def test_a_tape_recorded_in_place_is_replayed_by_name(ways):
    """The tape is of one kind, whichever way it was made."""
    with testbench.record(ways.tape, leaks="ignore"):
        recorded = program()
    assert as_text(replay(ways)) == as_text(recorded)


def test_rerecording_is_identical(tmp_path):
    """What is replayed by name and written again is the same to the last byte."""
    first, again = tmp_path / "a.tape", tmp_path / "b.tape"
    record(first)
    with testbench.replay(first, rerecord=again, interception="name", leaks="ignore"):
        program()
    assert first.read_bytes() == again.read_bytes()


def test_everything_is_put_back(tmp_path):
    """After a session all modules hold what they held, also when the block raised."""
    modules = [module for name, module in sys.modules.items() if name.partition(".")[0] in sys.stdlib_module_names]
    before = [dict(vars(module)) for module in modules]
    with pytest.raises(ZeroDivisionError):
        record(tmp_path / "a.tape", lambda: 1 / 0)
    for module, stock in zip(modules, before, strict=True):
        assert [name for name, value in stock.items() if vars(module).get(name) is not value] == []


def test_an_early_import_is_not_followed(tmp_path):
    """A name bound before the session gets the real time, and the session names it, on record and replay."""
    told = f"{__name__}.early, a name bound before the session, which interception by name does not follow"
    with testbench.record(tmp_path / "a.tape", interception="name", leaks="ignore") as session:
        recorded = early()
    assert told in [leak.where for leak in session.leaks if leak.name == "time.time_ns"]
    with testbench.replay(tmp_path / "a.tape", interception="name", leaks="ignore") as session:
        assert early() > recorded
    assert told in [leak.where for leak in session.leaks if leak.name == "time.time_ns"]


def test_the_difference_of_the_ways_is_a_divergence(ways):
    """A program whose reads do not all go through names diverges when the way changes, in either direction."""
    record(ways.tape.with_name("name.tape"), early)
    with pytest.raises(ExhaustedError):
        replay(ways, "name.tape", early, how="in-place")
    with testbench.record(ways.tape.with_name("place.tape")):
        early()
    with pytest.raises(LeftoverError):
        replay(ways, "place.tape", early)


def test_methods_in_c_are_told(tmp_path):
    """The end of the session warns of each method that was not followed, on record and replay."""
    for session in (testbench.record, testbench.replay):
        clock = session(tmp_path / "a.tape", interception="name", recorders=["clock"])
        with pytest.warns(testbench.LeakWarning, match=r"datetime\.datetime\.now at any line: a method"), clock:
            assert isinstance(datetime.datetime.now(), datetime.datetime)
        assert {leak.name for leak in clock.leaks} >= METHODS


def test_who_wants_none_missed_is_heard(tmp_path):
    """With leaks="fail" a session by name fails, and says what it did not follow."""
    session = testbench.record(tmp_path / "a.tape", interception="name", leaks="fail")
    with pytest.raises(RecordingError, match=r"datetime\.datetime\.now at any line"), session:
        pass


def clocks() -> list[Any]:
    """Read clocks before, in, and after a thread: from then on they are read in another way."""
    seen = [time.time(), time.monotonic()]
    thread = threading.Thread(target=lambda: seen.append(time.time()))
    thread.start()
    thread.join()
    return [*seen, time.time(), time.monotonic()]


@pytest.mark.parametrize("how", ["name", "in-place"])
def test_sessions_nest_across_a_thread(ways, how):
    """Two sessions both have everything, also what is read after a thread has changed how clocks are read."""
    tapes = "outer.tape", "inner.tape"
    outer, inner = (testbench.record(ways.tape.with_name(name), interception=how, leaks="ignore") for name in tapes)
    with outer, inner:
        recorded = clocks()
    assert [replay(ways, name, clocks, how=how) for name in tapes] == [recorded] * 2


def test_ways_do_not_nest_in_each_other(tmp_path):
    """A session of the other way is refused inside; no tape of it is left, and the outer one goes on."""
    with testbench.record(tmp_path / "outer.tape", leaks="ignore"):
        with pytest.raises(UsageError, match="Declare the same for both"):
            record(tmp_path / "inner.tape")
        recorded = time.time()
    assert not (tmp_path / "inner.tape").exists()
    with testbench.replay(tmp_path / "outer.tape"):
        assert time.time() == recorded


def test_options_are_checked():
    """An unknown way is refused by name, and a paused clock, which by name could wait for ever, in words."""
    with pytest.raises(UsageError, match="interception='magic' is unknown; expected one of in-place, name"):
        testbench.Testbench(interception="magic")
    with pytest.raises(UsageError, match='clock="paused" needs interception="in-place"'):
        testbench.Testbench(interception="name", clock="paused")


def test_where_in_place_cannot_be_the_error_tells_of_it(tmp_path, monkeypatch):
    """An interpreter that fails the check is refused; the text says what to pass, and what that gives up."""
    monkeypatch.setattr(_selftest, "other_layout", lambda: "a builtin has another layout")
    _selftest._reason.cache_clear()
    try:
        with pytest.raises(UnsupportedError) as refused, testbench.record(tmp_path / "a.tape"):
            pytest.fail("recorded")
        with testbench.record(tmp_path / "a.tape", interception="name", leaks="ignore"):
            recorded = program()
        with testbench.replay(tmp_path / "a.tape", interception="name", leaks="ignore"):
            assert as_text(program()) == as_text(recorded)
    finally:
        _selftest._reason.cache_clear()
    for told in ("another layout", 'pass interception="name"', "--interception name", "from time import time"):
        assert told in str(refused.value)


WITHOUT = """\
import runpy
import sys
from testbench.inplace import _selftest
_selftest.other_layout = lambda: "a builtin has another layout"
import time
from testbench.inplace import real
assert real.time_ns is time.time_ns
import testbench
program = runpy.run_path(sys.argv[3])["program"]
with getattr(testbench, sys.argv[1])(sys.argv[2], interception="name", leaks="ignore"):
    seen = program()
assert time.time_ns is real.time_ns
print(seen)
"""


def test_an_interpreter_that_never_could_works_by_name(tmp_path):
    """Where not even our own functions could be made private, a process records by name and another replays."""
    answers = []
    for verb in ("record", "replay"):
        command = [sys.executable, "-c", WITHOUT, verb, tmp_path / "a.tape", __file__]
        done = subprocess.run(command, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        answers.append(done.stdout)
    assert answers[0] == answers[1]


SCRIPT = "from time import time\nimport subprocess\nprint(time(), subprocess.run(['date', '+%N'], stdout=-1).stdout)\n"


def test_on_the_command_line(tmp_path):
    """The option is one of record and replay; what the program itself imports is imported inside, and follows."""
    (tmp_path / "script.py").write_text(SCRIPT)
    answers = []
    for words in (["record", "-o", "a.tape"], ["replay", "a.tape"]):
        command = [sys.executable, "-m", "testbench", words[0], "--interception", "name", *words[1:]]
        done = subprocess.run(
            [*command, "--", sys.executable, "script.py"], capture_output=True, text=True, cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
        assert "datetime.datetime.now at any line" in done.stderr
        answers.append(done.stdout)
    assert answers[0] == answers[1]


def test_nothing_is_declared_by_itself(tmp_path):
    """In place is the default, and misses nothing."""
    assert testbench.Testbench().interception == "in-place"
    with warnings.catch_warnings(), testbench.record(tmp_path / "a.tape") as session:
        early()
    assert session.leaks == []
