from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import testbench

pytestmark = pytest.mark.slow

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Write = Callable[[str, str], str]

PY = sys.executable

PROGRAM = """
import atexit, subprocess, sys, threading, time

def late():
    print("exit handler", time.time())

atexit.register(late)
print(time.time(), sys.argv[1:], subprocess.run(["echo", "hello"], capture_output=True).stdout)
time.sleep(0.05)
threading.Thread(target=lambda: print("thread", time.monotonic())).start()
sys.exit(3)
"""


@pytest.fixture
def program(write: Write) -> str:
    """A program that uses every built-in kind, from its threads and exit handlers, too."""
    return write("program.py", PROGRAM)


def test_a_replay_prints_what_the_recording_printed(run: Run, program: str, tmp_path: Path) -> None:
    """Output and exit status are the program's own, both times, with its tools out of PATH the second."""
    recorded = run("record", "-o", "x.tape", "--", PY, program, "a b")
    assert (recorded.returncode, recorded.stderr) == (3, "")
    assert "exit handler" in recorded.stdout
    assert "thread" in recorded.stdout
    replayed = run("replay", "x.tape", "--rerecord", "y.tape", "--", PY, program, "a b", PATH="/nowhere")
    assert (replayed.returncode, replayed.stderr, replayed.stdout) == (3, "", recorded.stdout)
    assert (tmp_path / "x.tape").read_bytes() == (tmp_path / "y.tape").read_bytes()


@pytest.mark.parametrize("form", ["script", "module", "code", "console script", "executable file", "pytest"])
def test_every_form_of_python_program_is_recorded_from_inside(run: Run, write: Write, form: str) -> None:
    """Whatever starts a Python program, its clock reads are on the tape."""
    code = "import time; print(time.time())"
    path = write("once.py", code)
    tool = write("tool", f"#!{PY}\n{code}\n")
    os.chmod(tool, 0o755)
    test = write("test_once.py", f"def test_once(capsys):\n    {code}\n    assert time.time() > 1\n")
    command = {
        "script": [PY, path],
        "module": [PY, "-m", "once"],
        "code": [PY, "-c", code],
        "console script": ["tool"],
        "executable file": ["./tool"],
        "pytest": [PY, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", test],
    }[form]
    path = os.pathsep.join([os.path.dirname(tool), os.environ["PATH"]])
    recorded = run("record", "-o", "x.tape", "--", *command, PATH=path)
    assert (recorded.returncode, recorded.stderr) == (0, "")
    shown = run("show", "--kind", "clock.time", "x.tape").stdout
    assert "clock.time" in shown
    replayed = run("replay", "x.tape", "--", *command, PATH=path)
    assert (replayed.returncode, replayed.stdout, replayed.stderr) == (0, recorded.stdout, "")


def test_a_program_may_end_by_an_exception(run: Run, write: Write) -> None:
    """An uncaught exception is an ending like any other: the interpreter's traceback, status 1, and a good tape."""
    path = write("bad.py", "import time\n\n\ndef f():\n    raise ValueError(time.time() > 0)\n\n\nf()\n")
    alone = subprocess.run([PY, path], capture_output=True, text=True)
    for verb in (["record", "-o", "x.tape"], ["replay", "x.tape"]):
        done = run(*verb, "--", PY, path)
        assert (done.returncode, done.stdout, done.stderr) == (1, "", alone.stderr)


@pytest.mark.parametrize(
    ("ending", "status", "said"),
    [("sys.exit(0)", 0, ""), ("sys.exit(7)", 7, ""), ("sys.exit('no')", 1, "no\n"), ("sys.exit(None)", 0, "")],
)
def test_the_exit_status_is_that_of_the_program(run: Run, ending: str, status: int, said: str) -> None:
    """Every way of calling sys.exit means what it means without us."""
    done = run("record", "-o", "x.tape", "--", PY, "-c", f"import sys; {ending}")
    assert (done.returncode, done.stderr) == (status, said)


def test_another_argument_is_a_divergence(run: Run, program: str) -> None:
    """The report is on stderr, once, and the status is 71, whatever the program would have ended with."""
    run("record", "-o", "x.tape", "--", PY, program)
    code = PROGRAM.replace("hello", "goodbye")
    done = run("replay", "x.tape", "--", PY, "-c", code)
    assert done.returncode == 71
    assert done.stderr.count("mismatch") == 1
    assert "goodbye" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_divergence_cannot_be_swallowed(run: Run) -> None:
    """A program that catches everything still ends with 71."""
    run("record", "-o", "x.tape", "--", PY, "-c", "import time; time.sleep(0)")
    code = "import time\ntry: time.sleep(1)\nexcept BaseException: pass"
    done = run("replay", "x.tape", "--", PY, "-c", code)
    assert done.returncode == 71


def test_events_that_are_left_over_are_a_divergence(run: Run) -> None:
    """A program that does less than was recorded ends with 71 after its own output."""
    code = "import sys, time\nfor _ in range(int(sys.argv[1])): time.sleep(0)\nprint('done')"
    run("record", "-o", "x.tape", "--", PY, "-c", code, "3")
    done = run("replay", "x.tape", "--", PY, "-c", code, "2")
    assert (done.returncode, done.stdout) == (71, "done\n")
    assert "leftover" in done.stderr


def test_sets_have_the_same_order_on_replay(run: Run) -> None:
    """The hash seed belongs to a run: the given one, or a fixed one, and on replay the recorded one."""
    code = "import os; print(list(map(str, {'a', 'b', 'c', 'd', 'e'})), os.environ['PYTHONHASHSEED'])"
    given = run("record", "-o", "x.tape", "--", PY, "-c", code, PYTHONHASHSEED="42")
    assert given.stdout.endswith(" 42\n")
    assert run("replay", "x.tape", "--", PY, "-c", code, PYTHONHASHSEED="7").stdout == given.stdout
    fixed = run("record", "-o", "y.tape", "--", PY, "-c", code, PYTHONHASHSEED="random")
    assert fixed.stdout.endswith(" 0\n")
    paused = run("record", "--clock", "paused", "-o", "z.tape", "--", PY, "-c", code, PYTHONHASHSEED="9")
    assert run("replay", "z.tape", "--", PY, "-c", code, PYTHONHASHSEED="7").stdout == paused.stdout


def test_a_paused_clock_makes_recordings_identical(run: Run, program: str, tmp_path: Path) -> None:
    """Two recordings of a deterministic program are the same to the last byte."""
    for name in ("a.tape", "b.tape"):
        run("record", "--clock", "paused", "--start", "2026-05-17T08:30:00Z", "-o", name, "--", PY, program)
    assert (tmp_path / "a.tape").read_bytes() == (tmp_path / "b.tape").read_bytes()
    with testbench.open_tape(tmp_path / "a.tape") as tape:
        (first, *_) = tape.events(kind="clock", op="time")
    assert first.values == [1779006600.0]


def test_a_program_that_is_not_python_is_seen_from_outside(run: Run) -> None:
    """Its outcome is on the tape, its status passed on, and a line says that there is no more."""
    recorded = run("record", "-o", "x.tape", "--", "sh", "-c", "echo out; exit 5")
    assert (recorded.returncode, recorded.stdout) == (5, "out\n")
    assert "sh is not a Python program" in recorded.stderr
    kinds = json.loads(run("info", "--json", "x.tape").stdout)["kinds"]
    assert "process.spawn" in kinds
    replayed = run("replay", "x.tape", "--", "sh", "-c", "echo out; exit 5", PATH="/nowhere")
    assert (replayed.returncode, replayed.stdout) == (5, "out\n")


def test_a_program_ended_by_a_signal_gives_the_status_of_a_shell(run: Run) -> None:
    """128 and the number of the signal."""
    done = run("record", "-o", "x.tape", "--", "sh", "-c", "kill -9 $$")
    assert done.returncode == 128 + signal.SIGKILL


@pytest.mark.parametrize(
    ("command", "status", "said"),
    [
        (["no-such-program"], 127, "no such program"),
        (["./plain.txt"], 126, "Permission denied"),
        (["./"], 126, "directory"),
        (["./plain.py"], 126, "python ./plain.py"),
        ([PY, "missing.py"], 2, "can't open file"),
    ],
)
def test_what_cannot_be_started_is_told_as_a_shell_does(
    run: Run, write: Write, tmp_path: Path, command: list[str], status: int, said: str
) -> None:
    """127 for nothing, 126 for something that is no program, and no tape is left."""
    write("plain.txt", "")
    os.chmod(write("plain.py", "print()\n"), 0o755)
    done = run("record", "-o", "x.tape", "--", *command)
    assert done.returncode == status
    assert said in done.stderr
    assert not list(tmp_path.glob("x.tape*"))


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["record", "-o", "x.tape"], 72, "double dash"),
        (["record", "--", PY, "-c", "0"], 72, "-o"),
        (["record", "-o", "x.tape", "--nonsense", "--", PY, "-c", "0"], 72, "--nonsense"),
        (["record", "-o", "x.tape", "--start", "2026-01-01T00:00:00Z", "--", PY, "-c", "0"], 72, "paused"),
        (["record", "-o", "x.tape", "--clock", "paused", "--start", "noon", "--", PY, "-c", "0"], 72, "noon"),
        (["record", "-o", "x.tape", "--recorders", "clocks", "--", PY, "-c", "0"], 72, "clocks"),
        (["record", "-o", "none/x.tape", "--", PY, "-c", "0"], 73, "mkdir"),
        (["record", "-o", ".", "--", PY, "-c", "0"], 73, "directory"),
        (["replay", "none.tape", "--", PY, "-c", "0"], 73, "none.tape"),
        (["replay", "text.tape", "--", PY, "-c", "0"], 73, "text.tape"),
        (["replay", ".", "--", PY, "-c", "0"], 73, "expected a tape"),
    ],
)
def test_what_stands_in_the_way_has_a_status_of_its_own(
    run: Run, write: Write, words: list[str], status: int, said: str
) -> None:
    """72 for bad usage and 73 for the tape, so that neither is taken for the program's status."""
    write("text.tape", "hello\n")
    done = run(*words)
    assert done.returncode == status
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("form", ["python", "other"])
def test_a_command_that_the_system_refuses_is_told(run: Run, write: Write, form: str) -> None:
    """Text without a #! line gives 126 and a reason, whatever its name."""
    os.chmod(write("words", "just words\n"), 0o755)
    os.chmod(write("python3.9", "just words\n"), 0o755)
    done = run("record", "-o", "x.tape", "--", *{"python": ["./python3.9", "x.py"], "other": ["./words"]}[form])
    assert done.returncode == 126
    assert "Exec format error" in done.stderr


