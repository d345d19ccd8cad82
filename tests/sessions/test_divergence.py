from __future__ import annotations

import contextlib
import json
import locale
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import testbench
from testbench.sessions import Divergence


@testbench.boundary
def ask(what: Any, how: str = "kindly") -> Any:
    """Stand for the world."""
    return {"asked": what}


@pytest.fixture
def diverge(tmp_path: Path) -> Callable[[list[Any], list[Any]], Divergence]:
    """Record calls, replay others, and return the report of what came of that."""

    def diverge(recorded: list[Any], live: list[Any]) -> Divergence:
        tape = tmp_path / "a.tape"
        with testbench.record(tape):
            for what in recorded:
                ask(what)
        with pytest.raises(testbench.DivergenceError) as caught, testbench.replay(tape):
            for what in live:
                ask(what)
        report: Divergence = caught.value.report
        assert str(report) == str(caught.value)
        return report

    return diverge


Diverge = Callable[[list[Any], list[Any]], Divergence]


def test_a_report_has_every_part(diverge: Diverge) -> None:
    """Code and reason, place and lane, both requests, neighbours, tape, mode, rule, code line and a command."""
    report = diverge([1, 2, 3, 4, 5, 6, 7], [1, 2, 3, 4, "new"])
    assert (report.code, report.seq, report.total, report.lane) == ("mismatch", 4, 7, "main")
    assert [event.seq for event in report.before] == [1, 2, 3]
    assert [event.seq for event in report.after] == [5, 6]
    assert [name for name, _, _ in report.differences] == ["what"]
    text = str(report)
    for part in ("call 5 of 7, lane main", "test_divergence.py", "mode replay", "recorded order", "testbench show"):
        assert part in text
    assert f"what     recorded 5\n{'':11}live     'new'" in text


def test_it_says_how_many_events_were_skipped(diverge: Diverge) -> None:
    """The same call further on is found, and how far."""
    report = diverge([1, 2, 3, 4, 5], [1, 4])
    assert [(found.event.seq, found.exact) for found in report.candidates] == [(3, True)]
    assert "nearest  the same call is at seq 3: 2 events were skipped" in str(report)
    assert "one event was skipped" in str(diverge([1, 2, 3], [1, 3]))


def test_it_says_that_a_call_was_answered_before(diverge: Diverge) -> None:
    """A call that is made once more is found behind."""
    report = diverge([1, 2, 3, 4], [1, 2, 2])
    assert "nearest  the same call was answered at seq 1" in str(report)
    assert "nearest  the same call was answered at seq 1" in str(diverge([1, 2], [1, 2, 2]))


def test_it_says_what_is_like_a_call_that_stands_nowhere(diverge: Diverge) -> None:
    """Of all that is on the tape, what differs least and is nearest, and in which field."""
    report = diverge([1, 2, 3, 4], [1, 2, "new"])
    assert [(found.event.seq, found.exact) for found in report.candidates] == [(1, False), (3, False)]
    assert "a call like it is at seq 1: other what" in str(report)


def test_it_stays_readable_with_ten_thousand_events(diverge: Diverge) -> None:
    """However long the tape is, the report has the same few lines; what was skipped is counted."""
    report = diverge(list(range(10_000)), [0, 1, 9_000])
    assert "the same call is at seq 9000: 8,998 events were skipped" in str(report)
    assert len(str(report).splitlines()) < 20
    assert max(map(len, str(report).splitlines())) < 400


def test_long_texts_are_shown_where_they_part(diverge: Diverge) -> None:
    """Ten thousand characters that differ in one are not cut before it."""
    text = "x" * 5_000 + "{}" + "y" * 5_000
    report = str(diverge([text.format("A")], [text.format("B")]))
    assert "from 4,960 on, of 10,001" in report
    assert "xAy" in report
    assert "xBy" in report


