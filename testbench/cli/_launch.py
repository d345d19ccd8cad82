"""Start a program with a session inside it: become its interpreter, or watch it from outside when it has none."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, NoReturn, TypeAlias

from testbench.cli._exit import NOT_EXECUTABLE, NOT_FOUND, SIGNALLED
from testbench.cli._program import PythonProgram, is_python, resolve

SessionOrder: TypeAlias = tuple[str, str, Mapping[str, Any]]
"""A session to be opened in another process: function of the API, path of the tape, keyword arguments."""

# Any Python may be asked to run this, also one that is too old for us; and no file of the current directory may be
# taken for a module of the library before the program itself starts.
_BOOT: Final = """\
import sys
if not getattr(sys.flags, "safe_path", False):
    del sys.path[0]
try:
    from testbench.cli._inside import main
except (ImportError, SyntaxError) as error:
    sys.stderr.write(
        "testbench: %s (Python %d.%d) cannot import testbench (%s). A Python program is recorded from inside, so "
        "testbench has to be installed where the program runs:\\n  %s -m pip install testbench\\n"
        % (sys.executable, sys.version_info[0], sys.version_info[1], error, sys.executable)
    )
    sys.exit(72)
main(sys.argv[1], sys.argv[2:])
"""

_DONE: Final = {"record": "recorded", "replay": "replayed", "verify": "verified", "session": "followed"}
_FLAGS: Final = {"script": [], "module": ["-m"], "code": ["-c"]}
_NOTICE: Final = (
    "testbench: {name} is not a Python program, so nothing inside it can be {done}: only its own outcome is, as one "
    "process\n"
)

_UNSEEDED: Final = (
    "testbench: with this option Python ignores PYTHONHASHSEED, so the order of sets may differ from run to run\n"
)


def launch(
    command: Sequence[str],
    order: SessionOrder,
    session: Callable[[], AbstractContextManager[object]],
    environment: Mapping[str, str],
    *,
    in_json: bool = False,
) -> int:
    """Run a command under a session.

    Args:
        command: the words of the command.
        order: the session to open inside the program, if it is Python. Then this process becomes the program and the
            function does not return.
        session: opens the same session here, for a program that is not Python.
        environment: variables to set for a Python program.
        in_json: say a divergence in JSON.

    Returns:
        The exit status of a program that is not Python, or 126 or 127 when there is none to start.
    """
    try:
        program = resolve(command)
    except OSError as error:
        if order[0] != "replay" or is_python(command[0]):
            return _cannot_start(command, error)
        program = None  # the tape may know its outcome
    try:
        if program is not None:
            become(program, order, environment, in_json=in_json)
        sys.stderr.write(_NOTICE.format(name=command[0], done=_DONE[order[0]]))
        return watch(command, session)
    except OSError as error:
        return _cannot_start(command, error)


def watch(command: Sequence[str], session: Callable[[], AbstractContextManager[object]]) -> int:
    """Run a command in a session of this process and return its status as a shell does.

    Raises:
        OSError: it could not be started; that is an outcome, and on the tape.
    """
    failure: OSError | None = None
    with session():
        try:
            status = subprocess.run(command).returncode
        except OSError as error:
            failure = error
    if failure is not None:
        raise failure
    return status if status >= 0 else SIGNALLED - status


def become(
    program: PythonProgram, order: SessionOrder, environment: Mapping[str, str], *, in_json: bool = False
) -> NoReturn:
    """Replace this process by the program's interpreter, which opens the session and runs the program.

    Raises:
        OSError: the system refuses (``execve(2)``).
    """
    if ignores_environment(program.options):
        sys.stderr.write(_UNSEEDED)
    start = [program.name, *program.options]
    before = [*start, *_FLAGS[program.how]]
    instructions = json.dumps({"session": order, "how": program.how, "at": len(before), "json": in_json})
    words = [*start, "-c", _BOOT, instructions, *before, program.target, *program.arguments]
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(program.executable, words, {**os.environ, **environment})


def ignores_environment(options: Sequence[str]) -> bool:
    """Tell whether Python would not see ``PYTHONHASHSEED`` with these interpreter options."""
    return any(re.match(r"-[^-WX]*[IE]", option) for option in options)


def _cannot_start(command: Sequence[str], error: OSError) -> int:
    reason, status = f"{error.filename}: {error.strerror}", NOT_EXECUTABLE
    if error.errno == errno.ENOENT:
        reason, status = f"{error.filename}: there is no such program; is it installed, and in PATH?", NOT_FOUND
    elif command[0].endswith(".py"):
        reason += f"; try: -- python {command[0]}"
    sys.stderr.write(f"testbench: {reason}\n")
    return status
