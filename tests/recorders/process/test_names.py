"""How children are named and numbered: the same from run to run, whatever threads, nesting and outer effects do."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from pathlib import Path
from subprocess import PIPE, Popen, check_output
from typing import Any

import pytest

import testbench
from testbench.inplace import real
from testbench.recorders.process._children import FIRST_VIRTUAL_PID


def _in_threads(*bodies: Any) -> None:
    threads = [threading.Thread(target=body) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_children_are_numbered_within_their_thread(ways: Any) -> None:
    """Each thread counts its own children, so that a race between threads changes no request."""

    def program(place: Path) -> Any:
        said: dict[int, list[bytes]] = {n: [] for n in range(3)}

        def body(n: int) -> None:
            said[n] += [check_output(["echo", f"{n}.{k}"]) for k in range(3)]

        check_output(["true"])
        _in_threads(*(lambda n=n: body(n) for n in range(3)))
        return said

    ways.agree(program)
    numbers: dict[str, list[Any]] = {}
    for event in ways.events():
        if event.op == "communicate":
            numbers.setdefault(event.lane, []).append(event.request["child"])
    assert numbers == {"main": [1], "main.1": [1, 2, 3], "main.2": [1, 2, 3], "main.3": [1, 2, 3]}


def test_child_of_another_thread_is_named_by_its_pid(ways: Any) -> None:
    """A child that another thread waits for is named by its pid, since numbers of two threads may be the same."""

    def program(place: Path) -> Any:
        child, codes = Popen(["sh", "-c", "exit 3"]), []
        own = Popen(["sh", "-c", "exit 4"])
        _in_threads(lambda: codes.append((Popen(["true"]).wait(), child.wait())))
        return codes, own.wait()

    ways.agree(program)
    pids = {event.outcome.value["pid"] for event in ways.events() if event.op == "spawn"}
    elsewhere = [e.request["child"] for e in ways.events() if e.op == "communicate" and e.lane == "main.1"]
    assert elsewhere[0] == 1
    assert elsewhere[1]["pid"] in pids


def test_failed_start_takes_no_number(ways: Any) -> None:
    """A program that could not be started is no child and leaves no gap."""

    def program(place: Path) -> Any:
        for argv in (["no-such-program"], ["true"]):
            try:
                subprocess.run(argv)
            except FileNotFoundError:
                continue

    ways.agree(program)
    assert ways.ops() == ["spawn", "spawn", "communicate"]
    assert ways.events()[-1].request["child"] == 1


def test_run_is_two_events(ways: Any) -> None:
    """`subprocess.run` is a spawn and one observation, with and without pipes, and so is `call`."""

    def program(place: Path) -> Any:
        subprocess.run(["true"])
        subprocess.run(["true"], capture_output=True, input=b"", timeout=60)
        subprocess.call(["true"])

    ways.agree(program)
    assert ways.ops() == ["spawn", "communicate"] * 3


def test_requests_have_one_shape_per_op(ways: Any) -> None:
    """All requests of an op have the same fields in the same order."""

    def program(place: Path) -> Any:
        subprocess.run(["cat"], input=b"x", capture_output=True, cwd=place)
        subprocess.call("exit 3", shell=True, start_new_session=True)
        child = Popen([b"cat"], stdin=PIPE, stdout=PIPE)
        child.stdin.write(b"a")
        child.stdin.close()
        with child:
            return child.stdout.read(), child.wait(60)

    ways.agree(program)
    shapes: dict[str, set[tuple[str, ...]]] = {}
    for event in ways.events():
        shapes.setdefault(event.op, set()).add(tuple(event.request))
    assert {op: len(found) for op, found in shapes.items()} == dict.fromkeys(shapes, 1)
    assert shapes["spawn"] == {
        ("program", "argv", "shell", "cwd", "env", "stdin", "stdin_digest", "stdout", "stderr", "options")
    }


def _asks_for_pids(place: Path) -> Any:
    first, second = Popen(["cat", f"{place}/fifo"], start_new_session=True), Popen(["cat"], stdin=PIPE)
    os.killpg(os.getpgid(first.pid), 15)
    ended = os.waitpid(first.pid, 0)
    with second:
        os.kill(second.pid, 9)
    return [first.pid, second.pid, ended, first.wait(), second.returncode]


def test_virtual_pids_count_up(ways: Any) -> None:
    """In a deterministic recording pids are made up, repeat, and still mean the child wherever they are used."""
    ways.options = {"clock": "paused"}
    value = ways.record(_asks_for_pids)
    first = FIRST_VIRTUAL_PID
    assert value == ("returned", [first, first + 1, (first, 15), 0, -9])
    assert ways.replay(_asks_for_pids) == value


def test_virtual_pid_names_a_group(ways: Any) -> None:
    """A child can be put into the group of another one, whatever pid the program was told."""

    def program(place: Path) -> Any:
        with Popen(["cat"], stdin=PIPE, process_group=0) as leader:
            return subprocess.run(["sh", "-c", "exit 3"], process_group=leader.pid).returncode

    ways.options = {"clock": "paused"}
    assert ways.agree(program) == ("returned", 3)


def test_deterministic_recordings_are_equal(ways: Any) -> None:
    """Two recordings of one program with a clock that stands still are the same, byte for byte."""
    ways.options = {"clock": "paused"}
    tapes = []
    for _ in range(2):
        ways.record(_asks_for_pids)
        tapes.append(ways.tape.read_bytes())
    assert tapes[0] == tapes[1]


def test_timeouts_are_real_under_a_clock_that_stands_still(ways: Any) -> None:
    """A timeout of a child is real time also where the program's own clock does not move."""
    ways.options = {"clock": "paused"}

    def program(place: Path) -> Any:
        done = subprocess.run(["sh", "-c", "head -c 3000000 /dev/zero"], stdout=PIPE, timeout=60)
        child = Popen(["sh", "-c", "head -c 3000000 /dev/zero >/dev/null"])
        return len(done.stdout), child.wait(timeout=60)

    assert ways.record(program) == ("returned", (3_000_000, 0)) == ways.replay(program)


