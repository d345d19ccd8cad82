"""Tests of what a reader of a tape sees."""

import attrs
import pytest

from testbench.tape._event import Event, Finding, KindRow, Raised, Returned


def test_a_kind_row_knows_its_kind_and_op():
    """A row's name is split at its first dot, so an op may hold dots of its own."""
    row = KindRow(number=3, name="call.shop.prices.fetch", fields=["url", "took_ns", "outcome"])

    assert (row.kind, row.op) == ("call", "shop.prices.fetch")
    assert row.fields == ("url", "took_ns", "outcome")


def test_events_are_frozen():
    """Nobody who reads a tape can change what it says."""
    event = Event(seq=0, lane="main", kind="clock", op="time", at_ns=5)

    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        event.seq = 1


def test_an_event_without_a_call_has_neither_request_nor_outcome():
    """Runs and lane starts leave what belongs to calls empty."""
    event = Event(seq=0, lane="main", kind="clock", op="time", at_ns=5, values=[1, 2])

    assert (event.request, event.outcome, event.took_ns) == (None, None, 0)


def test_outcomes_are_compared_by_value_and_by_sort():
    """Returning a value and raising with it are two different outcomes."""
    assert Returned([1]) == Returned([1])
    assert Returned([]) != Raised("ValueError")
    assert Raised("ValueError") == Raised("ValueError", [], {})


def test_a_finding_is_an_error_unless_it_says_otherwise():
    """What nobody graded counts as the worst."""
    assert Finding("seal-digest", "text").severity == "error"
    assert Finding("seal-digest", "text").offset is None
