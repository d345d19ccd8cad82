from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = str(Path(__file__).parents[2])

# What a program can see of how it was started.
PROBE = """
import json, sys
me = sys.modules["__main__"]
show = lambda name: repr(getattr(me, name, "absent")).split(" at 0x")[0]
names = ["__name__", "__doc__", "__package__", "__spec__", "__file__", "__cached__", "__loader__", "__annotations__"]
path = [p for p in sys.path if p != sys.argv[1]]
assert me.__dict__ is globals()
print(json.dumps([sys.argv, path, sys.orig_argv, sys.executable, {n: show(n) for n in names}, sorted(globals())]))
"""

BOOT = """
import sys
if not sys.flags.safe_path:
    del sys.path[0]
sys.path.append(sys.argv[1])
from testbench.cli._become import become
become(sys.argv[2], sys.argv[4:], int(sys.argv[3]))()
"""


def seen(*words: str, folder: Path) -> object:
    """Run the probe and return what it prints."""
    path = {**os.environ, "PYTHONPATH": str(folder)}  # so that modules are found with -P, too
    done = subprocess.run([sys.executable, *words], cwd=folder, env=path, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def both(options: list[str], how: str, target: str, folder: Path) -> tuple[object, object]:
    """What a program sees when the interpreter starts it, and when this interpreter becomes it."""
    flags = {"script": [], "module": ["-m"], "code": ["-c"]}[how]
    command = [sys.executable, *options, *flags]
    alone = seen(*options, *flags, target, ROOT, "-x", folder=folder)
    at = str(len(command))
    return alone, seen(*options, "-c", BOOT, ROOT, how, at, *command, target, ROOT, "-x", folder=folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Hold the probe in every form that a program can have."""
    (tmp_path / "below").mkdir()
    (tmp_path / "package").mkdir()
    for name in ("script.py", "below/script.py", "module.py", "package/__main__.py"):
        (tmp_path / name).write_text(PROBE)
    (tmp_path / "link.py").symlink_to("below/script.py")
    with zipfile.ZipFile(tmp_path / "app.zip", "w") as archive:
        archive.writestr("__main__.py", PROBE)
    return tmp_path


@pytest.mark.parametrize("options", [[], ["-P"], ["-s", "-O"], ["-W", "error", "-X", "dev"]])
@pytest.mark.parametrize(
    ("how", "target"),
    [
        ("script", "script.py"),
        ("script", "below/script.py"),
        ("script", "./link.py"),
        ("script", "package"),
        ("script", "app.zip"),
        ("module", "module"),
        ("module", "package"),
        ("code", PROBE),
    ],
)
def test_a_program_cannot_tell_that_it_was_started_by_us(
    folder: Path, options: list[str], how: str, target: str
) -> None:
    """Arguments, module path and __main__ are those that the interpreter itself sets."""
    alone, become = both(options, how, target, folder)
    assert become == alone


@pytest.mark.parametrize("words", [["script", "missing.py"], ["module", "missing"], ["script", "broken.py"]])
def test_a_program_that_cannot_start_says_so_as_the_interpreter_does(tmp_path: Path, words: list[str]) -> None:
    """Message and exit status of a missing or broken program are the interpreter's own."""
    (tmp_path / "broken.py").write_text("x = = 1\n")
    how, target = words
    flags = ["-m"] if how == "module" else []
    alone = subprocess.run([sys.executable, *flags, target], cwd=tmp_path, capture_output=True, text=True)
    command = [sys.executable, *flags, target]
    ours = subprocess.run(
        [sys.executable, "-c", BOOT, ROOT, how, str(len(command) - 1), *command],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert ours.returncode == alone.returncode
    assert ours.stderr.splitlines()[-1:] == alone.stderr.splitlines()[-1:]
