from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import testbench
from testbench.tape import Returned, TapeFile, Writer

Calls = list[tuple[str, Any, Any]]
"""Name of the op, what was asked, what came back."""


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    """Write a tape of calls and return its path."""

    def make(name: str, calls: Calls, took_ns: int = 5) -> Path:
        file = TapeFile.create(tmp_path / name)
        writer = Writer(file.fd, {})
        for op, asked, answer in calls:
            if op.startswith("clock."):
                writer.event([writer.kind(op, ["values"]), took_ns, 0, writer.run_body([answer])])
                continue
            number = writer.kind(op, ["", "took_ns", "outcome"])
            writer.event([number, took_ns, 0, writer.call_body([asked, took_ns], Returned(answer))])
        writer.close()
        return file.commit()

    return make


CALLS: Calls = [("call.f", 1, "one"), ("clock.time", None, 1.5), ("call.f", 2, {"pid": 7, "said": "two"})]


def test_a_tape_is_like_itself_in_every_mode(make: Callable[..., Path]) -> None:
    """Nothing differs, and the score is one."""
    path = make("a.tape", CALLS)
    for mode in ("byte", "semantic", "outcome", "phase"):
        report = testbench.fidelity(path, path, mode)
        assert (report.alike, report.score, report.changes) == (True, 1.0, [])
        assert report.total > 0


def test_byte_counts_when_it_happened_and_semantic_does_not(make: Callable[..., Path]) -> None:
    """A slower run is another to the byte and the same by what was said."""
    a, b = make("a.tape", CALLS), make("b.tape", CALLS, took_ns=6)
    assert not testbench.fidelity(a, b, "byte").alike
    assert testbench.fidelity(a, b, "semantic").alike


def test_what_no_two_runs_share_does_not_count(make: Callable[..., Path]) -> None:
    """Readings of the clock and process ids differ, and the runs are alike."""
    other: Calls = [CALLS[0], ("clock.time", None, 99.0), ("call.f", 2, {"pid": 8, "said": "two"})]
    a, b = make("a.tape", CALLS), make("b.tape", other)
    assert testbench.fidelity(a, b, "semantic").alike
    assert len(testbench.fidelity(a, b, "byte").changes) == 2


def test_an_answer_that_differs_counts_but_for_phase(make: Callable[..., Path]) -> None:
    """The field is named with both values; the phases are the same."""
    a, b = make("a.tape", CALLS), make("b.tape", [("call.f", 1, "uno"), *CALLS[1:]])
    report = testbench.fidelity(a, b, "semantic")
    assert [change.fields for change in report.changes] == [(("outcome", "one", "uno"),)]
    assert (report.same, report.total) == (1, 2)
    assert not testbench.fidelity(a, b, "outcome").alike
    assert testbench.fidelity(a, b, "phase").alike


def test_an_event_more_in_the_middle_is_one_difference(make: Callable[..., Path]) -> None:
    """Tapes are aligned, not compared by position."""
    more: Calls = [("call.f", number, number) for number in range(100)]
    a, b = make("a.tape", more), make("b.tape", [*more[:50], ("call.f", -1, None), *more[50:]])
    for mode in ("byte", "semantic", "outcome", "phase"):
        report = testbench.fidelity(a, b, mode)
        assert [change.action for change in report.changes] == ["added"], mode


def test_outcome_does_not_mind_the_order(make: Callable[..., Path]) -> None:
    """What threads did in another order ended the same."""
    a, b = make("a.tape", CALLS), make("b.tape", CALLS[::-1])
    assert testbench.fidelity(a, b, "outcome").alike
    assert not testbench.fidelity(a, b, "semantic").alike


def test_kinds_can_be_left_out(make: Callable[..., Path]) -> None:
    """A kind that is ignored is compared in no mode."""
    a, b = make("a.tape", CALLS), make("b.tape", CALLS[1:2])
    for mode in ("semantic", "outcome", "phase"):
        assert testbench.fidelity(a, b, mode, ignore=["call"]).alike, mode


def test_many_differences_are_counted_and_not_kept(make: Callable[..., Path]) -> None:
    """A report stays readable and small."""
    a = make("a.tape", [("call.f", number, 0) for number in range(1500)])
    b = make("b.tape", [("call.f", number, 1) for number in range(1500)])
    report = testbench.fidelity(a, b)
    assert (len(report.changes), report.cut, report.same) == (1000, 500, 0)
    assert str(report).endswith("... and 500 more differences")


def test_outcome_does_not_mind_in_what_pieces_a_process_was_heard(tmp_path: Path) -> None:
    """Reading byte by byte and reading all at once come to the same process."""

    def talk(size: int) -> bytes:
        with subprocess.Popen(["echo", "hello"], stdout=subprocess.PIPE, bufsize=0) as child:
            assert child.stdout is not None
            return b"".join(iter(lambda: child.stdout.read(size), b""))

    for name, size in (("a.tape", 1), ("b.tape", 3)):
        with testbench.record(tmp_path / name):
            assert talk(size) == b"hello\n"
    assert testbench.fidelity(tmp_path / "a.tape", tmp_path / "b.tape", "outcome").alike
    assert not testbench.fidelity(tmp_path / "a.tape", tmp_path / "b.tape", "semantic").alike


def test_an_unknown_mode_is_named(make: Callable[..., Path]) -> None:
    """The error lists what there is."""
    path = make("a.tape", CALLS)
    with pytest.raises(testbench.UsageError, match="byte, semantic, outcome, phase"):
        testbench.fidelity(path, path, "near")


def test_the_command_prints_the_report_and_tells_by_its_status(make: Callable[..., Path]) -> None:
    """As text and as JSON; 0 for alike, 1 for not."""
    a, b = make("a.tape", CALLS), make("b.tape", CALLS[:2])
    command = [sys.executable, "-m", "testbench", "fidelity", "--json", str(a)]
    same = subprocess.run([*command, str(a)], capture_output=True, text=True)
    assert (same.returncode, json.loads(same.stdout)["alike"]) == (0, True)
    other = subprocess.run([*command, str(b)], capture_output=True, text=True)
    report = json.loads(other.stdout)
    assert (other.returncode, report["alike"], report["same"], report["total"]) == (1, False, 1, 2)
    assert report["changes"][0]["action"] == "removed"


def test_how_often_a_program_looks_does_not_count(make: Callable[..., Path]) -> None:
    """A child that is polled until it has ended is the same child after three looks and after five."""
    a = make("a.tape", [("process.poll", 1, None)] * 3 + [("process.wait", 1, 0)])
    b = make("b.tape", [("process.poll", 1, None)] * 5 + [("process.wait", 1, 0)])
    assert testbench.fidelity(a, b, "semantic").alike
    assert testbench.fidelity(a, b, "phase").alike
    assert not testbench.fidelity(a, b, "byte").alike
