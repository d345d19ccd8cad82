"""Has a module's tests run in each of the three ways, in processes that may hang, crash or be killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from conformance_table import Module, Test

CHILD = Path(__file__).resolve().with_name("conformance_child.py")
WAYS = ("stock", "recorded", "replayed")
LOOK_S, DYING_S = 0.1, 5.0
SOONER = 3  # a replay waits for nothing, and so is stuck after a third of the time


class Limits(NamedTuple):
    """How long one test may take, and which text its name has to contain."""

    seconds: float
    match: str


class Job(NamedTuple):
    """The tests of a module in one way; all ways of a module share its folder, so that paths are the same in all."""

    module: str
    way: str
    only: list[str] | None
    folder: Path
    match: str = ""

    @property
    def report(self) -> Path:
        """Where the child writes what came of each test."""
        return self.folder / f"{self.way}.jsonl"

    @property
    def output(self) -> Path:
        """What the tests print, and where a process was when it died."""
        return self.folder / f"{self.way}.txt"

    def command(self) -> list[str]:
        """Write the job down, and return the command line of its child."""
        job = {
            "module": self.module,
            "way": self.way,
            "only": self.only,
            "match": self.match,
            "report": str(self.report),
            "tapes": str(self.folder / "tapes"),
        }
        path = self.folder / f"{self.way}.json"
        path.write_text(json.dumps(job), encoding="utf-8")
        return [sys.executable, str(CHILD), str(path)]


def run_module(name: str, tests: list[str] | None, folder: Path, limits: Limits) -> Module:
    """Run a module in all ways; each way only what passed in the one before."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "tapes").mkdir(parents=True)
    module = Module(name)
    only = tests
    for way in WAYS:
        module.ways[way] = run_way(Job(name, way, only, folder, limits.match), limits)
        only = module.passed(way)
    return module


def run_way(job: Job, limits: Limits) -> dict[str, Test]:
    """Start processes until every test has been run once."""
    done = -1
    while True:
        how = run_child(job, limits)
        lines = read(job.report)
        if any("end" in line for line in lines):
            return tests_of(lines)
        begun = [line["begin"] for line in lines if "begin" in line]
        if len(begun) == done or not begun:
            raise SystemExit(f"{job.module} cannot be run {job.way}: {how}\n{tail(job.output)}")
        done = len(begun)
        if not any(line.get("test") == begun[-1] for line in lines):
            blame(job, begun[-1], how, lines[-1].get("caged"))


def blame(job: Job, test: str, how: str, caged: str | None) -> None:
    """Report a test during which its process ended."""
    text = tail(job.output)
    reason = f"{how}{f': {caged}' if caged else ''}{where(text)}"
    line = {"test": test, "outcome": "failed", "reason": reason, "seconds": 0.0, "leaks": [], "traceback": text}
    with job.report.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def run_child(job: Job, limits: Limits) -> str:
    """Run one process until it ends or one test takes too long, and say how it ended."""
    seconds = limits.seconds / SOONER if job.way == "replayed" else limits.seconds
    work, temporary = fresh(job.folder / "work"), fresh(job.folder / "tmp")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "TESTBENCH"))}
    with job.output.open("wb") as output:
        process = subprocess.Popen(
            job.command(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=work,
            env={**kept, "TMPDIR": str(temporary), "PYTHONHASHSEED": "0"},
            start_new_session=True,
        )
        try:
            stuck = not wait(process, job.report, seconds)
        finally:
            with suppress(ProcessLookupError):  # what a test left running
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return f"it took more than {seconds:g} s" if stuck else ending(process.returncode)


def wait(process: subprocess.Popen[bytes], report: Path, seconds: float) -> bool:
    """Wait for the end of a process; False when its report has not grown for too long, and it was killed."""
    size, waited = -1, 0.0
    while waited < seconds:
        with suppress(subprocess.TimeoutExpired):
            process.wait(LOOK_S)
            return True
        now = report.stat().st_size if report.exists() else 0
        size, waited = now, waited + LOOK_S if now == size else 0.0
    process.send_signal(signal.SIGABRT)  # the fault handler says where it was
    with suppress(subprocess.TimeoutExpired):
        process.wait(DYING_S)
    return False


def ending(status: int) -> str:
    """Say how a process ended."""
    if status == -signal.SIGSYS:
        return "killed, because it started a process"
    if status == -signal.SIGABRT:
        return "aborted"
    return f"killed by {signal.Signals(-status).name}" if status < 0 else f"the process ended with status {status}"


def where(text: str) -> str:
    """Return the innermost lines of code in a fault handler's dump."""
    at = text.find("Current thread")
    frames = [line.strip() for line in text[max(at, 0) :].splitlines() if line.startswith('  File "')]
    frames = [frame for frame in frames if "conformance_" not in frame]
    return f" at {' < '.join(frames[:3])}" if frames else ""


def read(report: Path) -> list[dict[str, Any]]:
    """Return the lines of a report."""
    return [json.loads(line) for line in report.read_text(encoding="utf-8").splitlines()] if report.exists() else []


def tests_of(lines: list[dict[str, Any]]) -> dict[str, Test]:
    """Return what came of each test, fixtures that failed among them."""
    tests = {line["test"]: Test(**{**line, "leaks": tuple(line["leaks"])}) for line in lines if "test" in line}
    for line in lines:
        if "fixture" in line:
            tests[line["fixture"]] = Test(line["fixture"], "failed", line["reason"])
    return tests


def tail(path: Path) -> str:
    """Return the end of a file."""
    return path.read_bytes()[-8000:].decode("utf-8", "replace") if path.exists() else ""


def fresh(folder: Path) -> Path:
    """Return an empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder
