"""Questions about paths and what answers them, as plain values: ``stat`` and its kin."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from testbench.protocol import Call, Plain
from testbench.recorders.files._drift import Drift

RAISES: Final = (OSError, ValueError)
"""What asking about a path may come to besides an answer."""


class Asking(Protocol):
    """Makes one crossing."""

    def __call__(self, op: str, request: Plain, effect: Callable[[], Plain]) -> Any:
        """Return the answer.

        Args:
            op: the operation.
            request: what is asked.
            effect: asks the disk.
        """


def asking(call: Call) -> Asking:
    """Return what makes crossings whose answers are not compared with anything."""
    return lambda op, request, effect: call(op, request, effect, raises=RAISES)


def comparing(call: Call, drift: Drift) -> Asking:
    """Return what makes crossings and, where a tape has answered one, looks whether the disk says the same."""

    def ask(op: str, request: Any, effect: Callable[[], Plain]) -> Plain:
        performed: list[bool] = []

        def perform() -> Plain:
            performed.append(True)
            return effect()

        try:
            answer = call(op, request, perform, raises=RAISES)
        except RAISES as error:
            if not performed:
                drift.compare(op, request["path"], error, effect)
            raise
        if not performed:
            drift.compare(op, request["path"], answer, effect)
        return answer

    return ask


def ask_stat(ask: Asking, original: Callable[..., Any], name: str, path: Any, options: Mapping[str, Any]) -> Any:
    """Ask ``stat`` or ``lstat`` of a path; return an `os.stat_result`.

    Args:
        ask: makes the crossing.
        original: asks the disk.
        name: the path as text.
        path: as it was given.
        options: of the call.
    """

    def effect() -> Plain:
        _, (fields, more) = original(path, **options).__reduce__()
        return {"fields": list(fields), "more": more}

    answer = ask(original.__name__, {"path": name, "options": said(options)}, effect)
    return os.stat_result(answer["fields"], answer["more"])


def said(options: Mapping[str, Any]) -> dict[str, Plain]:
    """Return the options that differ from what they are by default; a directory to begin in is part of the path."""
    return {
        name: bool(value)
        for name, value in options.items()
        if name != "dir_fd" and bool(value) != (name == "follow_symlinks")
    }
