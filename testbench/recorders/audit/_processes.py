"""Events about processes that are started, or that the program becomes."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final

from testbench.protocol import Plain

Report = Callable[[str, Plain], None]

_FORKS: Final = ("fork", "forkpty")
_PROGRAMS: Final = {"subprocess.Popen": "popen", "os.posix_spawn": "posix_spawn", "os.exec": "exec"}


def process_events(report: Report) -> dict[str, Callable[..., None]]:
    """Return what looks at each of these events, and reports it: it only comes here if no recorder has taken it."""

    def program(op: str) -> Callable[..., None]:
        return lambda path, args, *_: report(op, {"argv": _argv(path, args)})

    def fork(op: str) -> Callable[..., None]:
        return lambda *_: report(op, {})

    return {
        **{event: program(op) for event, op in _PROGRAMS.items()},
        **{f"os.{op}": fork(op) for op in _FORKS},
        "os.system": lambda command, *_: report("system", {"command": os.fsdecode(command)}),
    }


def _argv(path: Any, args: Any) -> list[Plain]:
    given = args if isinstance(args, (list, tuple)) else [args]
    return [os.fsdecode(arg) if isinstance(arg, (str, bytes, os.PathLike)) else repr(arg) for arg in given or [path]]
