"""Modules and caches that were there before the session, and such that come into it: neither makes a replay diverge."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import Any

import pytest

import testbench

MODULES = (
    "platform",
    "getpass",
    "locale",
    "multiprocessing",
    "tempfile",
    "concurrent.futures",
    "logging",
    "webbrowser",
)

PROGRAM = """
def program():
    import concurrent.futures, getpass, locale, logging, multiprocessing, os, platform, socket, tempfile
    import multiprocessing.pool, sysconfig, webbrowser, http.server, urllib.request
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answers = list(pool.map(os.getenv, ["APP_MODE", "APP_NONE"]))
    return (
        platform.platform(), platform.uname(), platform.node(), getpass.getuser(), multiprocessing.cpu_count(),
        socket.gethostname(), locale.setlocale(locale.LC_ALL), os.getcwd(), os.getpid(), answers, os.cpu_count(),
        tempfile.gettempdir(), urllib.request.getproxies_environment() is not None,
        logging.LogRecord("x", 20, "f", 1, "m", (), None).process, len(dict(os.environ)) > 2,
    )
"""
IMPORT = f"import {', '.join(MODULES)}, multiprocessing.pool, socket, sysconfig, http.server, urllib.request"
FILL = f"""
{IMPORT}
platform.platform(), platform.uname(), tempfile.gettempdir(), sysconfig.get_paths(), getpass.getuser()
urllib.request.getproxies_environment()
"""
KINDS = "process environ"
"""The clock that a module reads while it is imported is another matter."""

STATES = {"cold": "", "imported": IMPORT, "filled": FILL}


@pytest.mark.parametrize(("first", "second"), list(itertools.product(STATES, STATES)))
def test_new_processes_in_any_state(fresh: Any, first: str, second: str, tmp_path: Path) -> None:
    """Recorded and replayed with modules and caches that one has and the other has not: the same, and no leak."""
    recorded = fresh("record", PROGRAM, STATES[first], kinds=KINDS, APP_MODE="fast", NO_PROXY="x")
    replayed = fresh(
        *("replay", PROGRAM, STATES[second], tmp_path, KINDS),
        APP_MODE="slow",
        APP_NONE="x",
        TERM="vt100",
        PYTHONHASHSEED="7",
    )
    assert replayed == recorded


@pytest.mark.parametrize("before", ["", IMPORT, FILL], ids=list(STATES))
def test_recorded_and_replayed_in_one_process(fresh: Any, tape: Path, before: str) -> None:
    """What a recording has imported, its replay in the same process finds: twice in turns, nothing diverges."""
    code = f"""
import os, testbench
made = {{}}
exec({PROGRAM!r}, made)
def program():
    pass
found = []
for number in range(2):
    os.environ["APP_MODE"] = "fast"
    with testbench.record(f"{tape}.{{number}}", recorders={KINDS.split()}):
        found.append(made["program"]())
    os.environ["APP_MODE"] = "slow"
    for earlier in range(number + 1):
        with testbench.replay(f"{tape}.{{earlier}}", recorders={KINDS.split()}, rerecord=f"{tape}.again"):
            assert made["program"]() == found[earlier], earlier
        assert open(f"{tape}.again", "rb").read() == open(f"{tape}.{{earlier}}", "rb").read()
"""
    assert fresh("record", code, before, kinds="call") == "None"


MODULE = """
import os, platform
MODE = os.environ.get("APP_MODE", "none")
HOST = platform.node()
HERE = os.getcwd()
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the name of a module that asks while it is imported."""
    (tmp_path / "asks_at_import.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "asks_at_import", raising=False)
    return "asks_at_import"


def test_a_module_that_asks_at_import_is_told(fresh: Any, module: str, tmp_path: Path) -> None:
    """A program that imports its settings gets those of the recording, on a machine that has others."""
    program = f"import os\ndef program():\n    import {module} as m\n    return m.MODE, m.HOST, m.HERE"
    recorded = fresh("record", program, APP_MODE="fast")
    assert "fast" in recorded
    (tmp_path / "other").mkdir()
    assert fresh("replay", program, "", tmp_path / "other", APP_MODE="slow") == recorded


@pytest.mark.parametrize("imported", ["while recording", "while replaying", "before"])
def test_it_does_not_matter_which_session_imports(
    tape: Path, module: str, imported: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The module is imported once in the process: the other session does not miss what it asked, nor refuse it."""
    monkeypatch.setenv("APP_MODE", "fast")
    if imported == "before":
        __import__(module)
    with testbench.record(tape):
        if imported == "while recording":
            __import__(module)
    with testbench.replay(tape) as session:
        assert __import__(module).MODE == "fast"
    assert session.leaks == []
    sys.modules.pop(module)


def test_imports_look_in_the_real_directory(fresh: Any, module: str, tmp_path: Path) -> None:
    """A module of the directory is found where the program is replayed, though it is told that it is elsewhere."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "only_there.py").write_text("import os\nVALUE = 5\n")
    program = """
import os, sys
def program():
    sys.path.insert(0, "")
    told = os.getcwd()
    try:
        import only_there
    except ImportError:
        return told, None
    return told, None if only_there.VALUE == 5 else "found"
"""
    recorded = fresh("record", program, cwd=tmp_path)
    assert fresh("replay", program, cwd=tmp_path / "other") == recorded


def test_a_program_that_asks_nothing_has_no_event(tape: Path, told: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules that look for themselves (imports, temporary files, children) are not the program."""
    import asyncio
    import subprocess
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    with testbench.record(tape):
        tempfile.gettempdir()
        subprocess.run(["true"], check=True)
        asyncio.run(asyncio.sleep(0))
        with pytest.raises(ImportError):
            __import__("this_is_no_module")
    assert told() == []