def test_an_interrupt_after_a_swallowed_divergence_is_a_divergence(run: Run) -> None:
    """The report has the last word, not the interrupt."""
    run("record", "-o", "x.tape", "--", PY, "-c", "import time; time.sleep(0)")
    code = "import time\ntry: time.sleep(1)\nexcept BaseException: pass\nraise KeyboardInterrupt"
    done = run("replay", "x.tape", "--", PY, "-c", code)
    assert done.returncode == 71
    assert "mismatch" in done.stderr


def test_a_refusal_that_the_program_does_not_catch_ends_it(run: Run, tmp_path: Path) -> None:
    """What cannot be recorded is shown where it happened, the tape is set aside, and the status is 72."""
    code = "import testbench\n@testbench.boundary\ndef strange(): return object()\nstrange()"
    done = run("record", "-o", "x.tape", "--", PY, "-c", code)
    assert done.returncode == 72
    assert "UnsupportedError" in done.stderr
    assert (tmp_path / "x.tape.failed").exists()
    assert not (tmp_path / "x.tape").exists()


def test_an_interpreter_without_testbench_is_told_so(run: Run) -> None:
    """The message names the interpreter and the command that mends it."""
    done = run("record", "-o", "x.tape", "--", PY, "-I", "-S", "-c", "0")
    assert done.returncode == 72
    assert f"{PY} -m pip install testbench" in done.stderr


def test_files_beside_the_program_do_not_stand_in_for_the_library(run: Run, write: Write) -> None:
    """A module of the current directory with the name of one of the library is not imported by us."""
    write("json.py", "raise SystemExit('wrong json')")
    write("attrs.py", "raise SystemExit('wrong attrs')")
    path = write("below.py", "print('fine')")
    done = run("record", "-o", "x.tape", "--", PY, "-P", path, PYTHONSAFEPATH="1")
    assert (done.returncode, done.stdout, done.stderr) == (0, "fine\n", "")