def test_replay_can_be_recorded_again(ways: Any, tmp_path: Path) -> None:
    """Recording a replay again gives the same tape, byte for byte."""

    def program() -> Any:
        subprocess.run(["sh", "-c", "echo a; echo b >&2"], capture_output=True)
        check_output(["cat"], input=b"x" * 10_000)
        return os.system("exit 3")

    with testbench.record(tmp_path / "a.tape", leaks="ignore"):
        program()
    with testbench.replay(tmp_path / "a.tape", rerecord=tmp_path / "b.tape"):
        program()
    assert (tmp_path / "a.tape").read_bytes() == (tmp_path / "b.tape").read_bytes()


def _talks(place: Path) -> Any:
    with Popen(["sh", "-c", "read x; echo $x $x; echo e >&2"], stdin=PIPE, stdout=PIPE, stderr=PIPE) as child:
        child.stdin.write(b"twice\n")
        child.stdin.flush()
        line = child.stdout.readline()
        rest = child.communicate()
    subprocess.run(["sh", "-c", "echo inherited"])
    return line, rest, child.returncode, check_output("echo x; exit 0", shell=True)


def test_sessions_nest(ways: Any, tmp_path: Path) -> None:
    """A recording inside a recording, or inside a replay, sees and writes the same as the outer one."""
    stock = _talks(tmp_path)
    with (
        testbench.record(tmp_path / "outer.tape", leaks="ignore"),
        testbench.record(tmp_path / "inner.tape", leaks="ignore"),
    ):
        assert _talks(tmp_path) == stock
    with testbench.replay(tmp_path / "outer.tape"), testbench.record(tmp_path / "again.tape", leaks="ignore"):
        assert _talks(tmp_path) == stock
    with testbench.replay(tmp_path / "again.tape"):
        assert _talks(tmp_path) == stock
    tapes = [testbench.open_tape(tmp_path / name) for name in ("outer.tape", "inner.tape", "again.tape")]
    outer, inner, again = ([(e.op, e.request, e.outcome) for e in tape if e.kind == "process"] for tape in tapes)
    assert outer == inner == again


