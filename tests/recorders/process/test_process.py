"""What programs see of their children is the same as it is, recorded, and replayed without any process."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from subprocess import PIPE, STDOUT, Popen, check_output, run  # bound before any session, on purpose
from typing import Any

import pytest

PY = sys.executable
BIG = bytes(range(256)) * 4096  # 1 MiB


class OwnPopen(Popen):  # type: ignore[type-arg]
    """A subclass with a life of its own."""

    waited = 0

    def wait(self, timeout: Any = None) -> Any:
        """Count."""
        self.waited += 1
        return super().wait(timeout)


def _expired(call: Any) -> Any:
    try:
        call()
    except subprocess.TimeoutExpired as error:
        return error.cmd, error.output, error.stderr, error.stdout
    return "it did not expire"


def _run_timeout(place: Path) -> Any:
    command = ["sh", "-c", f"echo partial; echo trouble >&2; exec cat {place}/fifo"]
    return _expired(lambda: run(command, capture_output=True, timeout=0.5))


def _timeout_then_rest(place: Path) -> Any:
    child = Popen(["sh", "-c", f"echo partial; echo ready >&2; exec cat {place}/fifo"], stdout=PIPE, stderr=PIPE)
    ready = child.stderr.readline()
    first = _expired(lambda: child.communicate(timeout=0.01))
    closed = child.stdout.closed, child.stderr.closed
    second = _expired(lambda: child.communicate(timeout=0.01))
    child.kill()
    return ready, first, closed, second, child.communicate(), child.returncode, child.stdout.closed


def _timeout_text(place: Path) -> Any:
    with Popen(["sh", "-c", f"echo é; exec cat {place}/fifo"], stdout=PIPE, stderr=PIPE, text=True) as child:
        child.stdout.read(0)
        expired = _expired(lambda: child.communicate(timeout=0.5))
        child.terminate()
        return expired, child.wait(), child.communicate()


def _timeout_in_input(place: Path) -> Any:
    child = Popen(["sh", "-c", f"echo started; exec cat {place}/fifo"], stdin=PIPE, stdout=PIPE)
    line = child.stdout.readline()
    expired = _expired(lambda: child.communicate(BIG, timeout=0.01))
    again = _raised(lambda: child.communicate(b"more"))
    child.kill()
    closed, rest = child.stdin.closed, child.communicate()
    left_open = not child.stdin.closed
    _raised(child.stdin.close)
    return line, expired, closed, again, rest, left_open, child.returncode


def _wait_timeout(place: Path) -> Any:
    child = Popen(["cat", f"{place}/fifo"])
    expired = _expired(lambda: child.wait(timeout=0.01))
    child.send_signal(signal.SIGTERM)
    return expired, child.wait(5), child.returncode, child.poll()


def _raised(call: Any) -> Any:
    try:
        return call()
    except Exception as error:
        return type(error), str(error)


def _call_timeout(place: Path) -> Any:
    return _expired(lambda: subprocess.call(["cat", f"{place}/fifo"], timeout=0.01))


def _communicate_twice(place: Path) -> Any:
    both = Popen(["sh", "-c", "echo a; echo b >&2"], stdout=PIPE, stderr=PIPE)
    one = Popen(["echo", "a"], stdout=PIPE)
    none = Popen(["true"])
    told = [both.communicate(), both.communicate(), one.communicate(), _raised(one.communicate), none.communicate()]
    return told, none.communicate(), both.returncode


def _late_communicate(place: Path) -> Any:
    child = Popen(["echo", "late"], stdout=PIPE)
    return child.wait(), child.communicate(), child.communicate(timeout=1) if child.stdout is None else None


def _subclass(place: Path) -> Any:
    with OwnPopen(["echo", "x"], stdout=PIPE) as child:
        out = child.communicate()
    return out, isinstance(child, Popen), type(child).__name__, child.args, repr(child)


def _terminate(place: Path) -> Any:
    child = Popen(["cat", f"{place}/fifo"])
    child.terminate()
    code = child.wait()
    child.terminate()  # does nothing any more
    child.kill()
    return code, repr(child)


def _poll_until_end(place: Path) -> Any:
    child = Popen(["cat"], stdin=PIPE)
    before = child.poll()
    child.stdin.close()
    while child.poll() is None:
        pass
    return before, child.returncode, child.poll()


def _two_at_once(place: Path) -> Any:
    children = [Popen(["sh", "-c", f"echo {n}; exit {n}"], stdout=PIPE) for n in range(3)]
    return [(child.communicate(), child.returncode) for child in reversed(children)]


def _pipeline(place: Path) -> Any:
    first = Popen(["sh", "-c", "seq 1 2000; exit 3"], stdout=PIPE)
    second = Popen(["sort", "-rn"], stdin=first.stdout, stdout=PIPE, text=True)
    third = Popen(["head", "-n", "2"], stdin=second.stdout, stdout=PIPE)
    first.stdout.close()
    second.stdout.close()
    return third.communicate(), first.wait(), second.wait() in (0, -13)


def _own_exception(place: Path) -> Any:
    with Popen(["cat"], stdin=PIPE, stdout=PIPE) as child:
        child.stdin.close()
        raise KeyError("the program's own")


def _into_file(place: Path) -> Any:
    with open(place / "log", "w") as log:
        log.write("head\n")
        log.flush()
        code = subprocess.call(["sh", "-c", "echo one; echo two >&2"], stdout=log, stderr=STDOUT)
        log.write("tail\n")
    return code, (place / "log").read_text()


def _append_to_file(place: Path) -> Any:
    (place / "log").write_text("before\n")
    with open(place / "log", "ab") as log:
        run(["echo", "more"], stdout=log)
        return log.tell(), (place / "log").read_bytes()


def _file_of_two(place: Path) -> Any:
    with open(place / "out", "wb") as out, open(place / "err", "wb") as err:
        done = run(["sh", "-c", "echo o; echo e >&2; exit 5"], stdout=out, stderr=err)
    return done.returncode, done.stdout, (place / "out").read_bytes(), (place / "err").read_bytes()


def _file_and_pipe(place: Path) -> Any:
    with open(place / "err", "wb") as err:
        done = run(["sh", "-c", "echo o; echo e >&2"], stdout=PIPE, stderr=err)
    return done.stdout, done.stderr, (place / "err").read_bytes()


def _from_file(place: Path) -> Any:
    (place / "in").write_bytes(b"l1\nl2\nl3\n")
    with open(place / "in", "rb", buffering=0) as given:
        given.seek(3)
        out = check_output(["cat"], stdin=given)
        return out, given.tell()


def _half_of_a_file(place: Path) -> Any:
    (place / "in").write_bytes(b"l1\nl2\nl3\n")
    with open(place / "in", "rb", buffering=0) as given:
        out = check_output(["sh", "-c", "read x; echo got $x"], stdin=given)
        return out, given.tell(), given.read()


def _environment(place: Path) -> Any:
    return check_output(["sh", "-c", "echo $GREETING $HOME"], env={"GREETING": "hi", "PATH": os.defpath})


def _bad_text(place: Path) -> Any:
    child = Popen(["printf", "a\\377b"], stdout=PIPE, encoding="utf-8")
    told = _raised(child.communicate)
    code, closed = child.returncode, child.stdout.closed
    child.stdout.close()
    return told, code, child.wait(), closed


def _bad_text_of_two(place: Path) -> Any:
    child = Popen(["printf", "a\\377b"], stdout=PIPE, stderr=PIPE, encoding="utf-8")
    return _raised(child.communicate), child.returncode, child.stdout.closed


def _unencodable(place: Path) -> Any:
    command = [PY, "-c", "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read())"]
    return _raised(lambda: run(command, input="é", capture_output=True, encoding="ascii"))


def _wrong_input(place: Path) -> Any:
    return [
        _raised(lambda: run(["cat"], input="text", stdout=PIPE)),
        _raised(lambda: run(["cat"], input="text")),
        _raised(lambda: run(["cat"], input=b"bytes", stdout=PIPE, text=True)),
        _raised(lambda: run(["cat"], input=b"bytes", text=True)),
    ]


def _closed_stdin(place: Path) -> Any:
    with Popen(["cat"], stdin=PIPE, stdout=PIPE) as child:
        child.stdin.close()
        return _raised(child.communicate)


def _group(place: Path) -> Any:
    child = Popen(["cat", f"{place}/fifo"], start_new_session=True)
    os.killpg(os.getpgid(child.pid), signal.SIGTERM)
    return os.getpgid(child.pid) == child.pid, child.wait()


def _by_pid(place: Path) -> Any:
    child = Popen(["cat", f"{place}/fifo"])
    alive = os.kill(child.pid, 0), os.waitpid(child.pid, os.WNOHANG)
    os.kill(child.pid, signal.SIGKILL)
    pid, status = os.waitpid(child.pid, 0)
    gone = _raised(lambda: os.waitpid(child.pid, 0)), _raised(lambda: os.kill(child.pid, 0))
    return alive, pid == child.pid, status, gone, child.wait(), child.poll()


def _any_child(place: Path) -> Any:
    first, second = Popen(["sh", "-c", "exit 3"]), Popen(["cat"], stdin=PIPE)
    pid, status = os.wait()
    told = [pid == first.pid, status, os.waitpid(-1, os.WNOHANG)]
    second.send_signal(signal.SIGSTOP)
    told.append(os.WIFSTOPPED(os.waitpid(second.pid, os.WUNTRACED)[1]))
    second.kill()
    told.append(os.waitpid(-1, 0)[1])
    second.stdin.close()
    return told, first.wait(), second.wait(), _raised(lambda: os.waitpid(-1, 0))


def _odd_arguments(place: Path) -> Any:
    return [
        _raised(partial(run, arguments, **options))
        for arguments, options in [
            ([], {}),
            (None, {}),
            (["echo", 1], {}),
            (["echo", "a\0b"], {}),
            (["echo"], {"cwd": 3.5}),
            (["echo"], {"env": {"A=B": "C"}}),
            (["echo"], {"env": {1: "C"}}),
            (["echo"], {"env": ["A"]}),
            (Path("echo"), {"shell": True}),
            (["echo"], {"bufsize": "x"}),
            (["echo"], {"timeout": "soon"}),
            (["echo"], {"text": True, "universal_newlines": False}),
            (["echo"], {"start_new_session": True, "process_group": 10**30}),
        ]
    ]


PROGRAMS: dict[str, Any] = {
    "run": lambda place: run(["echo", "hi"]).returncode,
    "run captures": lambda place: vars(run(["sh", "-c", "echo o; echo e >&2; exit 7"], capture_output=True)),
    "run text": lambda place: run(["printf", "a\\r\\nb\\rc\\n"], stdout=PIPE, text=True).stdout,
    "run input": lambda place: run(["cat"], input=b"\x00\xff\r\n", stdout=PIPE).stdout,
    "run text input": lambda place: run(["od", "-c"], input="ä\n", capture_output=True, text=True).stdout,
    "run check": lambda place: run("echo o; echo bad >&2; exit 4", shell=True, check=True, capture_output=True),
    "run check text": lambda place: run(["false"], check=True, stdout=PIPE, text=True),
    "run big": lambda place: run(["cat"], input=BIG, capture_output=True).stdout == BIG,
    "run bytearray": lambda place: run(["cat"], input=bytearray(b"ab"), capture_output=True).stdout,
    "run memoryview": lambda place: run(["cat"], input=memoryview(b"abcd")[1:3], stdout=PIPE).stdout,
    "input to nobody": lambda place: vars(run(["true"], input=BIG, capture_output=True)),
    "input to nobody, no output": lambda place: run(["true"], input=BIG).returncode,
    "input and no pipe": lambda place: Popen(["true"]).communicate(b"ignored"),
    "run timeout": _run_timeout,
    "call timeout": _call_timeout,
    "run in time": lambda place: vars(run(["echo", "x"], capture_output=True, timeout=60)),
    "check_output": lambda place: check_output(["echo", "hi"]),
    "check_output stderr": lambda place: check_output("echo o; echo e >&2; echo o", shell=True, stderr=STDOUT),
    "check_output fails": lambda place: check_output("echo o; exit 1", shell=True),
    "check_output input": lambda place: check_output(["cat"], input=b"x"),
    "call": lambda place: subprocess.call(["sh", "-c", "exit 3"]),
    "check_call": lambda place: subprocess.check_call(["false"]),
    "getoutput": lambda place: subprocess.getoutput("echo x; echo y >&2"),
    "getstatusoutput": lambda place: subprocess.getstatusoutput("echo x; exit 3"),
    "os.popen": lambda place: (lambda pipe: (pipe.read(), pipe.close()))(os.popen("echo hi; exit 2")),
    "os.popen lines": lambda place: (lambda pipe: (list(pipe), pipe.close()))(os.popen("printf 'a\\nb'")),
    "os.system": lambda place: (os.system("exit 5"), os.system(b"true"), os.system("kill -9 $$")),
    "os.system wrong": lambda place: (_raised(lambda: os.system(5)), _raised(lambda: os.system("a\0b"))),
    "missing": lambda place: run(["no-such-program", "a"]),
    "missing path": lambda place: run([Path("/no/such/program")]),
    "missing bytes": lambda place: run([b"/no/such/program"], executable=b"/no/such/other"),
    "missing cwd": lambda place: run(["true"], cwd=Path("/no/such/dir")),
    "cwd is a file": lambda place: run(["true"], cwd="/etc/passwd"),
    "not executable": lambda place: run(["/etc/passwd"]),
    "a directory": lambda place: run(["/etc"]),
    "cwd": lambda place: check_output(["pwd"], cwd=place),
    "cwd bytes": lambda place: check_output([b"pwd"], cwd=os.fsencode(place)),
    "executable": lambda place: check_output(["myself", "-c", "echo $0"], executable="/bin/sh"),
    "shell executable": lambda place: check_output("echo $0", shell=True, executable="/bin/bash"),
    "shell arguments": lambda place: check_output(["echo $0 $1", "a", "b"], shell=True),
    "string": lambda place: check_output("true"),
    "bytes": lambda place: check_output(b"true"),
    "path": lambda place: check_output(pathlib.Path("/bin/true")),
    "generator": lambda place: (lambda child: (child.communicate(), child.returncode))(
        Popen((word for word in ("echo", "x")), stdout=PIPE)
    ),
    "surrogates": lambda place: check_output(["printf", "%s", os.fsdecode(b"\xff\xfe")]),
    "environment": _environment,
    "signal death": lambda place: run(["sh", "-c", "kill -SEGV $$"]).returncode,
    "signal death checked": lambda place: run(["sh", "-c", "kill -KILL $$"], check=True),
    "devnull": lambda place: (
        run(["cat"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=STDOUT).returncode
    ),
    "devnull stderr": lambda place: (
        run(["sh", "-c", "echo o; echo e >&2"], stdout=PIPE, stderr=subprocess.DEVNULL).stdout
    ),
    "utf-16": lambda place: run(["cat"], input="aé\r\n", stdout=PIPE, encoding="utf-16").stdout,
    "utf-16 of two": lambda place: run(["cat"], input="aé\r\n", capture_output=True, encoding="utf-16").stdout,
    "surrogateescape": lambda place: (
        run(["printf", "\\377\\r\\n"], stdout=PIPE, encoding="ascii", errors="surrogateescape").stdout
    ),
    "replace": lambda place: run(["printf", "\\377"], capture_output=True, encoding="ascii", errors="replace").stdout,
    "bad text": _bad_text,
    "bad text of two": _bad_text_of_two,
    "bad text checked": lambda place: check_output(["printf", "\\377"], encoding="ascii"),
    "unencodable": _unencodable,
    "wrong input": _wrong_input,
    "closed stdin": _closed_stdin,
    "odd arguments": _odd_arguments,
    "preexec_fn": lambda place: check_output(["sh", "-c", "umask"], preexec_fn=lambda: os.umask(0o77) and None),
    "preexec_fn fails": lambda place: run(["true"], preexec_fn=lambda: 1 / 0),
    "umask": lambda place: check_output(["sh", "-c", "umask"], umask=0o27),
    "close_fds off": lambda place: check_output(["/bin/echo", "spawned"], close_fds=False),
    "restore_signals off": lambda place: check_output(["echo", "x"], restore_signals=False),
    "process_group": lambda place: run(["true"], process_group=0).returncode,
    "pipesize": lambda place: check_output(["echo", "x"], pipesize=65536),
    "bufsize": lambda place: [Popen(["echo", "x"], stdout=PIPE, bufsize=n).communicate() for n in (0, 2, 4096)],
    "wait timeout": _wait_timeout,
    "timeout then rest": _timeout_then_rest,
    "timeout text": _timeout_text,
    "timeout in input": _timeout_in_input,
    "communicate twice": _communicate_twice,
    "late communicate": _late_communicate,
    "subclass": _subclass,
    "terminate": _terminate,
    "poll": _poll_until_end,
    "two at once": _two_at_once,
    "pipeline": _pipeline,
    "own exception": _own_exception,
    "into a file": _into_file,
    "append to a file": _append_to_file,
    "file of two": _file_of_two,
    "file and pipe": _file_and_pipe,
    "from a file": _from_file,
    "half of a file": _half_of_a_file,
    "group": _group,
    "by pid": _by_pid,
    "any child": _any_child,
}


SLOW = ("run timeout", "timeout text")


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in PROGRAMS])
def test_program_sees_the_same(ways: Any, name: str) -> None:
    """A program sees the same outcome, exception and bytes as it is, recorded, and replayed without any process."""
    ways.agree(PROGRAMS[name])
