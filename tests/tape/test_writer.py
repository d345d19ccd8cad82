"""Tests of writing: the bytes of a tape depend on its events alone, and a writer that cannot go on says so."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbench.errors import RecordingError, TapeWriteError, UsageError
from testbench.tape import Raised, Reader, Returned, Writer
from testbench.tape._codec import Tag
from testbench.tape._items import MAX_SEGMENT_SIZE, RUN_VALUES, SEGMENT_EVENTS, TAG_F64, TAG_I64, TAG_VALUE

CALL = ["argv", "took_ns", "outcome"]

NUMBERS = st.lists(st.integers(-(2**70), 2**70), min_size=1, max_size=9) | st.lists(st.floats(), min_size=1, max_size=9)
RUNS = (
    NUMBERS
    | st.integers(500, 1100).map(lambda size: list(range(size)))
    | st.sampled_from([[1, 2.5, "text", None], ["x" * 1500, 2, "y" * 1500]])
)
TEXTS = st.integers(0, 4).map(lambda n: "x" * (n * 700))
STEPS = st.one_of(
    st.tuples(st.just("run"), RUNS),
    st.tuples(st.just("call"), st.lists(TEXTS, max_size=8)),
    st.tuples(st.just("many"), st.integers(1, 300)),
    st.tuples(st.just("kind"), st.sampled_from("abc")),
)


@pytest.fixture
def fd(tmp_path):
    """Give a new file, open for writing."""
    number = os.open(tmp_path / "run.tape", os.O_RDWR | os.O_CREAT)
    yield number
    os.close(number)


def perform(writer, step, flush):
    """Append what a step says; call ``flush`` at every moment at which a recording could."""
    what, value = step
    clock, call = writer.kind("clock.time", ["values"]), writer.kind("process.spawn", CALL)
    if what == "run":
        for size in range(0, len(value), 1 + len(value) // 4):
            if size:
                flush([clock, 5, 0, writer.run_body(value[:size])])
        writer.event([clock, 5, 0, writer.run_body(value)])
    elif what == "call":
        writer.event([call, 5, 0, writer.call_body([value, 7], Returned(len(value)))])
    elif what == "many":
        for number in range(value):
            writer.event([call, number, 0, [["ls"], number, 0]])
            if number % 70 == 0:
                flush(None)
    else:
        writer.kind(f"call.{value}", ["", "took_ns", "outcome"])
    flush(None)


def written(path: Path, steps, flushes):
    """Write a tape; ``flushes`` says at which of the possible moments it is flushed."""
    moments = iter(flushes)
    with path.open("wb") as file:
        writer = Writer(file.fileno(), {"host": "here"})
        for step in steps:
            perform(writer, step, lambda run: writer.flush(run) if next(moments, False) else None)
        writer.close()
    return path.read_bytes()


@given(st.lists(STEPS, max_size=8), st.lists(st.booleans(), max_size=40))
def test_the_bytes_never_depend_on_when_it_was_flushed(tmp_path_factory, steps, flushes):
    """The same events give the same file, whether flushed never, always, or at any moments in between."""
    path = tmp_path_factory.mktemp("flush") / "run.tape"

    assert written(path, steps, flushes) == written(path, steps, []) == written(path, steps, [True] * 1000)


def test_a_segment_ends_at_256_events_before_a_new_blob_and_before_a_new_kind(fd, tmp_path):
    """Segments end where content says, and at a blob or kind only if it is new."""
    writer = Writer(fd, {})
    kind = writer.kind("a.b", ["x"])
    for number in range(SEGMENT_EVENTS + 10):
        writer.event([kind, 0, 0, number])
    writer.blob(b"new")
    writer.event([kind, 0, 0, 1])
    writer.blob(b"new")
    writer.event([kind, 0, 0, 2])
    writer.kind("a.c", ["x"])
    writer.event([kind, 0, 0, 3])
    writer.kind("a.c", ["x"])
    writer.event([kind, 0, 0, 4])
    writer.close()

    with Reader.open(tmp_path / "run.tape") as reader:
        assert [reader.seal(n).count for n in range(reader.segment_count)] == [SEGMENT_EVENTS, 10, 2, 2]


def test_kinds_are_numbered_in_order_of_first_use(fd):
    """The same name and fields are the same kind; another name or other fields are another."""
    writer = Writer(fd, {})

    assert [writer.kind("a.b", ["x"]), writer.kind("a.c", ["x"]), writer.kind("a.b", ["y"])] == [1, 2, 3]
    assert [writer.kind("a.b", ("x",)), writer.kind("a.c", ["x"])] == [1, 2]


def test_a_payload_is_written_once(fd, tmp_path):
    """The same bytes have the same digest and stand on the tape once."""
    writer = Writer(fd, {})
    digests = {writer.blob(b"x" * 5000) for _ in range(50)}
    writer.close()

    assert len(digests) == 1
    assert (tmp_path / "run.tape").stat().st_size < 6000


def test_heavy_bodies_leave_their_segment(fd):
    """A body above 4 KiB becomes one blob, so that a segment stays near one megabyte."""
    writer = Writer(fd, {})
    light = writer.call_body([["x" * 1000] * 3, 1], Returned(None))
    heavy = writer.call_body([["x" * 1000] * 5, 1], Returned(None))

    assert type(light) is list
    assert type(heavy) is Tag
    assert heavy.tag == TAG_VALUE


@pytest.mark.parametrize(
    ("values", "tag"),
    [
        ([1.0, -0.0], TAG_F64),
        ([1, -(2**63), 2**63 - 1], TAG_I64),
        ([1, 2**63], None),
        ([1, 2.0], None),
        ([True, False], None),
        ([None, "x"], None),
        ([], None),
    ],
)
def test_runs_of_numbers_are_typed_arrays(fd, values, tag):
    """Floats alone and 64-bit integers alone are packed; anything else is a plain array."""
    body = Writer(fd, {}).run_body(values)

    assert (body.tag if type(body) is Tag else None) == tag


def test_segments_stay_small_whatever_is_in_them(fd, tmp_path):
    """The heaviest events that a writer leaves in a segment do not make it larger than a reader accepts."""
    writer = Writer(fd, {})
    call, run = writer.kind("a.b", CALL), writer.kind("a.c", ["values"])
    for number in range(600):
        if number % 20 == 0:
            writer.event([run, 0, 0, writer.run_body([number + 0.5] * RUN_VALUES)])
            writer.event([run, 0, 0, writer.run_body(["x" * 60] * RUN_VALUES)])
        writer.event([run, 0, 0, writer.run_body([number, 0.5] * 256)])
        writer.event([call, 0, 0, writer.call_body([["x" * 1000] * 4, 1], Returned(number))])
    writer.close()

    with Reader.open(tmp_path / "run.tape") as reader:
        assert sum(1 for _ in reader.events()) == 1260
        assert max(reader.seal(n).size for n in range(reader.segment_count)) < MAX_SEGMENT_SIZE


def test_what_no_tape_can_hold_is_refused_and_the_tape_goes_on(fd, tmp_path):
    """Values that are not plain, too large or too deep are the caller's mistake; what was recorded stays good."""
    writer = Writer(fd, {})
    kind = writer.kind("a.b", CALL)
    writer.event([kind, 0, 0, writer.call_body(["before", 1], Returned(1))])
    deep = []
    for _ in range(70):
        deep = [deep]

    for value in ((1, 2), deep, ["x" * 1000] * 5000, {1: 2}):
        with pytest.raises(UsageError):
            writer.call_body([value, 1], Returned(None))
    with pytest.raises(UsageError, match=r"at most 4096 values, not 4097.*begin a new event"):
        writer.run_body([1] * (RUN_VALUES + 1))
    with pytest.raises(UsageError, match="lone surrogates"):
        writer.kind("a.\udc80", [])
    with pytest.raises(UsageError, match="named by text"):
        writer.kind("a.b", [1])
    with pytest.raises(UsageError, match="Shorten"):
        writer.kind("a.b", ["x" * 100_000])

    writer.event([kind, 0, 0, writer.call_body(["after", 1], Returned(1))])
    writer.close()
    with Reader.open(tmp_path / "run.tape") as reader:
        assert [event[3][0] for event in reader.events()] == ["before", "after"]


def test_more_kinds_than_a_tape_can_name_are_refused(fd):
    """A request whose keys vary without end is a mistake, and found before it fills the tape with names."""
    writer = Writer(fd, {})

    with pytest.raises(UsageError, match=r"what varies belongs in a value"):
        for number in range(100_000):
            writer.kind(f"call.{number}", ["x" * 1000])


def test_meta_that_does_not_fit_is_refused(fd):
    """Meta is plain and small; a long value in it is kept like any payload."""
    with pytest.raises(UsageError, match="tuple"):
        Writer(fd, {"a": (1, 2)})
    with pytest.raises(UsageError, match="above the 1048576 of a header"):
        Writer(fd, {str(n): "x" * 1000 for n in range(2000)})


def test_flushing_ahead_of_time_is_written_over(fd, tmp_path):
    """A run flushed while it is open is in the file, and gone from it once the run is closed."""
    writer = Writer(fd, {})
    clock = writer.kind("clock.time", ["values"])
    writer.event([clock, 1, 0, writer.run_body([1, 2])])
    writer.flush([clock, 2, 0, writer.run_body([3, 4, 5])])
    with Reader.open(tmp_path / "run.tape") as reader:
        assert [list(reader.run_values(event[3])) for event in reader.events()] == [[1, 2], [3, 4, 5]]
    writer.event([clock, 2, 0, writer.run_body([3, 4, 5.5])])  # shorter on the tape than what stands there
    writer.flush()
    with Reader.open(tmp_path / "run.tape") as reader:
        assert [list(reader.run_values(event[3])) for event in reader.events()] == [[1, 2], [3, 4, 5.5]]
        assert [finding.code for finding in reader.damage] == ["incomplete"]


