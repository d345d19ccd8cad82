"""Tests of what changed between two tapes."""

import random
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbench.errors import TapeDamagedError, TapeNotFoundError
from testbench.tape import _align
from testbench.tape._align import align
from testbench.tape._diff import diff
from testbench.tape._event import Raised, Returned
from testbench.tape._side import Side


def actions(changes):
    """Show changes by what they did, and to which position on each side."""
    return [(c.action, c.left and c.left.seq, c.right and c.right.seq) for c in changes]


def test_a_tape_does_not_differ_from_itself(write_tape):
    """Nothing changed, and nothing is given."""
    tape = write_tape("a.tape")

    assert list(diff(tape, tape)) == []
    assert actions(diff(tape, tape, same=True)) == [("same", seq, seq) for seq in range(5)]


def test_an_event_in_the_middle_is_one_change(write_tape, numbers):
    """What follows an insertion is not different for it."""
    before, after = (
        write_tape("a.tape", numbers(*range(600))),
        write_tape("b.tape", numbers(*range(300), -1, *range(300, 600))),
    )

    assert actions(diff(before, after)) == [("added", None, 300)]
    assert actions(diff(after, before)) == [("removed", 300, None)]


def test_another_answer_is_a_change_of_that_field(write_tape, numbers):
    """The change names the field and gives both values."""
    before = write_tape("a.tape", numbers(1, 2, say=lambda n: {"n": n, "ok": True}))
    after = write_tape("b.tape", numbers(1, 2, say=lambda n: {"n": n, "ok": n == 1}))

    (change,) = diff(before, after)

    assert (change.action, change.fields) == ("changed", (("outcome.ok", True, False),))


def test_another_request_in_the_same_place_is_a_change(write_tape, numbers):
    """What asks in the same place is paired, so that a changed argument does not read as two events."""
    (change,) = diff(write_tape("a.tape", numbers(1, 2, 3)), write_tape("b.tape", numbers(1, 7, 3)))

    assert (change.action, change.left.seq, change.right.seq) == ("changed", 1, 1)
    assert change.fields == (("request", 2, 7), ("outcome", "2", "7"))


def test_time_counts_only_when_it_is_asked_for(write_tape, numbers):
    """Two recordings of the same program take different times and are the same."""

    def slower(writer):
        ask = writer.kind("call.ask", ["", "took_ns", "outcome"])
        writer.event([ask, 7000, 0, writer.call_body([1, 99], Returned("1"))])

    before, after = write_tape("a.tape", numbers(1)), write_tape("b.tape", slower)

    assert list(diff(before, after)) == []
    (change,) = diff(before, after, timing=True)
    assert change.fields == (("at_ns", 1000, 7000), ("took_ns", 1, 99))


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, True), (0, -0.0), (0.0, -0.0), ("a", b"a"), ({"a": 1, "b": 2}, {"b": 2, "a": 1}), ([], {}), (None, False)],
)
def test_values_are_compared_to_the_bit(write_tape, numbers, one, other):
    """What Python calls equal can be told apart by a program, and is."""
    before, after = (write_tape(name, numbers(1, say=lambda _, v=v: v)) for name, v in (("a", one), ("b", other)))

    (change,) = diff(before, after)
    assert change.action == "changed"


def test_a_nan_is_no_change(write_tape, numbers):
    """The same bits are the same, although a NaN does not equal itself."""
    before, after = (write_tape(name, numbers(1, say=lambda _: float("nan"))) for name in "ab")

    assert list(diff(before, after)) == []


def test_raising_is_not_returning_the_same_thing(write_tape):
    """How an outcome came about is part of it."""

    def build(outcome):
        def fill(writer):
            ask = writer.kind("call.ask", ["", "took_ns", "outcome"])
            writer.event([ask, 1, 0, writer.call_body([1, 1], outcome)])

        return fill

    look = {"raised": "E", "args": [], "state": {}}
    (change,) = diff(write_tape("a.tape", build(Raised("E"))), write_tape("b.tape", build(Returned(look))))

    assert change.fields == (("outcome", look, {"returned": look}),)


