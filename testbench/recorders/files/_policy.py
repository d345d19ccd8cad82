"""Which paths the reads of a program are recorded of: all, but for those of the interpreter and of the kernel.

=========================================== ==============================================================
left alone                                  why
=========================================== ==============================================================
the standard library, installed packages,   the interpreter's own; a tape is to fit another installation
a virtual environment, time zones
``__pycache__``, ``*.pyc``                  byte code comes and goes
``/proc``, ``/sys``, ``/dev`` without       no files: they say how process and machine stand now
``/dev/shm``
the tape itself                             it is not there for the program
whatever the import system, a traceback,    see `testbench.recorders._whose`
the test runner reads
=========================================== ==============================================================
"""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

from testbench.inplace import real

_KERNEL: Final = ("/proc", "/sys", "/dev")
_MEMORY: Final = "/dev/shm/"
_SYSTEM: Final = frozenset(("/", "/usr", "/usr/local"))
"""Where an interpreter may be installed without owning what is around it."""

_ZONES: Final = ("/usr/share/zoneinfo", "/usr/lib/zoneinfo", "/usr/share/lib/zoneinfo", "/etc/zoneinfo")
"""Where CPython finds time zones; `zoneinfo` reads each once in a process."""

_BYTE_CODE: Final = "__pycache__"
_MOST: Final = 20_000
_OURS: Final = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))


class Policy:
    """The policy of one session.

    Args:
        tapes: paths of the tapes of the session, absolute.
    """

    def __init__(self, tapes: Iterable[bytes]) -> None:
        self._tapes = {text(tape) for tape in tapes}
        self._alone = _left_alone(tuple(filter(_is_text, sys.path)))
        self._known: dict[str, bool] = {}

    def covers(self, path: str) -> bool:
        """Tell whether a read of a path is recorded, if the program makes it; also of a relative one."""
        if not path.startswith("/"):
            path = f"{_here()}/{path}"
        known = self._known.get(path)
        if known is None:
            if len(self._known) >= _MOST:
                self._known.clear()
            known = self._known[path] = not self._is_left_alone(path)
        return known

    def is_tape(self, folder: str, name: str) -> bool:
        """Tell whether an entry of a directory is one of the tapes, which nobody is to see."""
        return any(tape.endswith(f"/{name}") for tape in self._tapes) and self._is_one(f"{folder}/{name}")

    def _is_one(self, path: str) -> bool:
        return os.path.normpath(path if path.startswith("/") else f"{_here()}/{path}") in self._tapes

    def _is_left_alone(self, path: str) -> bool:
        if f"/{_BYTE_CODE}/" in f"{path}/" or path.endswith(".pyc"):
            return True
        path = os.path.normpath(path)
        alone = f"{path}/".startswith(self._alone) and not f"{path}/".startswith(_MEMORY)
        return alone or path in self._tapes


def text(path: bytes) -> str:
    """Return a path as it stands on a tape; whatever the locale is."""
    return path.decode("utf-8", "surrogateescape")


def _here() -> str:
    try:
        return real.getcwd()
    except OSError:  # it has been taken away
        return ""


def _is_text(entry: object) -> bool:
    return isinstance(entry, str)


@lru_cache(8)
def _left_alone(entries: tuple[str, ...]) -> tuple[str, ...]:
    """Return what the paths begin with that are left alone, given where modules are looked for."""
    return tuple(sorted({f"{prefix}/" for prefix in (*_KERNEL, *_ZONES, *_of_the_interpreter(entries))}))


def _of_the_interpreter(entries: tuple[str, ...]) -> Iterator[str]:
    paths = sysconfig.get_paths()
    found = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    found += [entry for entry in entries if entry.rstrip("/").endswith(("site-packages", "dist-packages"))]
    found += [prefix for prefix in (sys.prefix, sys.base_prefix, sys.exec_prefix) if prefix not in _SYSTEM]
    for path in (*found, _OURS):
        yield path.rstrip("/")
        yield os.path.realpath(path)
