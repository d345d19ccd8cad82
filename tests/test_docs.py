"""The documentation is run: every block marked as runnable works, and every generated page is fresh.

A comment on the line above a block says what it is::

    <!-- runnable -->              python or sh; has to succeed
    <!-- runnable: status 71 -->   has to end with this exit status
    <!-- file: greet.py -->        is written to a file first
    <!-- output -->                is what the block before printed; ``...`` stands for anything

The blocks of a page share a directory and run in order.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

import testbench
from testbench.cli._command import Command
from testbench.cli._commands import COMMANDS

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(
    r"^<!-- (?P<mark>runnable|file|output)(?:: (?P<what>.*?))? -->\n+```(?P<form>\w*)\n(?P<text>.*?)^```$", re.M | re.S
)


@attrs.frozen
class Block:
    """A marked block of a page."""

    mark: str
    what: str
    form: str
    text: str


def blocks(page: Path) -> list[Block]:
    """Return the marked blocks of a page in order."""
    return [
        Block(found["mark"], found["what"] or "", found["form"], found["text"])
        for found in BLOCK.finditer(page.read_text(encoding="utf-8"))
    ]


def name(page: Path) -> str:
    """Return a page's path within the project."""
    return str(page.relative_to(ROOT))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give an empty directory, beside one with the commands that a reader has in PATH."""
    commands = tmp_path / "bin"
    commands.mkdir()
    python = shlex.quote(sys.executable)
    for command, start in (
        ("python", python),
        ("testbench", f"{python} -m testbench"),
        ("pytest", f"{python} -m pytest"),
    ):
        (commands / command).write_text(f'#!/bin/sh\nexec {start} "$@"\n')
        (commands / command).chmod(0o755)
    work = tmp_path / "work"
    work.mkdir()
    return work


def run(block: Block, folder: Path) -> str:
    """Run a block and return what it printed."""
    path = os.pathsep.join([str(folder.parent / "bin"), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "default"}
    environment.pop("CI", None)  # pages are written for a reader at a desk
    command = [sys.executable, "-"] if block.form == "python" else ["bash", "-euo", "pipefail"]
    done = subprocess.run(
        command, input=block.text, cwd=folder, env=environment, capture_output=True, text=True, timeout=60
    )
    expected = int(block.what.removeprefix("status ") or 0)
    assert done.returncode == expected, f"{block.text}\n{done.stdout}\n{done.stderr}"
    return done.stdout if done.stdout else done.stderr


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=name)
def test_the_blocks_of_a_page_do_what_the_page_says(page: Path, folder: Path) -> None:
    """A reader who pastes a page block by block sees what the page shows."""
    printed = ""
    for block in blocks(page):
        if block.mark == "file":
            (folder / block.what).parent.mkdir(parents=True, exist_ok=True)
            (folder / block.what).write_text(block.text, encoding="utf-8")
        elif block.mark == "runnable":
            printed = run(block, folder)
        else:
            pattern = re.escape(block.text.strip()).replace(r"\.\.\.", ".*")
            assert re.fullmatch(pattern, printed.strip(), re.S), f"expected\n{block.text}\nprinted\n{printed}"


def test_the_readme_has_an_example_that_runs() -> None:
    """The first page is among those that are run."""
    assert any(block.mark == "runnable" for block in blocks(ROOT / "README.md"))


def test_generated_pages_are_fresh() -> None:
    """The reference says what the code says."""
    done = subprocess.run([sys.executable, ROOT / "docs/generate.py", "--check"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_is_explained(command: Command) -> None:
    """A command has help with its exit statuses, a section of the reference, and a twin in Python."""
    text = command.parser("testbench").format_help()
    assert "EXIT STATUS" in text
    assert command.summary
    assert command.text
    assert f"\n## testbench {command.name}\n" in (ROOT / "docs/reference/cli.md").read_text(encoding="utf-8")
    module, _, twin = f"testbench.{command.twin}".rpartition(".")
    assert callable(getattr(sys.modules.get(module, testbench), twin))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link names a file that is there."""
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_the_pages_use_the_words_of_the_glossary() -> None:
    """No page says cassette where it means tape."""
    never = re.compile(r"\b(cassettes?|playback|monkeypatch\w*)\b", re.I)
    allowed = {"docs/explanation/comparison.md", "docs/glossary.md"}
    said = {name(page): never.findall(page.read_text(encoding="utf-8")) for page in PAGES if name(page) not in allowed}
    assert {page: words for page, words in said.items() if words} == {}
