"""The list of commands, in the order in which the help shows them, and the version of all of them."""

from __future__ import annotations

from importlib import metadata
from typing import Final

from testbench.cli import (
    check,
    diff,
    export,
    fidelity,
    import_,
    info,
    record,
    recover,
    replay,
    scan,
    scrub,
    session,
    show,
    verify,
)
from testbench.cli._command import Command

COMMANDS: Final[tuple[Command, ...]] = (
    record.COMMAND,
    replay.COMMAND,
    verify.COMMAND,
    session.COMMAND,
    info.COMMAND,
    show.COMMAND,
    check.COMMAND,
    recover.COMMAND,
    scan.COMMAND,
    scrub.COMMAND,
    diff.COMMAND,
    fidelity.COMMAND,
    export.COMMAND,
    import_.COMMAND,
)


def version(name: str) -> str:
    """Return the version of an installed package."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "from a source tree, not installed"