def test_kinds_can_be_left_out(write_tape, numbers):
    """A kind, or one operation of it, is skipped on both sides."""

    def with_clock(writer):
        writer.event([writer.kind("clock.time", ["values"]), 1, 0, writer.run_body([1.0])])
        numbers(1, 2)(writer)

    before, after = write_tape("a.tape", with_clock), write_tape("b.tape", numbers(1, 2))

    assert actions(diff(before, after)) == [("removed", 0, None)]
    assert list(diff(before, after, ignore=["clock"])) == list(diff(before, after, ignore=["clock.time"])) == []
    assert actions(diff(before, after, ignore=["clock"], same=True)) == [("same", 1, 0), ("same", 2, 1)]


def test_lanes_and_kinds_are_compared_by_name(write_tape):
    """Numbers are private to a tape; another order of first use is no change of what is said."""

    def build(first, second):
        def fill(writer):
            for name in (first, second):
                writer.kind(name, ["", "took_ns", "outcome"])
            ask = writer.kind("call.ask", ["", "took_ns", "outcome"])
            writer.event([ask, 1, 0, writer.call_body([1, 1], Returned(None))])

        return fill

    before, after = write_tape("a.tape", build("call.ask", "call.b")), write_tape("b.tape", build("call.b", "call.ask"))
    assert list(diff(before, after)) == []


def test_fields_are_compared_by_name(write_tape):
    """The same value asked for under another name is another request."""

    def build(field):
        def fill(writer):
            ask = writer.kind("call.ask", [field, "took_ns", "outcome"])
            writer.event([ask, 1, 0, writer.call_body([1, 1], Returned(None))])

        return fill

    (change,) = diff(write_tape("a.tape", build("path")), write_tape("b.tape", build("name")))

    assert change.fields == (("request", {"path": 1}, {"name": 1}),)


def test_what_is_the_same_at_both_ends_is_not_compared(write_tape, numbers, monkeypatch):
    """Segments under equal seals are skipped, and the events between keep their positions and times."""
    before = write_tape("a.tape", numbers(*range(256 * 6)))
    after = write_tape("b.tape", numbers(*range(256 * 2), -1, *range(256 * 2 + 1, 256 * 6)))
    seen = []
    number = Side.number
    monkeypatch.setattr(Side, "number", lambda side, numbers: (number(side, numbers), seen.append(len(side.slots))))

    (change,) = diff(before, after)
    whole = list(diff(before, after, same=True))

    assert seen == [256, 256, 256 * 6, 256 * 6]
    assert change == whole[512]
    assert (change.left.seq, change.left.at_ns) == (512, 513_000)


def test_equal_bytes_of_other_kinds_are_not_the_same(write_tape):
    """A seal proves bytes; what the numbers in them mean is each tape's own."""

    def build(name):
        def fill(writer):
            ask = writer.kind(name, ["", "took_ns", "outcome"])
            for _ in range(256):
                writer.event([ask, 1, 0, writer.call_body([1, 1], Returned(None))])

        return fill

    before, after = write_tape("a.tape", build("call.one")), write_tape("b.tape", build("call.two"))

    assert {change.action for change in diff(before, after)} == {"added", "removed"}


def test_memory_follows_the_requests_and_not_the_answers(write_tape, numbers):
    """Two long tapes that differ everywhere are compared in the memory that the module promises."""
    count = 5000
    before = write_tape("a.tape", numbers(*range(count), say=lambda n: b"a" * 900))
    after = write_tape("b.tape", numbers(*range(count), say=lambda n: b"b" * 900))

    tracemalloc.start()
    try:
        changes = sum(1 for _ in diff(before, after))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert changes == count
    assert peak < count * 250 + (8 << 20)


def test_a_change_is_readable(write_tape, numbers):
    """The text marks what happened and shows both sides of each field, one line each."""
    (change,) = diff(write_tape("a.tape", numbers(1)), write_tape("b.tape", numbers(2)))

    lines = str(change).splitlines()
    assert lines[0].startswith("~ ")
    assert "call.ask" in lines[0]
    assert [line.strip() for line in lines[1:]] == ["request", "- 1", "+ 2", "outcome", "- '1'", "+ '2'"]


def test_heavy_bodies_are_compared_by_what_they_hold(write_tape, numbers):
    """An event whose body stands in a blob of its own is an event like any other."""
    before = write_tape("a.tape", numbers(1, say=lambda _: ["x" * 1000] * 9))
    after = write_tape("b.tape", numbers(1, say=lambda _: ["x" * 1000] * 8 + ["y" * 1000]))

    assert list(diff(before, before)) == []
    assert actions(diff(before, after)) == [("changed", 0, 0)]


def test_an_incomplete_tape_can_be_compared(write_tape, numbers):
    """What a killed recording left is compared with a whole one, event by event."""
    cut = write_tape("a.tape", numbers(1, 2), close=False)

    assert actions(diff(cut, write_tape("b.tape", numbers(1, 2, 3)))) == [("added", None, 2)]


def test_a_tape_that_is_not_there_is_said_at_once(write_tape, tmp_path):
    """The error comes from the call, not from the first change."""
    with pytest.raises(TapeNotFoundError):
        diff(write_tape("a.tape"), tmp_path / "none.tape")


def test_damage_ends_a_diff_with_an_error(write_tape, numbers):
    """A damaged tape is never reported as a changed one."""
    tape, whole = write_tape("a.tape", numbers(*range(20))), write_tape("b.tape", numbers(*range(20)))
    data = bytearray(tape.read_bytes())
    data[len(data) // 2 - 100] ^= 1
    tape.write_bytes(data)

    with pytest.raises(TapeDamagedError, match=r"a\.tape is damaged at byte"):
        list(diff(tape, whole))


def test_an_event_of_another_shape_ends_a_diff_with_an_error(write_tape):
    """A body that does not have the fields of its kind is damage, not a change."""

    def build(writer):
        ask = writer.kind("call.ask", ["", "took_ns", "outcome"])
        writer.event([ask, 0, 0, [1, 2]])

    with pytest.raises(TapeDamagedError, match=r"a\.tape holds a damaged event.*testbench check"):
        list(diff(write_tape("a.tape", build), write_tape("b.tape")))


SEQUENCES = st.lists(st.integers(0, 4), max_size=60) | st.lists(st.integers(0, 40), max_size=60)


@given(SEQUENCES, SEQUENCES, st.sampled_from([2, 5, 64]))
def test_blocks_are_equal_and_in_order(left, right, edits):
    """Whatever is aligned is equal on both sides, and nothing is aligned twice or out of order."""
    kept, _align.EDITS = _align.EDITS, edits
    try:
        blocks = align(left, right)
    finally:
        _align.EDITS = kept
    a = b = 0
    for x, y, size in blocks:
        assert x >= a
        assert y >= b
        assert size
        assert left[x : x + size] == right[y : y + size]
        a, b = x + size, y + size


@given(st.lists(st.integers(0, 3)), st.data())
def test_an_insertion_is_found_whatever_repeats(left, data):
    """One element more on one side leaves all others aligned."""
    at = data.draw(st.integers(0, len(left)))
    right = [*left[:at], data.draw(st.integers(0, 3)), *left[at:]]

    assert sum(size for *_, size in align(left, right)) == len(left)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ([1] * 20_000 + [2] * 20_000, [2] * 20_000 + [1] * 20_000),
        ([0, 1] * 15_000, [1, 1, 0] * 10_000),
        (range(30_000), range(-30_000, 0)),
        (random.Random(1).choices(range(3), k=10_000), random.Random(2).choices(range(3), k=10_000)),
    ],
    ids=["swapped", "out of step", "nothing in common", "noise"],
)
def test_long_repetitive_sequences_stay_cheap(left, right):
    """Where nothing is unique the search is bounded: the number of its steps grows with the length, not its square."""
    steps = 0
    step = _align._step

    def counted(*given):
        nonlocal steps
        steps += 1
        return step(*given)

    _align._step = counted
    try:
        align(left, right)
    finally:
        _align._step = step
    assert steps <= 2 * _align.EDITS * (len(left) + len(right))
