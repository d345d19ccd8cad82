"""``testbench replay --shuffle``: looking for an order of threads in which a program ends otherwise."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

RACE = """
import sys, threading, time
count = [0]
lock = threading.Lock() if "locked" in sys.argv else None

def work():
    for _ in range(3):
        if lock:
            lock.acquire()
        seen = count[0]
        time.time()
        count[0] = seen + 1
        if lock:
            lock.release()

threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
sys.exit(0 if count[0] == 6 else 5)
"""

SHARED = """
import threading
import testbench

tasks = list(range(6))

@testbench.boundary
def ask(task):
    return task

def work():
    while tasks:
        ask(tasks.pop())

threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder with the program."""
    (tmp_path / "race.py").write_text(RACE)
    return tmp_path


def command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    return subprocess.run([sys.executable, "-m", "testbench", *words], cwd=folder, capture_output=True, text=True)


def test_the_seed_of_a_race_is_told_and_shows_it_again(folder: Path) -> None:
    """The command that is printed ends as it was said to end."""
    program = ["--", sys.executable, "race.py"]
    assert command(folder, "record", "-o", "r.tape", *program).returncode == 0
    found = command(folder, "replay", "--shuffle", "3", "--shuffle-runs", "50", "r.tape", *program)
    assert found.returncode == 1
    told = re.fullmatch(
        r"seed (\d+): the program ends with status 5, and in the recorded order with 0\nsee it with: testbench (.*)\n",
        found.stdout,
    )
    assert told is not None
    assert int(told[1]) >= 3
    assert command(folder, *shlex.split(told[2])).returncode == 5


def test_without_a_race_all_orders_end_alike(folder: Path) -> None:
    """A counter with a lock comes out right in every legal order."""
    program = ["--", sys.executable, "race.py", "locked"]
    assert command(folder, "record", "-o", "r.tape", *program).returncode == 0
    found = command(folder, "replay", "--shuffle-runs", "5", "r.tape", *program)
    assert (found.returncode, found.stdout) == (0, "5 orders, and the program ends with status 0 in all of them\n")


def test_what_diverges_in_the_recorded_order_is_not_shuffled(folder: Path) -> None:
    """A program that has changed is told so before any other order is tried."""
    program = ["--", sys.executable, "race.py"]
    assert command(folder, "record", "-o", "r.tape", *program).returncode == 0
    (folder / "race.py").write_text("import time; time.sleep(1)")
    found = command(folder, "replay", "--shuffle-runs", "5", "r.tape", *program)
    assert found.returncode == 1
    assert found.stdout.startswith("the program ends with status 71 in the recorded order already; see it with:")


def test_what_threads_that_share_tasks_ask_for_is_told_apart_from_a_race(folder: Path) -> None:
    """In another order a thread gets another task, and asks for another thing: no race, and right in any order."""
    (folder / "shared.py").write_text(SHARED)
    program = ["--", sys.executable, "shared.py"]
    assert command(folder, "record", "-o", "r.tape", *program).returncode == 0
    found = command(folder, "replay", "--shuffle-runs", "4", "r.tape", *program)
    assert found.returncode == 1
    assert re.match(r"4 orders: in [1-4] the program asks something else than was recorded", found.stdout)
    assert found.stdout.endswith("threads that share tasks ask for one another's: let them, with --order any\n")
    free = command(folder, "replay", "--shuffle-runs", "2", "--order", "any", "r.tape", *program)
    assert (free.returncode, free.stdout) == (0, "2 orders, and the program ends with status 0 in all of them\n")