def test_a_failing_recording_leaves_the_good_tape(run: Run, tmp_path: Path) -> None:
    """An interrupted program sets its tape aside, ends as the interpreter ends it, and the old tape stays."""
    run("record", "-o", "x.tape", "--", PY, "-c", "import time; time.time()")
    before = (tmp_path / "x.tape").read_bytes()
    code = "import os, signal, time; time.time(); os.kill(os.getpid(), signal.SIGINT); time.sleep(9)"
    done = run("record", "-o", "x.tape", "--", PY, "-c", code)
    assert done.returncode == -signal.SIGINT
    assert "KeyboardInterrupt" in done.stderr
    assert (tmp_path / "x.tape").read_bytes() == before
    assert (tmp_path / "x.tape.failed").exists()


def test_a_killed_recording_can_be_looked_at(run: Run, tmp_path: Path) -> None:
    """The file that a killed program leaves opens, and is recovered."""
    code = "import os, signal, time\nfor _ in range(9): time.sleep(0.03)\nos.kill(os.getpid(), signal.SIGKILL)"
    assert run("record", "-o", "x.tape", "--", PY, "-c", code).returncode == -signal.SIGKILL
    assert not json.loads(run("info", "--json", "x.tape.partial").stdout)["complete"]
    assert run("recover", "x.tape.partial", "-o", "x.tape").returncode in (0, 3)
    assert run("check", "x.tape").returncode == 0


C_DICE = "import ctypes\nctypes.CDLL(None).rand()"
FORK = "import os, time\npid = os.fork()\nif pid: os.waitpid(pid, 0)\ntime.time()"


def test_a_fork_of_the_program_leaves_the_tape_alone(run: Run) -> None:
    """A child made by os.fork that ends normally does not close its parent's tape."""
    done = run("record", "--leaks", "ignore", "-o", "x.tape", "--", PY, "-c", FORK)
    assert (done.returncode, done.stderr) == (0, "")
    assert run("check", "x.tape").returncode == 0


def test_what_is_not_on_the_tape_is_told(run: Run, tmp_path: Path) -> None:
    """A leak is named on stderr, whatever the program's warning filters; with --leaks fail the tape is set aside."""
    done = run("record", "-o", "x.tape", "--", PY, "-W", "error", "-c", C_DICE)
    assert done.returncode == 0
    assert done.stderr.startswith("testbench: ")
    assert "random.c_function" in done.stderr
    done = run("record", "--leaks", "fail", "-o", "y.tape", "--", PY, "-c", C_DICE)
    assert done.returncode == 71
    assert (tmp_path / "y.tape.failed").exists()


def test_stdin_is_the_programs_own(run: Run, tmp_path: Path) -> None:
    """What is piped to the command reaches the program."""
    done = subprocess.run(
        [PY, "-m", "testbench", "record", "-o", tmp_path / "x.tape", "--", PY, "-c", "print(input())"],
        input="words\n",
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "words\n")


