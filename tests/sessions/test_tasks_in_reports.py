"""Tasks of asyncio in the report of a divergence: which one called, and where the others are suspended."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

_PROGRAMS = Path(__file__).with_name("diverging_tasks.py")


def _report(name: str) -> tuple[dict[str, Any], str]:
    """Return the report of one of the programs, as data and as text."""
    done = subprocess.run([sys.executable, str(_PROGRAMS), name], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    return told["report"], told["text"]


def test_the_task_that_calls_is_numbered_within_its_loop() -> None:
    """However many tasks the process has had before."""
    report, text = _report("numbered")
    assert (report["lane"], report["task"]) == ("main", "task 4")
    assert "lane main, task 4\n" in text


def test_a_task_with_a_name_is_called_by_it() -> None:
    """A name that the program gives is better than any number."""
    assert _report("named")[0]["task"] == "task 'three'"


def test_a_loop_with_nothing_to_do_shows_where_its_tasks_wait() -> None:
    """An event that nobody sets leaves a loop alone with its tasks: each is shown with its line in the user's code."""
    report, text = _report("waiting")
    rows = {row["name"]: row for row in report["lanes"]}
    assert report["task"] == ""
    assert rows["main, task 1"]["where"].endswith("waiting.<locals>.main")
    assert rows["main, task 2"]["where"].endswith("waiting.<locals>.wait")
    assert "main, 4 more tasks" in rows
    assert "main, task 2 waits for its event loop, at " in text


def test_a_stall_names_the_task_in_its_line() -> None:
    """A thread that waits within a task for what never comes is shown with that task."""
    report, _ = _report("blocked")
    assert report["code"] == "stall"
    assert report["lanes"][0]["waits_for"].startswith("a lock")
    assert report["lanes"][0]["where"].endswith("blocked.<locals>.main (task 1)")