@pytest.mark.usefixtures("capfd")  # on a terminal there would be nothing to capture
def test_system_nests(tmp_path: Path) -> None:
    """``os.system`` in nested recordings has its status and output in both, though the outer one sees a child."""
    with (
        testbench.record(tmp_path / "outer.tape", leaks="ignore"),
        testbench.record(tmp_path / "inner.tape", leaks="ignore"),
    ):
        assert os.system("echo x; kill -3 $$") & 0x7F == 3
    inner = [e for e in testbench.open_tape(tmp_path / "inner.tape") if e.kind == "process"]
    outer = [e for e in testbench.open_tape(tmp_path / "outer.tape") if e.kind == "process"]
    assert inner[0].outcome.value["stdout"] == outer[1].outcome.value["stdout"] == b"x\n"
    with testbench.replay(tmp_path / "outer.tape"), testbench.record(tmp_path / "again.tape", leaks="ignore"):
        assert os.system("echo x; kill -3 $$") & 0x7F == 3
    assert [e.outcome for e in testbench.open_tape(tmp_path / "again.tape") if e.kind == "process"] == [
        inner[0].outcome
    ]


@testbench.boundary
def _outer_effect(word: str) -> list[str]:
    child = Popen(["echo", word], stdout=PIPE)
    with child, open(os.dup(child.stdout.fileno()), "rb") as pipe:
        below = pipe.read()
    subprocess.run(["sh", "-c", "exit 0"])
    return [below.decode(), check_output(["echo", word], text=True), str(os.system("exit 2"))]


def test_children_of_an_outer_effect_are_not_events(ways: Any) -> None:
    """What a recorded function does with children belongs to its own event, and takes no numbers."""

    def program(place: Path) -> Any:
        return check_output(["echo", "1"]), _outer_effect("inside"), check_output(["echo", "2"])

    ways.agree(program)
    assert ways.ops() == ["spawn", "communicate"] * 2
    assert [e.request["child"] for e in ways.events() if e.op == "communicate"] == [1, 2]


def test_fifty_megabytes(ways: Any) -> None:
    """Fifty megabytes come back whole, with one pipe and with two."""

    def program(place: Path) -> Any:
        command = ["head", "-c", "50000000", "/dev/zero"]
        return len(check_output(command)), subprocess.run(command, capture_output=True).stdout.count(0)

    assert ways.record(program) == ("returned", (50_000_000, 50_000_000))
    assert ways.replay(program) == ("returned", (50_000_000, 50_000_000))


class _Stepwise(Popen):  # type: ignore[type-arg]
    """A Popen with a step of its own, as some programs and CPython's tests have."""

    def _wait(self, timeout: float | None) -> Any:
        try:
            return super()._wait(timeout)  # type: ignore[misc]
        finally:
            STEPS.append(timeout)


STEPS: list[Any] = []


def test_steps_of_the_programs_own_are_taken(ways: Any) -> None:
    """A subclass that replaces a private step of Popen is waited for by that step, piecemeal."""

    def program(_: Path) -> Any:
        STEPS.clear()
        with _Stepwise(["sh", "-c", "echo x; exit 3"], stdout=PIPE) as child:
            out = child.communicate()
        return out, child.returncode, list(STEPS)

    assert ways.agree(program) == ("returned", ((b"x\n", None), 3, [None, None]))


def test_a_child_that_had_the_number_of_this_process_is_the_child(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replay may run under the pid that a child had when it was recorded: it does not send signals to itself."""
    tape = tmp_path / "own.tape"

    def program() -> Any:
        with Popen(["cat"], stdin=PIPE) as child:
            group = os.getpgid(child.pid) == os.getpgid(0)
            os.kill(child.pid, signal.SIGTERM)
            return child.pid, group, child.wait()

    with testbench.record(tape):
        recorded = program()
    with testbench.open_tape(tape) as made:
        ops = [event.op for event in made]
    monkeypatch.setattr(real, "getpid", lambda: recorded[0])
    with testbench.replay(tape):
        assert program() == recorded
    assert recorded[1:] == (True, -signal.SIGTERM)
    assert {"getpgid", "kill"} <= set(ops)
