"""multiprocessing by way of fork: processes, pipes, queues, locks, pools and executors, again without any process."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import testbench

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")

context = multiprocessing.get_context("fork")


def _answer(connection: Any, queue: Any, lock: Any) -> None:
    connection.send(("hello", os.getpid()))
    with lock:
        queue.put(connection.recv() * 2)


def _fail() -> None:
    raise SystemExit(4)


def processes() -> Any:
    """Talk with a process through a pipe and a queue, under a lock."""
    (ours, theirs), queue, lock = context.Pipe(), context.Queue(), context.Lock()
    process = context.Process(target=_answer, args=(theirs, queue, lock))
    process.start()
    hello = ours.recv()
    ours.send(21)
    answer = queue.get()
    with lock:
        process.join()
    return hello, answer, process.exitcode, context.active_children()


def ends() -> Any:
    """Ask which of several processes still run, again and again, until none does."""
    waiting = context.Event()
    made = [context.Process(target=_fail if number % 2 else waiting.wait) for number in range(4)]
    for process in made:
        process.start()
    seen = []
    while alive := [process.name for process in context.active_children()]:
        seen.append(alive)
        waiting.set()
    return seen, [process.exitcode for process in made]


def terminated() -> Any:
    """Terminate a process that waits, after a timeout."""
    process = context.Process(target=context.Event().wait)
    process.start()
    process.join(0.01)
    alive = process.is_alive()
    process.terminate()
    process.join()
    return alive, process.exitcode


def locks() -> Any:
    """Let processes count semaphores and wait for events and conditions."""
    event, semaphore, again = context.Event(), context.BoundedSemaphore(2), context.RLock()
    process = context.Process(target=event.set)
    process.start()
    with again, again, semaphore:
        seen = event.wait(10), semaphore.get_value(), semaphore.acquire(timeout=0.01), semaphore.acquire(False)
    process.join()
    semaphore.release()
    return seen, process.exitcode, repr(again)


def _square(number: int) -> Any:
    return number * number, os.getpid()


def pool() -> Any:
    """Let a pool compute; who computes what is another in each run."""
    with context.Pool(3) as workers:
        return workers.map(_square, range(10)), list(workers.imap_unordered(_square, range(5)))


def executor() -> Any:
    """Let an executor compute, and raise."""
    with ProcessPoolExecutor(2, mp_context=context) as workers:
        failed = workers.submit(_fail)
        return list(workers.map(_square, range(6))), repr(failed.exception())


def values() -> Any:
    """Share a value in memory."""
    value = context.Value("i", 1)
    process = context.Process(target=_fail)
    process.start()
    process.join()
    return value.value


PROGRAMS = {program.__name__: program for program in (processes, ends, terminated, locks, pool, executor, values)}


def _run(way: str, tape: Path, program: str) -> str:
    """Run a program in a process of its own: multiprocessing counts what it makes."""
    done = subprocess.run(
        [sys.executable, __file__, way, str(tape), program], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("program", [name for name in PROGRAMS if name != "values"])
def test_program_replays_without_processes(program: str, tmp_path: Path) -> None:
    """What the parent got from its processes comes back, though the replay can start none; the tape as well."""
    tape = tmp_path / "t.tape"
    recorded = _run("record", tape, program)
    for _ in range(2):
        assert _run("replay", tape, program) == recorded
        assert (tmp_path / "again.tape").read_bytes() == tape.read_bytes()


@pytest.mark.slow
def test_a_pool_counts_its_jobs_alike_whatever_came_before(tmp_path: Path) -> None:
    """A process that has had a pool records one and replays it: the numbers of jobs count from the session."""
    assert _run("again", tmp_path / "t.tape", "pool") == "True\n"


def test_values_in_shared_memory_are_refused(tmp_path: Path) -> None:
    """A value that processes share lies in memory that nobody observes: it is a leak, and no replay goes on."""
    command = [sys.executable, __file__, "record", str(tmp_path / "t.tape"), "values"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert "RecordingError" in done.stderr
    assert "process.shared_memory" in done.stderr
    assert "in values; send it through a pipe" in done.stderr


def main() -> None:
    """Record or replay one of the programs, or both."""
    way, tape, program = sys.argv[1], Path(sys.argv[2]), PROGRAMS[sys.argv[3]]
    if way == "again":
        program()
        with testbench.record(tape, leaks="fail"):
            recorded = program()
        with testbench.replay(tape, stall_s=10):
            outcome: Any = program() == recorded
    elif way == "record":
        with testbench.record(tape, leaks="fail"):
            outcome = program()
    else:
        sys.addaudithook(_refuse)
        with testbench.replay(tape, rerecord=tape.with_name("again.tape"), stall_s=10):
            outcome = program()
    print(outcome)  # noqa: T201  # for the process that compares
    sys.stdout.flush()
    os._exit(0)


def _refuse(event: str, _: Any) -> None:
    if event in ("os.fork", "os.posix_spawn", "subprocess.Popen"):
        os.write(2, f"the replay reached the world: {event}\n".encode())
        os._exit(1)


if __name__ == "__main__":
    main()
