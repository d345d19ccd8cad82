"""What the programs in this folder share: run their steps, recorded or replayed, and print what each came to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

import testbench


def run(steps: Iterable[Callable[[], Any]]) -> None:
    """Do what the command line says: record or replay a tape; replaying, no process can be started."""
    mode, tape = sys.argv[1:]
    if mode == "replay":
        forbid_processes()
    options: dict[str, Any] = {"leaks": "fail"}
    with (testbench.record if mode == "record" else testbench.replay)(tape, **options):
        outcomes = {step.__name__: outcome_of(step) for step in steps}
    sys.stdout.write(json.dumps(outcomes))


def outcome_of(step: Callable[[], Any]) -> str:
    """Return what a step returns, or all that is seen of what it raises."""
    try:
        return repr(step())
    except (OSError, subprocess.SubprocessError) as error:
        return f"{error!r} {sorted(vars(error).items())} {getattr(error, 'filename', None)}"


def forbid_processes() -> None:
    """Make it impossible to start a process, for good."""

    def forbidden(*args: Any) -> NoReturn:
        os._exit(97)

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event in ("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system", "os.exec", "os.kill"):
            forbidden()

    sys.addaudithook(hook)
    subprocess._fork_exec = forbidden  # type: ignore[attr-defined]  # where subprocess looks it up
    os.environ["PATH"] = "/nonexistent"
