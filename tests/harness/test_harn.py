from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import testbench
from testbench.cli import main
from testbench.errors import UsageError
from testbench.harness import export_harn, import_harn

Made = Callable[[object], Path]


@pytest.fixture
def imported(tmp_path: Path) -> Made:
    """Write processes as JSON, import them, and return the tape."""

    def imported(processes: object) -> Path:
        source = tmp_path / "processes.json"
        source.write_text(processes if isinstance(processes, str) else json.dumps(processes))
        return import_harn(source, tmp_path / "processes.tape")

    return imported


def recorded(tmp_path: Path, *runs: tuple[Any, dict[str, Any]]) -> Path:
    """Record some processes, each given by the arguments of subprocess.run."""
    path = tmp_path / "recorded.tape"
    with testbench.record(path):
        for args, options in runs:
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):  # outcomes, too
                subprocess.run(args, **options)
    return path


def test_a_hand_written_fixture_replays(imported: Made) -> None:
    """Outputs, exit status and order are those of the file; the programs are not even there."""
    path = imported(
        [
            {"program": "forge", "args": ["push", "é"], "cwd": None, "env": {"A": "b"}, "stdout": "done é\n"},
            {"program": "forge", "args": ["pull"], "stderr": "no\n", "exit_code": 3, "duration_ms": 1500},
        ]
    )
    assert testbench.check(path) == []
    with testbench.replay(path):
        push = subprocess.run(["forge", "push", "é"], capture_output=True)
        pull = subprocess.run(["forge", "pull"], capture_output=True, text=True, cwd="/")
    assert (push.stdout, push.stderr, push.returncode) == ("done é\n".encode(), b"", 0)
    assert (pull.stdout, pull.stderr, pull.returncode) == ("", "no\n", 3)


