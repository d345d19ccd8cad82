from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path

import pytest

from testbench.cli._launch import ignores_environment
from testbench.cli._program import PythonProgram, find, resolve


def executable(path: Path, text: str) -> str:
    """Write an executable file and return its path."""
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def words(program: PythonProgram | None) -> tuple[list[str], str, str, list[str]]:
    """Return the parts of a program that the command line decides."""
    assert program is not None
    return program.options, program.how, program.target, program.arguments


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["s.py"], ([], "script", "s.py", [])),
        (["-u", "s.py", "-u"], (["-u"], "script", "s.py", ["-u"])),
        (["-W", "error", "-X", "utf8", "s.py"], (["-W", "error", "-X", "utf8"], "script", "s.py", [])),
        (["-Werror", "-OO", "s.py"], (["-Werror", "-OO"], "script", "s.py", [])),
        (["-OWerror", "s.py"], (["-OWerror"], "script", "s.py", [])),
        (["-BW", "error", "s.py"], (["-BW", "error"], "script", "s.py", [])),
        (["--check-hash-based-pycs", "never", "s.py"], (["--check-hash-based-pycs", "never"], "script", "s.py", [])),
        (["-m", "m", "a"], ([], "module", "m", ["a"])),
        (["-Im", "m", "-c"], (["-I"], "module", "m", ["-c"])),
        (["-mm", "a"], ([], "module", "m", ["a"])),
        (["-c", "1", "-m"], ([], "code", "1", ["-m"])),
        (["-uc1", "a"], (["-u"], "code", "1", ["a"])),
        (["-c", "", "a"], ([], "code", "", ["a"])),
        (["folder"], ([], "script", "folder", [])),
    ],
)
def test_interpreter_options_are_told_from_the_program(arguments: list[str], expected: object) -> None:
    """The words after python are split as the interpreter itself splits them."""
    assert words(resolve([sys.executable, *arguments])) == expected


@pytest.mark.parametrize("arguments", [[], ["-"], ["--version"], ["-V"], ["-hc", "1"], ["-c"], ["-u", "-"], ["-m"]])
def test_an_interpreter_without_a_program_is_no_python_program(arguments: list[str]) -> None:
    """An interactive interpreter, a version or a program on stdin cannot be recorded from inside."""
    assert resolve([sys.executable, *arguments]) is None


def test_a_console_script_is_found_through_its_first_line(tmp_path: Path) -> None:
    """A file that starts with a #! line naming Python is a script of that interpreter, options included."""
    script = executable(tmp_path / "tool", f"#!{sys.executable} -I\n")
    program = resolve([script, "-x"])
    assert words(program) == (["-I"], "script", script, ["-x"])
    assert program is not None
    assert (program.executable, program.name) == (sys.executable, sys.executable)


@pytest.mark.parametrize("line", ["#!/usr/bin/env python3", "#! /usr/bin/env python3", "#!/usr/bin/env -S python3 -u"])
def test_env_in_the_first_line_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    """The interpreter that env would search for in PATH is the one that is used."""
    python = executable(tmp_path / "python3", "")
    monkeypatch.setenv("PATH", str(tmp_path))
    program = resolve([executable(tmp_path / "tool", f"{line}\n")])
    assert program is not None
    assert program.executable == python
    assert program.options == (["-u"] if line.endswith("-u") else [])


def test_the_form_for_long_interpreter_paths_is_understood(tmp_path: Path) -> None:
    """Installers write a line of shell when the path of the interpreter has spaces; that line is read."""
    python = executable(tmp_path / "python", "")
    script = executable(tmp_path / "tool", f"#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\n")
    program = resolve([script])
    assert program is not None
    assert (program.executable, program.target) == (python, script)


def test_other_programs_are_no_python_programs(tmp_path: Path) -> None:
    """A binary and a shell script have nothing inside that could be recorded."""
    assert resolve(["/bin/sh", "-c", "true"]) is None
    assert resolve([executable(tmp_path / "tool", "#!/bin/sh\n")]) is None


def test_a_missing_program_is_reported_as_the_shell_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """No file in PATH gives FileNotFoundError with the name."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(FileNotFoundError, match="no-such-program"):
        find("no-such-program")


def test_a_file_without_the_right_to_run_is_told_from_a_missing_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file in PATH that is not executable gives PermissionError, unless a later one is."""
    (tmp_path / "tool").write_text("#!/bin/sh\n")
    monkeypatch.setenv("PATH", f"/nowhere:{tmp_path}")
    with pytest.raises(PermissionError):
        find("tool")
    later = tmp_path / "later"
    later.mkdir()
    executable(later / "tool", "#!/bin/sh\n")
    monkeypatch.setenv("PATH", f"{tmp_path}:{later}")
    assert find("tool") == str(later / "tool")


def test_a_python_file_without_a_first_line_cannot_be_executed(tmp_path: Path) -> None:
    """The kernel would refuse it with ENOEXEC, and so do we."""
    with pytest.raises(OSError, match=os.strerror(errno.ENOEXEC)):
        resolve([executable(tmp_path / "tool.py", "print()\n")])


def test_an_unreadable_executable_is_no_python_program(tmp_path: Path) -> None:
    """A program that may be run and not read is run without looking into it."""
    tool = executable(tmp_path / "tool", "#!/bin/sh\n")
    os.chmod(tool, stat.S_IXUSR)
    assert resolve([tool]) is None


@pytest.mark.parametrize(
    ("options", "ignored"),
    [
        ([], False),
        (["-I"], True),
        (["-sE"], True),
        (["-Werror::ImportWarning", "-X", "dev"], False),
        (["-W", "E"], False),
    ],
)
def test_options_that_hide_the_hash_seed_are_known(options: list[str], ignored: bool) -> None:
    """Python ignores its environment with -E and -I, and the user is told then."""
    assert ignores_environment(options) is ignored