@pytest.mark.parametrize("closed", ["1>&-", "2>&-", "0<&-", "0<&- 1>&- 2>&-"])
def test_a_program_without_its_standard_streams_is_recorded_without_them(closed: str, tmp_path: Path) -> None:
    """Who starts programs with closed descriptors (cron, some supervisors) finds them closed under a tape too."""
    program = (
        "import os, time; time.time()\n"
        "def free(fd):\n"
        "    try: os.fstat(fd)\n"
        "    except OSError: return True\n"
        "open('seen', 'a').write(str([free(fd) for fd in (0, 1, 2)]))"
    )
    for words in ("", " -m testbench record -o run.tape -- python", " -m testbench replay run.tape -- python"):
        command = (
            f'{shlex.quote(sys.executable)}{words.replace("python", shlex.quote(sys.executable))} -c "$1" {closed}'
        )
        done = subprocess.run(
            ["sh", "-c", command, "sh", program],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        assert done.returncode == 0
    seen = (tmp_path / "seen").read_text()
    assert len(seen) % 3 == 0
    assert seen == seen[: len(seen) // 3] * 3


def test_verify_compares_a_live_run_with_the_tape(run: Run, write: Callable[[str, str], str]) -> None:
    """The program runs for real and keeps its status; what the world says otherwise is told, with status 71."""
    script = write("ask.py", "import subprocess\nsubprocess.run(['cat', 'said'])\nraise SystemExit(3)\n")
    write("said", "hello\n")
    assert run("record", "-o", "ask.tape", "--", sys.executable, script).returncode == 3
    assert run("verify", "ask.tape", "--", sys.executable, script).returncode == 3
    write("said", "farewell\n")
    drifted = run("verify", "ask.tape", "--", sys.executable, script)
    assert (drifted.returncode, drifted.stdout) == (71, "farewell\n")
    assert "the world has changed" in drifted.stderr
    assert "+ b'farewell" in drifted.stderr
    told = json.loads(run("verify", "--json", "ask.tape", "--", sys.executable, script).stderr)
    assert (told["code"], told["mode"], told["same"], told["total"]) == ("drift", "semantic", 1, 2)
    assert told["changes"][0]["fields"] == [["outcome.stdout", {"$utf8": "hello\n"}, {"$utf8": "farewell\n"}]]
    assert run("verify", "--fidelity", "phase", "ask.tape", "--", sys.executable, script).returncode == 3


def test_a_session_takes_what_a_recording_takes(run: Run, write: Callable[[str, str], str]) -> None:
    """Its first run has the clock and the seed of its options, and the next ones replay that."""
    script = write("ask.py", "import random, time\nprint(time.time(), random.random())\n")
    command = ("session", "--clock", "paused", "--start", "2030-01-01T00:00:00Z", "--seed", "7", "a.tape")
    first = run(*command, "--", sys.executable, script, CI="")
    assert first.stdout.startswith("1893456000.0 ")
    assert run(*command, "--", sys.executable, script, CI="").stdout == first.stdout


def test_a_divergence_can_be_had_as_json(run: Run, write: Callable[[str, str], str]) -> None:
    """One object on stderr, the same for a Python program and for any other; without a terminal no colours."""
    script = write("ask.py", "import subprocess, sys\nsubprocess.run(['echo', *sys.argv[1:]])\n")
    assert run("record", "-o", "ask.tape", "--", sys.executable, script, "one").returncode == 0
    done = run("replay", "--json", "ask.tape", "--", sys.executable, script, "two")
    report = json.loads(done.stderr)
    assert (done.returncode, report["code"], report["differences"][0][0]) == (71, "mismatch", "argv")
    other = run("replay", "--json", "ask.tape", "--", "/bin/echo", "two")
    assert json.loads(other.stderr.splitlines()[-1])["code"] == "mismatch"
    assert "\x1b" not in run("replay", "ask.tape", "--", sys.executable, script, "two").stderr


def test_a_session_in_any_mode_can_be_had(run: Run, write: Callable[[str, str], str]) -> None:
    """Once records and then replays; splice keeps what is asked as before and says so; off leaves no trace."""
    script = write("ask.py", "import subprocess, sys\nfor w in sys.argv[1:]: subprocess.run(['echo', w])\n")
    command = ["session", "ask.tape", "--", sys.executable, script]
    assert run("session", "--mode", "off", *command[1:], "a", CI="").stdout == "a\n"
    missing = run(*command, "a", CI="1")
    assert (missing.returncode, "there is no tape" in missing.stderr) == (73, True)
    for _ in range(2):
        assert run(*command, "a", "b", CI="").stdout == "a\nb\n"
    assert run(*command, "a", "c", CI="").returncode == 71
    spliced = run("session", "--mode", "new_episodes", *command[1:], "a", "c", CI="")
    assert (spliced.returncode, spliced.stdout) == (0, "a\nc\n")
    assert "2 of 4 events of the old tape were kept" in spliced.stderr
    again = run("session", "--mode", "none", *command[1:], "a", "c", CI="")
    assert (again.returncode, again.stdout, again.stderr) == (0, "a\nc\n", "")


def test_secrets_and_paths_on_the_command_line(run: Run, write: Write) -> None:
    """``--redact`` and ``--placeholders`` say what stands on the tape instead; a replay may have other ones."""
    program = write(
        "say.py", "import subprocess, sys\nprint(subprocess.run(['echo', *sys.argv[1:]], capture_output=True).stdout)"
    )
    options = ("--redact", r"\d{4}-\d\d", "--placeholders")
    recorded = run("record", *options, "DATA=/srv/d", "-o", "x.tape", "--", PY, program, "4711-22", "/srv/d/x")
    assert recorded.stdout == "b'4711-22 /srv/d/x\\n'\n"
    shown = run("show", "x.tape").stdout
    assert "argv=['echo', '${1...}', '${DATA}/x']" in shown
    assert "4711" not in shown
    replayed = run("replay", *options, "DATA=/mnt", "x.tape", "--", PY, program, "0815-33", "/mnt/x")
    assert (replayed.returncode, replayed.stdout) == (0, "b'${1...} /srv/d/x\\n'\n")
