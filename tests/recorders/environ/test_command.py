"""A whole program on the command line, replayed by another user, elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import testbench

SCRIPT = """
import os, sys, time, getpass, locale, pathlib, shutil, settings
print(settings.HOME, os.getcwd(), pathlib.Path.home(), getpass.getuser(), os.getpid(), sys.argv)
print(shutil.get_terminal_size(), os.environ.get("LANG"), time.tzname, shutil.which("no-such-program"))
print(os.path.expanduser("~/x"), os.environ["PATH"], locale.setlocale(locale.LC_ALL, ""), os.environ.get("TMPDIR"))
"""


def run(tape: Path, verb: list[Any], place: Path, words: list[str], **environment: str) -> Any:
    """Run the script under a tape."""
    command = [sys.executable, "-m", "testbench", *verb, "--", sys.executable, str(tape.parent / "script.py"), *words]
    given = {"PYTHONPATH": os.pathsep.join(sys.path), **environment}
    return subprocess.run(command, env=given, cwd=place, capture_output=True, text=True)


def test_a_whole_program_is_replayed_elsewhere(tape: Path, tmp_path: Path) -> None:
    """Home, user, search path, zone, language, size of the terminal, directory: nothing of it makes a difference."""
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "settings.py").write_text("import os\nHOME = os.environ['HOME']\n")
    (tmp_path / "there").mkdir()
    first = {"HOME": "/home/a", "USER": "a", "PATH": "/bin:/usr/bin", "TZ": "UTC", "LANG": "C.UTF-8", "COLUMNS": "99"}
    other = {
        "HOME": "/home/b",
        "LOGNAME": "b",
        "PATH": "/x",
        "TZ": "JST-9",
        "LC_ALL": "POSIX",
        "CI": "1",
        "TMPDIR": "/x",
    }
    recorded = run(tape, ["record", "-o", tape], tmp_path, ["word"], **first)
    assert (recorded.returncode, recorded.stderr) == (0, "")
    assert f"/home/a {tmp_path} /home/a a " in recorded.stdout
    replayed = run(tape, ["replay", tape], tmp_path / "there", ["word"], **other)
    assert (replayed.stdout, replayed.returncode, replayed.stderr) == (recorded.stdout, 0, "")


def test_a_report_says_what_is_otherwise(tape: Path, tmp_path: Path) -> None:
    """Command and locale of the recording stand beside those of the replay; secrets of a command stand nowhere."""
    (tmp_path / "script.py").write_text("import sys, time\nif len(sys.argv) < 4: time.time()\n")
    recorded = run(tape, ["record", "-o", tape], tmp_path, ["--token=hush"], LC_ALL="C.UTF-8")
    assert (recorded.returncode, recorded.stderr) == (0, "")
    host = testbench.open_tape(tape).meta["host"]
    assert isinstance(host, dict)
    argv = host["argv"]
    assert isinstance(argv, list)
    assert argv[0] == str(tmp_path / "script.py")
    assert b"hush" not in tape.read_bytes()
    replayed = run(
        tape, ["replay", tape], tmp_path, ["--token=hush", "a", "b"], LC_ALL="POSIX", PYTHONCOERCECLOCALE="0"
    )
    assert replayed.returncode == 71
    assert "here     locale is " in replayed.stderr
    assert "here     argv is [" in replayed.stderr
    assert "hush" not in replayed.stderr
