"""Work out what a command runs: which Python interpreter with which options on which program, or none at all."""

from __future__ import annotations

import errno
import os
import re
import shlex
from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

from attrs import frozen

How: TypeAlias = Literal["script", "module", "code"]

_PYTHON: Final = re.compile(r"(python|pypy)[0-9.]*[a-z]?$")
_WITH_ARGUMENT: Final = "WX"  # single-letter options of the interpreter that take one (`python --help`)
_LONG_WITH_ARGUMENT: Final = "--check-hash-based-pycs"
_NO_PROGRAM: Final = frozenset("hV?")  # these print something and end
_SHEBANG_LENGTH: Final = 1024


@frozen(kw_only=True)
class PythonProgram:
    """A command that runs Python code.

    Attributes:
        executable: path of the interpreter.
        name: what the interpreter sees as its own name, ``argv[0]`` of the process.
        options: interpreter options, as given.
        how: what `target` is.
        target: path of a script, a directory or a zip file; name of a module; or the code itself.
        arguments: what the program finds in ``sys.argv[1:]``.
    """

    executable: str
    name: str
    options: list[str]
    how: How
    target: str
    arguments: list[str]


def resolve(command: Sequence[str]) -> PythonProgram | None:
    """Say what a command runs, as the shell and the kernel would.

    Args:
        command: the words of the command, the program first.

    Returns:
        The Python program; None when the command is not Python, or is a Python interpreter without a program.

    Raises:
        FileNotFoundError: there is no such program, or its ``#!`` line names none.
        PermissionError: it is there and may not be executed.
        OSError: with ``ENOEXEC``, a text file without a ``#!`` line.
    """
    path = find(command[0])
    if is_python(command[0]):
        return _interpreter(path, command[0], list(command[1:]))
    line = _shebang(path)
    if not line:
        return None
    if os.path.basename(line[0]) == "env":
        line = [find(line[1]) if len(line) > 1 else line[0], *line[2:]]
    if not is_python(line[0]):
        return None
    return _interpreter(find(line[0]), line[0], [*line[1:], path, *command[1:]])


def is_python(name: str) -> bool:
    """Tell whether a program's name is that of a Python interpreter."""
    return _PYTHON.match(os.path.basename(name)) is not None


def find(name: str) -> str:
    """Return the path of a program, searched for as ``execvp(3)`` does.

    Raises:
        FileNotFoundError: it is nowhere.
        PermissionError, IsADirectoryError: it is there and cannot be executed.
    """
    folders = [""] if "/" in name else os.get_exec_path()
    seen = None
    for folder in folders:
        path = os.path.join(folder, name)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
        if os.path.exists(path):
            seen = path
    if seen is not None:
        number = errno.EISDIR if os.path.isdir(seen) else errno.EACCES
        raise OSError(number, os.strerror(number), seen)  # of the class that belongs to the number
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)


def _interpreter(executable: str, name: str, words: list[str]) -> PythonProgram | None:
    """Split the words after an interpreter into its options, the program and the program's arguments."""
    at = 0
    while at < len(words) and words[at].startswith("-") and words[at] != "-":
        word = words[at]
        at += 1
        if word.startswith("--"):
            if word != _LONG_WITH_ARGUMENT:
                return None
            at += 1
            continue
        letters = _letters(word)
        last, attached = letters[-1], word[1 + len(letters) :]
        if _NO_PROGRAM & set(letters):
            return None
        if last in "cm":
            options = words[: at - 1] + ([f"-{letters[:-1]}"] if len(letters) > 1 else [])
            rest = ([attached] if attached else []) + words[at:]
            return _program(executable, name, options, "code" if last == "c" else "module", rest)
        if last in _WITH_ARGUMENT and not attached:
            at += 1
    if at >= len(words) or words[at] == "-":
        return None
    return _program(executable, name, words[:at], "script", words[at:])


def _letters(word: str) -> str:
    """Return the letters of a word such as ``-OWignore``, up to the first that takes the rest as its argument."""
    match = re.match(r"-([^cmWX]*[cmWX]?)", word)
    return match[1] if match else ""


def _program(executable: str, name: str, options: list[str], how: How, rest: list[str]) -> PythonProgram | None:
    if not rest:
        return None
    return PythonProgram(executable=executable, name=name, options=options, how=how, target=rest[0], arguments=rest[1:])


def _shebang(path: str) -> list[str]:
    """Return the words of a file's ``#!`` line, [] for a binary.

    Raises:
        OSError: with ``ENOEXEC``, for a ``.py`` file without such a line.
    """
    try:
        with open(path, "rb") as file:
            first, _, more = file.read(_SHEBANG_LENGTH).partition(b"\n")
    except PermissionError:  # it may be run and not read: a binary, then
        return []
    if not first.startswith(b"#!"):
        if path.endswith(".py"):
            raise OSError(errno.ENOEXEC, os.strerror(errno.ENOEXEC), path)
        return []
    words = os.fsdecode(first[2:]).split(None, 1)
    if len(words) == 2 and words[1].startswith("-S"):  # env -S splits the rest itself
        words = [words[0], *shlex.split(words[1][2:])]
    # Installers write this instead of an interpreter's path that is long or has spaces; sh reads it, and so do we.
    second = os.fsdecode(more.partition(b"\n")[0])
    if second.startswith("'''exec' "):
        words = shlex.split(second.removeprefix("'''exec' "))[:1]
    return [word.strip() for word in words]