def test_a_writer_knows_whether_there_is_anything_to_flush(fd):
    """`unflushed` is true from the first event to the next flush."""
    writer = Writer(fd, {})
    assert writer.unflushed
    writer.flush()
    assert not writer.unflushed
    writer.event([writer.kind("a.b", ["x"]), 0, 0, 1])
    assert writer.unflushed
    writer.flush()
    assert not writer.unflushed


def test_closing_twice_does_nothing_and_nothing_can_follow(fd, tmp_path):
    """A finished tape stays as it is."""
    writer = Writer(fd, {})
    writer.close()
    size = (tmp_path / "run.tape").stat().st_size
    writer.close()

    for use in uses(writer):
        with pytest.raises(RecordingError, match="finished already"):
            use()
    assert (tmp_path / "run.tape").stat().st_size == size


def uses(writer):
    """Give every way to go on with a writer, but closing it."""
    return (
        lambda: writer.event([0, 0, 1, ["a", 0]]),
        lambda: writer.kind("z.z", ["x"]),
        lambda: writer.blob(b"more"),
        lambda: writer.call_body(["x" * 5000, 1], Returned(1)),
        lambda: writer.run_body([1] * 1000),
        writer.flush,
    )


def test_a_full_disk_is_reported_with_its_fix_and_again_each_time():
    """The error names the reason and what to do; every later call raises it, and closing does too."""
    fd = os.open("/dev/full", os.O_WRONLY)
    try:
        writer = Writer(fd, {})
        with pytest.raises(TapeWriteError, match=r"byte 0: No space left on device \(ENOSPC\)\. Free some space"):
            writer.flush()
        for use in (*uses(writer), writer.close):
            with pytest.raises(TapeWriteError, match="ENOSPC"):
                use()
    finally:
        os.close(fd)


