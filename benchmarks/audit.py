"""What it costs to look for leaks: an audited event before, within and after a session, and the session itself."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path

from _table import at_most, beside, best_ns

import testbench

EVENTS = 500
ROUNDS = 400
SESSIONS = 300


def main() -> None:
    """Measure in one process, in which no session has been open."""
    with tempfile.TemporaryDirectory() as folder:
        file, tape = Path(folder) / "file", Path(folder) / "run.tape"
        file.write_text("")
        before = event_ns(), open_ns(file), talk_ns()
        with testbench.record(tape, recorders=["audit"]) as session:
            within = event_ns(), open_ns(file), talk_ns()
        assert not session.leaks
        after = event_ns()
        beside("an audited event, id(), before any session", before[0], " ns")
        beside("the same in a session", within[0], " ns")
        at_most("the same after all sessions, longer by", after - before[0], 200, " ns")
        at_most("os.open of a file of the program, in a session longer by", within[1] - before[1], 1500, " ns")
        at_most("socket.send and recv within the process, in a session", within[2] / before[2], 2)
        at_most("opening and closing a session that has only this, longer by", opened_ms(tape), 0.1, " ms")


def event_ns() -> float:
    """Return how long an event takes that is none of ours."""
    return best_ns(lambda: [id(None) for _ in range(EVENTS)], ROUNDS) / EVENTS


def open_ns(path: Path) -> float:
    """Return how long it takes to open and close a file."""
    name = os.fspath(path)
    return best_ns(lambda: [os.close(os.open(name, os.O_RDONLY)) for _ in range(EVENTS)], ROUNDS) / EVENTS


def talk_ns() -> float:
    """Return how long it takes to say something to oneself."""
    one, other = socket.socketpair()
    with one, other:
        return best_ns(lambda: [(one.send(b"x"), other.recv(1)) for _ in range(EVENTS)], ROUNDS) / EVENTS


def opened_ms(tape: Path) -> float:
    """Return how much longer a replay of nothing takes to open and close, side by side."""
    kinds: list[Sequence[str]] = [["call"], ["call", "audit"]]
    times = [[best_ns(lambda kind=kind: replay(tape, kind), 1) for kind in kinds] for _ in range(SESSIONS)]
    without, audited = (min(column) for column in zip(*times, strict=True))
    return (audited - without) / 1e6


def replay(tape: Path, kinds: Sequence[str]) -> None:
    """Open and close a replay of nothing."""
    with testbench.replay(tape, recorders=kinds):
        pass


if __name__ == "__main__":
    main()