def test_it_says_what_is_different_on_this_machine(diverge: Diverge, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python, locale, arguments and git revision are in the header; what is not the same now is in the report."""
    report = diverge([1], [2])
    assert report.host == []
    monkeypatch.setattr(sys, "argv", ["other", "words"])
    with pytest.raises(testbench.MismatchError) as caught, testbench.replay(report.tape):
        ask(2)
    assert [(name, now) for name, _, now in caught.value.report.host] == [("argv", ["other", "words"])]
    assert "here     argv is ['other', 'words'], and was" in str(caught.value)


def test_the_header_says_where_a_tape_was_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two recordings on one machine say the same; one under a paused clock says nothing of it."""
    (tmp_path / ".git/refs/heads").mkdir(parents=True)
    (tmp_path / ".git/HEAD").write_text("ref: refs/heads/main\n")
    (tmp_path / ".git/refs/heads/main").write_text("0123abcd\n")
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    hosts: list[Any] = []
    for _ in range(2):
        with testbench.record("a.tape") as session:
            hosts.append(session.meta["host"])
    assert hosts[0] == hosts[1]
    assert (hosts[0]["git"], hosts[0]["argv"]) == ("0123abcd", sys.argv)
    assert hosts[0]["locale"] == locale.setlocale(locale.LC_ALL)
    (tmp_path / ".git/refs/heads/main").unlink()
    (tmp_path / ".git/packed-refs").write_text("# pack-refs\n4567 refs/heads/other\n89ef refs/heads/main\n")
    with testbench.record("a.tape") as session:
        hosts = [session.meta["host"]]
    assert hosts[0]["git"] == "89ef"
    with testbench.record("a.tape", clock="paused") as session:
        assert "host" not in session.meta


def test_a_report_is_data_too(diverge: Diverge) -> None:
    """Plain values all through, so that tools can read it."""
    data = diverge([1, 2, 3], [1, 3]).as_data()
    assert json.loads(json.dumps(data)) == data
    assert data["candidates"][0]["event"]["seq"] == 2
    assert (data["code"], data["mode"], data["differences"]) == ("mismatch", "replay", [["what", 2, 3]])


def test_colours_only_add_escapes(diverge: Diverge) -> None:
    """What is read is the same with colours and without."""
    report = diverge([1, 2, 3], [1, 3])
    coloured = report.render(colour=True)
    assert "\033[31m" in coloured
    assert "\033" not in str(report)
    plain = coloured
    for code in ("0", "1", "2", "31", "32"):
        plain = plain.replace(f"\033[{code}m", "")
    assert plain == str(report)


class Odd:
    """A recorder of a user's own, whose matcher has a fault."""

    kind = "odd"
    version = 1

    def __init__(self, matcher: Callable[[Any, Any], str | None]) -> None:
        self.matchers = {"ask": matcher}

    @contextmanager
    def install(self, call: Any) -> Iterator[None]:
        """Offer the one crossing."""
        self.ask = lambda what: call("ask", what, lambda: what)
        yield


def test_a_matcher_that_raises_is_named_and_nothing_is_lost(tmp_path: Path) -> None:
    """The replay fails with a clear error, also where a broad handler swallowed it; the tape can be replayed again."""
    with testbench.record(tmp_path / "a.tape", recorders=[Odd(lambda a, b: None)]) as session:
        session.odd.ask(1)
    told = r"the matcher of odd\.ask raised ZeroDivisionError"
    with (
        pytest.raises(testbench.UsageError, match=told),
        testbench.replay(tmp_path / "a.tape", recorders=[Odd(lambda a, b: str(1 // 0))]) as session,
    ):
        with contextlib.suppress(Exception):
            session.odd.ask(2)
        with pytest.raises(testbench.UsageError, match=told):
            session.odd.ask(2)
    with testbench.replay(tmp_path / "a.tape", recorders=[Odd(lambda a, b: None)]) as session:
        assert session.odd.ask(2) == 1


def test_secrets_of_the_machine_are_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token among the words of the command is neither in the header nor in the report."""
    old, new = (f"ghp_{letters * 9}" for letters in ("aB3x", "Zz9q"))
    monkeypatch.setattr(sys, "argv", ["prog", "--token", old])
    with testbench.record(tmp_path / "a.tape"):
        ask(1)
    monkeypatch.setattr(sys, "argv", ["prog", "--verbose", "--token", new])
    with pytest.raises(testbench.MismatchError) as caught, testbench.replay(tmp_path / "a.tape"):
        ask(2)
    assert old.encode() not in (tmp_path / "a.tape").read_bytes()
    assert "--verbose" in str(caught.value)
    assert new not in str(caught.value)
    assert new not in str(caught.value.report.as_data())


def test_an_event_that_starts_a_lane_is_shown_though_nobody_has_started_it(tmp_path: Path) -> None:
    """A thread fewer than recorded: the report tells of its start, and of what it did next."""
    tape = tmp_path / "run.tape"

    def program(count: int) -> None:
        for _ in range(count):
            thread = threading.Thread(target=ask, args=(1,))
            thread.start()
            thread.join()

    with testbench.record(tape):
        program(2)
    with pytest.raises(testbench.LeftoverError) as caught, testbench.replay(tape):
        program(1)
    report = caught.value.report
    assert report.recorded is not None
    assert report.recorded.request == {"name": "main.2", "parent": "main"}
    assert [event.lane for event in report.after] == ["main.2"]