def test_a_limit_on_file_sizes_leaves_what_was_written(tmp_path):
    """A disk that fills up in the middle leaves a tape that opens, with a prefix of the events."""
    script = """
import os, resource, signal, sys
from testbench.errors import TapeWriteError
from testbench.tape import Writer
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
writer = Writer(os.open(sys.argv[1], os.O_RDWR | os.O_CREAT), {})
kind = writer.kind("a.b", ["x"])
try:
    for number in range(10**6):
        writer.event([kind, 0, 0, number])
        if number % 100 == 0:
            writer.flush()
except TapeWriteError as error:
    print(error)
"""
    path = tmp_path / "run.tape"
    told = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True).stdout

    assert "File too large (EFBIG). Raise the limit on file sizes" in told
    assert path.stat().st_size == 100_000
    with Reader.open(path) as reader:
        assert [finding.code for finding in reader.damage] == ["incomplete"]
        events = [event[3] for event in reader.events()]
    assert events == list(range(len(events)))
    assert len(events) > 5000


def test_other_write_errors_name_themselves(fd, monkeypatch):
    """An error without a fix of its own is told by its name."""
    writer = Writer(fd, {})
    monkeypatch.setattr(
        "testbench.tape._sink.pwrite", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "Input/output"))
    )

    with pytest.raises(TapeWriteError, match=r"\(EIO\).*another disk, then record again"):
        writer.flush()


def test_a_step_that_is_interrupted_is_the_last_one(fd, monkeypatch):
    """Ctrl-C half way through a seal leaves a writer that refuses, rather than a tape that is wrong."""
    writer = Writer(fd, {})
    kind = writer.kind("a.b", ["x"])
    writer.event([kind, 0, 0, 1])
    with monkeypatch.context() as patch:
        patch.setattr("testbench.tape._writer.encode_sequence", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            writer.flush()

    for use in (*uses(writer), writer.close):
        with pytest.raises(RecordingError, match="cut short by KeyboardInterrupt"):
            use()


def test_a_forked_child_writes_nothing(fd, tmp_path):
    """In a child of fork every call is refused, and the parent's tape is what it would be without it."""
    writer = Writer(fd, {})
    kind = writer.kind("a.b", ["x"])
    writer.event([kind, 0, 0, 1])
    writer.flush()
    writer.event([kind, 0, 0, 2])
    child = os.fork()
    if not child:
        refused = 0
        for use in (*uses(writer), writer.close):
            try:
                use()
            except RecordingError as error:
                refused += "was forked" in str(error) and "subprocess" in str(error)
        os._exit(refused)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    writer.event([kind, 0, 0, 3])
    writer.close()

    with Reader.open(tmp_path / "run.tape") as reader:
        assert [event[3] for event in reader.events()] == [1, 2, 3]


def test_memory_of_a_writer_does_not_grow_with_the_tape(fd):
    """A hundred thousand events leave less than a byte each in memory."""
    writer = Writer(fd, {})
    kind = writer.kind("a.b", ["x"])

    def append(count):
        for number in range(count):
            writer.event([kind, 1, 0, number])

    append(10_000)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        append(100_000)
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert after - before < 400_000
    assert peak - before < 2_000_000


def test_raised_outcomes_are_written_too(fd, tmp_path):
    """An exception that is an outcome comes back with its type, arguments and state."""
    writer = Writer(fd, {})
    kind = writer.kind("a.b", CALL)
    writer.event([kind, 0, 0, writer.call_body(["x", 7], Raised("OSError", [2, "no"], {"errno": 2}))])
    writer.close()

    with Reader.open(tmp_path / "run.tape") as reader:
        (event,) = reader.events()
        assert reader.call_body(event[3], reader.kinds[kind]) == (
            {"argv": "x"},
            7,
            Raised("OSError", [2, "no"], {"errno": 2}),
        )
