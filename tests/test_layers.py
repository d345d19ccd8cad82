"""The directions in which imports may point, held as a table."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import testbench
from testbench.cli._main import READING

PACKAGE = Path(testbench.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))

BELOW = {
    "errors": set(),
    "protocol": set(),
    "depth": set(),
    "where": set(),
    "signalled": set(),
    "timeouts": set(),
    "tasks": {"where"},
    "inplace": {"errors"},
    "real_clock": {"inplace"},
    "values": {"errors", "protocol"},
    "redaction": {"errors", "protocol"},
    "places": {"errors", "protocol"},
    "tape": {"errors", "protocol", "inplace"},
    "processes": {"errors", "protocol", "tape"},
    "_fidelity": {"errors", "protocol", "tape", "processes", "redaction"},
    "_host": {"protocol", "inplace"},
    "_header": {"protocol", "_host"},
    "_verifying": {"errors", "protocol", "tape", "sessions", "_fidelity", "_shown"},
    "_once": {"errors", "inplace", "sessions"},
    "_opened": {"errors", "protocol", "tape", "processes"},
    "sessions": {
        "_host",
        "errors",
        "protocol",
        "depth",
        "where",
        "signalled",
        "timeouts",
        "tasks",
        "inplace",
        "values",
        "redaction",
        "places",
        "tape",
    },
    "recorders": {
        "errors",
        "protocol",
        "depth",
        "where",
        "signalled",
        "timeouts",
        "tasks",
        "inplace",
        "values",
        "redaction",
    },
    "overlay": {"errors", "inplace", "recorders"},  # a tree that is put back is the same there and there
    "_options": {"errors", "overlay", "protocol", "redaction", "places", "sessions", "recorders", "_fidelity"},
    "_kinds": {"errors", "protocol", "sessions", "recorders", "_options"},
    "_beginning": {
        "errors",
        "overlay",
        "protocol",
        "inplace",
        "redaction",
        "places",
        "tape",
        "sessions",
        "recorders",
        "_header",
        "_kinds",
        "_options",
        "_verifying",
    },
    "_answering": {
        "errors",
        "overlay",
        "protocol",
        "inplace",
        "redaction",
        "places",
        "tape",
        "sessions",
        "recorders",
        "_beginning",
        "_header",
        "_kinds",
        "_options",
    },
    "_api": {"sessions", "_answering", "_beginning", "_once", "_opened", "_options"},
    "_shown": {"protocol", "processes", "redaction", "tape", "sessions"},
    "_scrubbing": {"errors", "protocol", "redaction", "tape", "sessions", "recorders"},
    "testing": {"errors", "protocol", "inplace", "values", "tape", "_api"},
    "harness": {"errors", "protocol", "inplace", "values", "tape", "processes", "recorders", "_api"},
    "cli": {
        "errors",
        "protocol",
        "inplace",
        "tape",
        "processes",
        "_fidelity",
        "_opened",
        "_scrubbing",
        "_shown",
        "_api",
        "harness",
    },  # the command line also shows what harness offers
    "pytest_plugin": {"errors", "real_clock", "sessions", "_api"},
    "__main__": {"cli"},
    "__init__": {
        "errors",
        "overlay",
        "protocol",
        "tape",
        "sessions",
        "recorders",
        "_api",
        "_fidelity",
        "_header",
        "_opened",
        "_scrubbing",
    },  # a list of names, no logic
}

PLUGIN = {path.relative_to(PACKAGE).as_posix() for path in (PACKAGE / "pytest_plugin").iterdir()}
HOME = {"cbor2": {"tape/_codec.py"}, "pytest": PLUGIN, "_pytest": PLUGIN, "hypothesis": set()}

HEAVY = {
    "argparse",
    "asyncio",
    "concurrent",
    "ctypes",
    "difflib",
    "email",
    "http",
    "logging",
    "multiprocessing",
    "pytest",
}


def imports(path: Path) -> list[tuple[int, str]]:
    """Return (line, full dotted name) of everything that a file imports, wherever in the file."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            prefix = "." * node.level + (node.module or "")
            found += [(node.lineno, f"{prefix}.{alias.name}") for alias in node.names]
    return found


def layer(path: Path) -> str:
    """Return the layer that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def test_every_file_belongs_to_a_layer() -> None:
    """A new layer is a decision, made in the table above."""
    assert {layer(path) for path in FILES} <= set(BELOW)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    """A file imports its own layer and those below it, from the exact submodule; other packages at their one home."""
    own = layer(path)
    where = path.relative_to(PACKAGE).as_posix()
    wrong = []
    for line, name in imports(path):
        root, _, rest = name.partition(".")
        target = rest.split(".")[0]
        if not root:
            wrong.append(f"{where}:{line}: relative import {name}")
        elif root == "testbench" and target not in BELOW[own] | {own}:
            wrong.append(f"{where}:{line}: {own} must not import {name}")
        elif where not in HOME.get(root, {where}):
            wrong.append(f"{where}:{line}: {root} is imported only in {HOME[root] or 'tests'}")
    assert wrong == []


def test_importing_the_package_loads_nothing_heavy() -> None:
    """A program under record pays for no module that only a command, a test or a rare case needs."""
    code = "import sys; before = set(sys.modules); import testbench; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert "testbench" in loaded
    assert loaded & HEAVY == set()


@pytest.mark.parametrize("command", READING)
def test_looking_at_a_tape_loads_nothing_that_records(command: str) -> None:
    """A command that runs no program starts sooner: of the package it loads no recorder."""
    code = "import sys; from testbench.cli._main import run; run(sys.argv[1:]); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, command, "--help"], capture_output=True, text=True, check=True)
    *shown, loaded = done.stdout.splitlines()
    assert shown[0].startswith(f"usage: testbench {command}")
    assert "testbench.recorders" not in loaded.split()
