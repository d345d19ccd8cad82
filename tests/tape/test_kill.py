"""Tests of recordings that are killed: what is left opens, has all that was flushed, and is an exact prefix.

``python tests/tape/test_kill.py 100`` kills a hundred.
"""

from __future__ import annotations

import random
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbench.tape import Reader, TapeFile, Writer, check

KILL_ME = Path(__file__).with_name("kill_me.py")


def kill_one(folder: Path, dice: random.Random) -> tuple[Path, int]:
    """Let a recording run until it has flushed some random number of times, kill it, and say what it had reported."""
    path = folder / "run.tape"
    with subprocess.Popen([sys.executable, KILL_ME, path], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for _ in range(dice.randrange(1, 3000)):
            process.stdout.readline()
        process.kill()
        flushed = int(process.stdout.read().rpartition(b"\n")[0].rpartition(b"\n")[2] or 1)
    return path.with_name("run.tape.partial"), flushed


def recorded(path: Path) -> list[tuple[str, int | float]]:
    """Read the steps that are on a tape."""
    steps: list[tuple[str, int | float]] = []
    with Reader.open(path) as reader:
        assert not reader.complete
        assert [finding.code for finding in reader.damage] == ["incomplete"]
        for kind, _, _, body in reader.events():
            if reader.kinds[kind].kind == "clock":
                steps += [("clock", value) for value in reader.run_values(body)]
            else:
                request, _, _ = reader.call_body(body, reader.kinds[kind])
                steps.append(("call", request["n"]))
    return steps


def look_at(path: Path, flushed: int) -> None:
    """Fail unless a tape that was left behind holds an exact prefix with everything that was flushed."""
    steps = recorded(path)
    expected = runpy.run_path(str(KILL_ME))["expected"](len(steps))

    assert steps == expected
    assert len(steps) >= flushed or len(steps) >= without_open_run(flushed)
    assert [finding.code for finding in check(path)] == ["incomplete"]


def without_open_run(flushed: int) -> int:
    """Return how many steps there are without the run that was open.

    One that spans two pages is cut off right before it is written again, longer; a kill in between loses it.
    """
    kinds = [kind for kind, _ in runpy.run_path(str(KILL_ME))["expected"](flushed)]
    return next((at for at in range(len(kinds), 0, -1) if kinds[at - 1] == "call"), 0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_a_killed_recording_leaves_an_exact_prefix_with_all_that_was_flushed(tmp_path, seed):
    """Killed at a random moment, a recording leaves a tape that opens and lacks nothing that was flushed."""
    path, flushed = kill_one(tmp_path, random.Random(seed))
    look_at(path, flushed)

    TapeFile.create(tmp_path / "run.tape").commit()  # the lock died with the process, and the tape is kept
    assert path.with_name("run.tape.failed").exists()


def states(calls: list[tuple[int, bytes | None]], page: int) -> Iterator[bytes]:
    """Give every state a file can be left in: after each call, and after each page of each write."""
    file = b""
    for at, data in calls:
        if data is None:
            file = file[:at]
            yield file
            continue
        for size in (*range(page - at % page, len(data), page), len(data)):
            yield file[:at] + data[:size] + file[at + size :]
        file = file[:at] + data + file[at + len(data) :]


def test_a_write_that_is_cut_between_two_pages_leaves_an_exact_prefix(tmp_path, monkeypatch):
    """The kernel may stop half way through a write; no mixture of old and new bytes is ever read as an event."""
    calls: list[tuple[int, bytes | None]] = []
    monkeypatch.setattr("testbench.tape._sink._PAGE", 64)
    monkeypatch.setattr("testbench.tape._sink.pwrite", lambda _, data, at: calls.append((at, bytes(data))) or len(data))
    monkeypatch.setattr("testbench.tape._sink.ftruncate", lambda _, size: calls.append((size, None)))
    kill_me = runpy.run_path(str(KILL_ME))
    kill_me["record"](Writer(-1, {}), 300, lambda number: None)

    path = tmp_path / "torn.tape"
    for state in states(calls, 64):
        path.write_bytes(state)
        if len(state) > 128:  # else the header is not whole yet
            steps = recorded(path)
            assert steps == kill_me["expected"](len(steps))


def main(kills: int) -> None:
    """Kill as many recordings as asked."""
    for seed in range(kills):
        with tempfile.TemporaryDirectory() as folder:
            look_at(*kill_one(Path(folder), random.Random(1000 + seed)))
    sys.stdout.write(f"{kills} recordings killed, {kills} exact prefixes\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))
