"""Under which directories the doings of a child are looked for: those that were declared, or else those it is given."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from testbench.inplace import real
from testbench.inplace.elsewhere import stands

_GIVEN: Final = (("home", "HOME"), ("tmp", "TMPDIR"))
"""Roots that a child has if its environment says so, and differs in that from the program's."""

_LOOK: Final = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


class Root(NamedTuple):
    """One root.

    Attributes:
        name: what it is to the child: ``"cwd"``, ``"home"``, ``"tmp"``, or ``"root 1"`` for the first declared one.
        path: where it is here; absolute, without symbolic links.
    """

    name: str
    path: bytes


def roots_of(cwd: Any, env: Any, declared: Sequence[bytes] | None) -> list[Root]:
    """Return the roots of a child, each directory once.

    Args:
        cwd: the working directory that it is given, None for that of the program.
        env: the environment that it is given, None for that of the program.
        declared: instead of all others, absolute.
    """
    if declared is not None:
        return [Root(f"root {number}", resolved(path)) for number, path in enumerate(declared, 1)]
    found = [Root("cwd", where) for where in _working_directory(cwd)]
    for name, variable in _GIVEN:
        given = _variable(env, variable)
        if given:
            found.append(Root(name, resolved(os.path.join(*(root.path for root in found[:1]), given))))
    return [root for at, root in enumerate(found) if root.path not in (other.path for other in found[:at])]


def resolved(path: bytes) -> bytes:
    """Return where a directory really is; the directory itself may not be there yet."""
    path = os.path.normpath(path) if path.endswith(b"/") else path
    try:
        return _where(path)
    except OSError:
        parent, name = os.path.split(path)
        try:
            return os.path.join(_where(parent), name)
        except OSError:
            return path


def _working_directory(cwd: Any) -> list[bytes]:
    """Return the working directory of a child; none if it is that of the program, and has been taken away."""
    given = b"" if cwd is None else os.fsencode(cwd)
    try:
        return [resolved(given if os.path.isabs(given) else os.path.join(real.getcwdb(), given))]
    except FileNotFoundError:
        return []


def _where(path: bytes) -> bytes:
    fd = real.open(stands(path), _LOOK)
    try:
        return real.readlink(b"/proc/self/fd/%d" % fd)
    finally:
        real.close(fd)


def _variable(env: Any, name: str) -> bytes:
    """Return what an environment that was given says, empty if that is what the program has as well."""
    if not isinstance(env, Mapping):
        return b""
    try:
        given = env[name] if name in env else env[os.fsencode(name)]
    except (LookupError, TypeError):
        return b""  # not there; or it takes no bytes, as os.environ
    try:
        return b"" if given in (os.environ.get(name), os.environb.get(os.fsencode(name))) else os.fsencode(given)
    except TypeError:
        return b""  # CPython raises for it