@pytest.mark.parametrize("how", ["call", "check_output", "Popen", "devnull", "merged", "input"])
def test_a_fixture_answers_every_way_of_running(imported: Made, how: str) -> None:
    """How the program takes a process's output is its own business: the form does not say it, so anything matches."""
    path = imported([{"program": "tool", "args": ["x"], "stdout": "out"}])
    with testbench.replay(path):
        if how == "call":
            assert subprocess.call(["tool", "x"], stdout=subprocess.DEVNULL) == 0
        elif how == "check_output":
            assert subprocess.check_output(["tool", "x"]) == b"out"
        elif how == "Popen":
            with subprocess.Popen(["tool", "x"], stdout=subprocess.PIPE) as process:
                assert process.communicate() == (b"out", None)
        elif how == "devnull":
            assert subprocess.run(["tool", "x"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE).stdout == b"out"
        elif how == "merged":
            assert subprocess.run(["tool", "x"], stdout=-1, stderr=subprocess.STDOUT).stdout == b"out"
        else:
            assert subprocess.run(["tool", "x"], input=b"in", stdout=subprocess.PIPE).stdout == b"out"


@pytest.mark.parametrize(
    ("recorded_cwd", "command", "options"),
    [(None, ["tool", "y"], {}), (None, ["other", "x"], {}), ("/srv", ["tool", "x"], {"cwd": "/"})],
)
def test_program_arguments_and_directory_have_to_match(
    imported: Made, recorded_cwd: str | None, command: list[str], options: dict[str, str]
) -> None:
    """Another program, argument or working directory is a divergence; a directory of null matches any."""
    path = imported([{"program": "tool", "args": ["x"], "cwd": recorded_cwd}])
    with pytest.raises(testbench.MismatchError), testbench.replay(path):
        subprocess.run(command, **options)


@pytest.mark.parametrize("text", ["", "[]"])
def test_an_empty_file_is_a_tape_without_events(imported: Made, text: str) -> None:
    """Nothing may happen in a replay of it."""
    path = imported(text)
    with testbench.open_tape(path) as tape:
        assert len(tape) == 0
    with testbench.replay(path):
        sum(range(10))
    with pytest.raises(testbench.ExhaustedError), testbench.replay(path):
        subprocess.run(["tool"])


def test_what_was_imported_is_exported_again(imported: Made) -> None:
    """The form survives the way through a tape, every field of it."""
    processes = [
        {
            "program": "forge",
            "args": ["-c", "é\n", ""],
            "cwd": "/srv/päth",
            "env": {"A": "1", "B": ""},
            "stdout": "line\r\n\x00end" + "x" * 5000,
            "stderr": "ü",
            "exit_code": -9,
            "duration_ms": 1234,
        },
        {
            "program": "a",
            "args": [],
            "cwd": None,
            "env": {},
            "stdout": "",
            "stderr": "",
            "exit_code": 0,
            "duration_ms": 0,
        },
    ]
    export = export_harn(imported(processes))
    assert json.loads(export.text) == processes
    assert export.notes == []


def test_a_recorded_tape_is_exported(tmp_path: Path) -> None:
    """Processes come in order with their outputs; events of other kinds are named as left out."""
    path = tmp_path / "x.tape"
    with testbench.record(path):
        subprocess.run(["echo", "hello"], capture_output=True)
        subprocess.run("exit 4", shell=True, cwd="/")
        __import__("time").time()
    export = export_harn(path)
    first, second = json.loads(export.text)
    assert (first["program"], first["args"], first["stdout"], first["exit_code"]) == ("echo", ["hello"], "hello\n", 0)
    assert (second["program"], second["args"], second["cwd"], second["exit_code"]) == (
        "/bin/sh",
        ["-c", "exit 4"],
        "/",
        4,
    )
    assert export.notes == ["1 event of kind clock.time left out"]


LOSSES = {
    "stdout is not UTF-8": (["printf", r"\377\n"], {"capture_output": True}),
    "bytes were sent to its stdin": (["cat"], {"input": b"12345", "capture_output": True}),
    "timeout": (["sleep", "9"], {"timeout": 0.01, "capture_output": True}),
    "could not be started": (["no-such-program"], {}),
    "is no Unicode text": ([b"echo", b"x"], {"capture_output": True}),
    "it was called": (["echo2", "x"], {"executable": "/bin/echo", "capture_output": True}),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_what_the_form_cannot_say_is_refused(tmp_path: Path, loss: str) -> None:
    """Nothing is lost in silence: it is refused with its event, and named when it is lost on purpose."""
    path = recorded(tmp_path, LOSSES[loss])
    with pytest.raises(UsageError, match=loss) as refused:
        export_harn(path)
    assert "--lossy" in str(refused.value)
    export = export_harn(path, lossy=True)
    assert any(loss in note for note in export.notes)
    assert export.text.encode("utf-8")
    json.loads(export.text)


def test_bytes_that_are_no_text_are_escaped_when_asked(tmp_path: Path) -> None:
    """With lossy they come out as Python escapes, readable and not replaced."""
    path = recorded(tmp_path, LOSSES["stdout is not UTF-8"])
    (process,) = json.loads(export_harn(path, lossy=True).text)
    assert process["stdout"] == "\\xff\n"


def test_os_system_is_a_shell_of_its_own(tmp_path: Path) -> None:
    """It is exported as the shell that ran it, with the exit status and not the wait status."""
    path = tmp_path / "x.tape"
    code = f"import os, testbench\nwith testbench.record({str(path)!r}): os.system('echo hello; exit 3')"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    (process,) = json.loads(export_harn(path).text)
    assert (process["args"], process["stdout"], process["exit_code"]) == (["-c", "echo hello; exit 3"], "hello\n", 3)


def test_a_bad_file_leaves_an_older_tape_alone(imported: Made, tmp_path: Path) -> None:
    """The source is read whole before the tape is begun."""
    path = imported([{"program": "tool"}])
    before = path.read_bytes()
    with pytest.raises(UsageError, match="process 1"):
        imported([{}, {"program": 7}])
    assert path.read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["processes.json", "processes.tape"]


def test_the_commands_do_the_same(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """Import and export from the command line, to a file and to stdout; bad input is bad usage."""
    source, tape, again = (str(tmp_path / name) for name in ("a.json", "a.tape", "b.json"))
    Path(source).write_text('[{"program": "tool", "stdout": "é"}]')
    assert main(["import", "--from", "harn", "-o", tape, source]) == 0
    assert main(["export", "--to", "harn", "-o", again, tape]) == 0
    assert main(["export", "--to", "harn", tape]) == 0
    assert capsysbinary.readouterr().out == Path(again).read_bytes()
    Path(source).write_text('[{"program": 7}]')
    assert main(["import", "--from", "harn", "-o", tape, source]) == 2
    assert b"process 0, field 'program'" in capsysbinary.readouterr().err
    assert main(["import", "--from", "harn", "-o", tape, str(tmp_path / "none.json")]) == 2
    assert main(["import", "--from", "harn", "-o", str(tmp_path / "none" / "a.tape"), again]) == 3
    assert main(["export", "--to", "harn", "-o", str(tmp_path / "none" / "b.json"), tape]) == 2
