"""The arguments of one spawn, as CPython hands them to ``Popen._execute_child``, and the request they make."""

from __future__ import annotations

import functools
import inspect
import operator
import os
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from testbench.errors import UnsupportedError
from testbench.protocol import Plain


class Spawn(NamedTuple):
    """The parameters of ``Popen._execute_child`` on POSIX, in CPython's order (3.11 to 3.13 agree).

    File descriptors are -1 where there is none. Names that begin with ``p2c`` belong to the child's stdin, ``c2p`` to
    its stdout, ``err`` to its stderr; the first of each pair is the end that is read.
    """

    args: Any
    executable: Any
    preexec_fn: Any
    close_fds: Any
    pass_fds: Any
    cwd: Any
    env: Any
    startupinfo: Any
    creationflags: Any
    shell: Any
    p2cread: int
    p2cwrite: int
    c2pread: int
    c2pwrite: int
    errread: int
    errwrite: int
    restore_signals: Any
    gid: Any
    gids: Any
    uid: Any
    umask: Any
    start_new_session: Any
    process_group: Any

    @property
    def read_ends(self) -> tuple[int, int, int]:
        """The end to read of each pipe."""
        return self.p2cread, self.c2pread, self.errread

    @property
    def childs_ends(self) -> list[int]:
        """Those ends of the pipes that only the child has, once it has started."""
        ends = ((self.p2cread, self.p2cwrite), (self.c2pwrite, self.c2pread), (self.errwrite, self.errread))
        return [theirs for theirs, ours in ends if ours != -1]

    @property
    def outside(self) -> dict[str, int]:
        """The descriptors of the streams that are no pipes between child and program, inherited ones too."""
        found = {}
        if self.p2cwrite == -1:
            found["stdin"] = 0 if self.p2cread == -1 else self.p2cread
        if self.c2pread == -1:
            found["stdout"] = 1 if self.c2pwrite == -1 else self.c2pwrite
        if self.errread == -1 and (self.c2pread == -1 or self.errwrite != self.c2pwrite):
            found["stderr"] = 2 if self.errwrite == -1 else self.errwrite
        return found

    @property
    def passed(self) -> dict[str, int]:
        """Descriptors of the program that the child has as well, by the name of the stream that they are to it."""
        fds = self.pass_fds if self.close_fds else inheritable()
        try:
            return {f"fd{fd}": fd for fd in sorted(fds) if fd > 2}
        except TypeError:
            return {}  # CPython raises for them

    @property
    def rest(self) -> tuple[Any, ...]:
        """Arguments that change the child and are seldom given."""
        return self[2:5] + self[16:]


_REST_BY_DEFAULT: Final = (None, True, (), True, None, None, None, -1, False, -1)
"""What ``Popen.__init__`` hands on for those that were not given."""

_DEFAULTS: Final[dict[str, Plain]] = {
    "close_fds": True,
    "restore_signals": True,
    "start_new_session": False,
    "process_group": -1,
    "user": None,
    "group": None,
    "extra_groups": None,
    "umask": -1,
    "pass_fds": 0,
    "preexec_fn": False,
}
"""A request names only those that differ from this."""


def check_signature(function: Callable[..., Any]) -> None:
    """Make sure that CPython still passes what `Spawn` lists.

    Raises:
        UnsupportedError: it does not.
    """
    names = _parameters(function)
    if names != ("self", *Spawn._fields):
        raise UnsupportedError(
            f"subprocess.Popen._execute_child has the parameters {', '.join(names)}; expected those of CPython 3.11 to "
            f"3.13: self, {', '.join(Spawn._fields)}. Use one of these versions, take away what replaced the method, "
            'or record without processes: recorders=("clock", "call").'
        )


@functools.lru_cache(maxsize=4)
def _parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    return tuple(inspect.signature(function).parameters)


def listed(args: Any) -> Any:
    """Return ``args`` so that it can be read twice, as CPython lists it: a list, or the one argument.

    Raises:
        TypeError: as CPython does for what cannot be listed.
    """
    return args if type(args) is not list and isinstance(args, (str, bytes, os.PathLike)) else list(args)


def request_of(spawn: Spawn, stdio: Mapping[str, Plain], env_names: tuple[str, ...]) -> dict[str, Plain]:
    """Return the request of a spawn.

    Args:
        spawn: its arguments; ``args`` went through `listed`.
        stdio: the fields that tell what the three standard streams are.
        env_names: environment variables that belong to the request.
    """
    argv = plain_args(spawn.args)
    program = "/bin/sh" if spawn.shell else argv[0] if argv else None
    return {
        "program": as_plain(spawn.executable) if spawn.executable else program,
        "argv": argv,
        "shell": bool(spawn.shell),
        "cwd": None if spawn.cwd is None else as_plain(spawn.cwd),
        "env": _declared(spawn.env, env_names),
        **stdio,
        "options": _options(spawn),
    }


def plain_args(args: Any) -> list[Plain]:
    """Return arguments that went through `listed` as a list, whether one or many were given."""
    return list(map(as_plain, args)) if type(args) is list else [as_plain(args)]


def as_plain(value: Any) -> Plain:
    """Return one argument as it was given: text as text, bytes as bytes, paths by ``os.fspath``.

    What no child can be started with is named by its type; CPython raises TypeError for it.
    """
    if type(value) is str:
        return value
    try:
        value = os.fspath(value)
    except TypeError:
        return {"unfit": type(value).__name__}
    return str.__str__(value) if isinstance(value, str) else bytes(memoryview(value))


def _declared(env: Any, names: tuple[str, ...]) -> Plain:
    if not names:
        return None
    try:
        given = {os.fsencode(key): value for key, value in (os.environ if env is None else env).items()}
    except (AttributeError, TypeError):
        return None  # no environment at all; CPython raises for it
    return {name: as_plain(given[os.fsencode(name)]) if os.fsencode(name) in given else None for name in names}


def _options(spawn: Spawn) -> dict[str, Plain]:
    if all(map(operator.is_, spawn.rest, _REST_BY_DEFAULT)):
        return {}
    given: dict[str, Plain] = {
        "close_fds": bool(spawn.close_fds),
        "restore_signals": bool(spawn.restore_signals),
        "start_new_session": bool(spawn.start_new_session),
        "process_group": _number(spawn.process_group),
        "user": _number(spawn.uid),
        "group": _number(spawn.gid),
        "extra_groups": None if spawn.gids is None else [_number(gid) for gid in spawn.gids],
        "umask": _number(spawn.umask),
        "pass_fds": _count(spawn.pass_fds),
        "preexec_fn": spawn.preexec_fn is not None,
    }
    return {name: value for name, value in given.items() if value != _DEFAULTS[name]}


def inheritable() -> list[int]:
    """Return the descriptors that every child has that is not told to close what it inherits."""
    found = []
    for number in map(int, os.listdir("/proc/self/fd")):
        try:
            if os.get_inheritable(number):
                found.append(number)
        except OSError:  # the descriptor of this very listing
            continue
    return found


def _number(value: Any) -> Plain:
    return None if value is None else int(value) if isinstance(value, int) else {"unfit": type(value).__name__}


def _count(fds: Any) -> Plain:
    try:
        return len(set(fds))
    except TypeError:
        return {"unfit": type(fds).__name__}
