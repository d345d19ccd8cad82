"""Which files are the program's own affair: those that are there, or are made again, wherever it is replayed.

Below the working directory and its project, beside the code itself, in the directory for temporary files, in declared
roots: what a program reads there is part of it, or it has made it, and does so again. What is installed (the
interpreter, packages, the system's ``/usr``) may be read as well. All else is the machine's, or the user's.
"""

from __future__ import annotations

import os
import stat
import sys
import sysconfig
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

from testbench.inplace import real

_INSTALLED: Final = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/nix/store")
_LOOKED_UP: Final = ("/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/etc/httpd", "/etc/apache2")
_FILES: Final = frozenset(
    (
        *("/etc/localtime", "/etc/timezone", "/etc/mime.types", "/etc/os-release", "/etc/locale.alias"),
        *("/etc/hosts", "/etc/resolv.conf", "/etc/services", "/etc/protocols", "/etc/nsswitch.conf"),
    )
)
"""What the standard library and C libraries look up for themselves."""
_OWN: Final = ("/proc/self/", "/proc/thread-self/", "/dev/fd/", "/dev/pts/", "/dev/shm/")
_DEVICES: Final = frozenset(f"/dev/{name}" for name in ("null", "zero", "full", "stdin", "stdout", "stderr", "ptmx"))
_PROJECT: Final = (".git", ".hg", "pyproject.toml", "setup.py", "setup.cfg", "tox.ini")
_VARIABLES: Final = ("TMPDIR", "TEMP", "TMP")
_TEMPORARY: Final = ("/tmp", "/var/tmp", "/usr/tmp")


class Paths:
    """The files of one session that are nobody else's affair.

    Args:
        declared: further directories and files that are.
        tapes: paths of the tapes; what is beside them may be written.

    Attributes:
        written: what the paths of those begin with that may be read and written.
    """

    def __init__(self, declared: Iterable[str], tapes: Iterable[str | os.PathLike[str]]) -> None:
        named = (os.environ.get(name, "") for name in _VARIABLES)  # here no recorder is in place yet
        beside = (os.path.dirname(os.fspath(tape)) for tape in tapes)
        self._cwd = _working_directory()
        self.written, self._read = _places(
            self._cwd, (*map(os.path.expanduser, declared), *named, *_TEMPORARY, *beside)
        )

    def own(self, path: str, *, written: bool) -> bool:
        """Tell whether a path, absolute or not, needs no further look: cheap, and right for nearly all."""
        if path[:1] != "/":
            path = os.path.join(_working_directory(), path)
        return self._covers(path, written=written)

    def _covers(self, path: str, *, written: bool) -> bool:
        if "/.." in path or "//" in path or "/./" in path:
            path = os.path.normpath(path)
        if path in _DEVICES or f"{path}/".startswith(self.written if written else self._read):
            return True
        return not written and path in _FILES

    def found(self, path: str, code: str, *, written: bool) -> str:
        """Look closer; return the absolute path if it is a leak, empty if it is none.

        Args:
            path: that is not `own`.
            code: the file of the code that reads or writes it.
            written: whether it is written.
        """
        path = os.path.normpath(os.path.join(_working_directory(), path))
        places = [_project(self._cwd), _project(os.path.dirname(os.path.abspath(code))) if code[:1] != "<" else ""]
        if not written:
            places += [entry for entry in sys.path if type(entry) is str and entry]
        if f"{path}/".startswith(_below(_spellings(*places))):
            return ""
        return path if written or _exists(path) else ""


def text_of(path: Any) -> str:
    """Return a path as text; empty for what is none, a descriptor or a dot say."""
    if isinstance(path, os.PathLike):
        path = path.__fspath__()
    if isinstance(path, (bytes, bytearray)):
        path = os.fsdecode(bytes(path))
    return path if isinstance(path, str) else ""


def path_behind(fd: int) -> str:
    """Return the path under which a descriptor was opened; empty if it has none, or none any more."""
    try:
        path = real.readlink(f"/proc/self/fd/{fd}")
    except OSError:
        return ""
    return path if path.startswith("/") and not path.endswith(" (deleted)") else ""


@lru_cache(256)
def _places(cwd: str, given: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what paths begin with that may be written, and that may be read."""
    absolute = (os.path.join(cwd, place) for place in given if place)
    written = (*_below(_spellings(cwd, *absolute)), *_OWN)
    return written, (*written, *_installed())


@lru_cache(256)
def _installed() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    homes = {sys.prefix, sys.base_prefix, sys.exec_prefix, *(paths[name] for name in ("stdlib", "purelib", "platlib"))}
    ours = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
    return _below((*_INSTALLED, *_LOOKED_UP, *_spellings(*homes, ours, *filter(None, (sys.pycache_prefix,)))))


def _below(places: Iterable[str]) -> tuple[str, ...]:
    """Return what the path of a place and of all in it begins with; the root itself is no place."""
    return tuple({f"{place.rstrip('/')}/" for place in places if place.strip("/")})


def _spellings(*places: str) -> set[str]:
    """Return the paths of directories, and where they are once symbolic links in them are followed."""
    return {path for place in places if place for path in (os.path.normpath(place), _resolved(place))}


@lru_cache(256)
def _resolved(place: str) -> str:
    try:
        fd = real.open(place, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return place
    try:
        return real.readlink(f"/proc/self/fd/{fd}")
    finally:
        real.close(fd)


@lru_cache(256)
def _project(directory: str) -> str:
    """Return the nearest directory above that holds a project; else the directory itself."""
    here = directory
    while here not in ("", "/"):
        if any(_exists(f"{here}/{name}") for name in _PROJECT):
            return here
        here = os.path.dirname(here)
    return directory


def is_directory(path: str) -> bool:
    """Tell whether there is a directory."""
    try:
        return stat.S_ISDIR(real.stat(path).st_mode)
    except (OSError, ValueError):
        return False


def _exists(path: str) -> bool:
    try:
        real.stat(path)
    except (OSError, ValueError):
        return False
    return True


def _working_directory() -> str:
    try:
        return real.getcwd()
    except FileNotFoundError:
        return "/"
