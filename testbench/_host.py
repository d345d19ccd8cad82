"""Where a run takes place: what the header of a tape says of it, and what is different now.

All of it is read without a process or a network, and from nothing that a session records.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Final

from testbench.inplace import real
from testbench.protocol import Plain

_LC_ALL: Final = 6
"""The number of the category on Linux, ``<locale.h>``."""
_HEAD_MAX: Final = 4096
_PACKED_MAX: Final = 1 << 20
_NO_GIT: Final = 40
"""So many directories upwards are looked at."""


def host(zone: Plain) -> dict[str, Plain]:
    """Return the interpreter, the system, the words of the command, the locale, the time zone and the git revision."""
    found: dict[str, Plain] = {
        "python": sys.version.split()[0],
        "implementation": sys.implementation.name,
        "system": sys.platform,
        "zone": zone,
        "argv": [str(word) for word in getattr(sys, "argv", [])],
        "locale": real.setlocale(_LC_ALL),
    }
    revision = git_revision()
    return found if revision is None else {**found, "git": revision}


def differing(meta: Mapping[str, Plain]) -> list[tuple[str, Plain, Plain]]:
    """Return (what, recorded, now) for all that a header says and that is different here.

    The time zone is not among it: a replay lives in the one of its tape.
    """
    recorded = meta.get("host")
    if not isinstance(recorded, dict):
        return []
    now: dict[str, Plain] = host(recorded.get("zone"))
    return [(name, value, now.get(name)) for name, value in recorded.items() if name in now and value != now[name]]


def git_revision() -> str | None:
    """Return the commit that is checked out where the process works; None if that cannot be told at a glance."""
    try:
        folder = real.getcwd()
        for _ in range(_NO_GIT):
            head = _read(f"{folder}/.git/HEAD", _HEAD_MAX)
            if head is not None:
                return _resolve(f"{folder}/.git", head)
            parent = folder.rpartition("/")[0]
            if parent == folder:
                break
            folder = parent
    except OSError:  # the directory is gone
        return None
    return None


def _resolve(folder: str, head: str) -> str | None:
    if not head.startswith("ref: "):
        return head or None
    name = head.removeprefix("ref: ")
    loose = _read(f"{folder}/{name}", _HEAD_MAX)
    if loose:
        return loose
    lines = (_read(f"{folder}/packed-refs", _PACKED_MAX) or "").splitlines()
    return next((line.split()[0] for line in lines if line.endswith(f" {name}")), None)


def _read(path: str, most: int) -> str | None:
    try:
        fd = real.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return real.pread(fd, most, 0).decode("utf-8", "replace").strip()
    except OSError:  # a directory
        return None
    finally:
        real.close(fd)
