"""The diff of an overlay as a patch: git itself applies it to a copy, and the copy is what the overlay was."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import testbench
from testbench.overlay._hunks import text
from tests.overlay.conftest import as_git_sees, git_apply
from tests.trees import tree_of


def binary(root: Path) -> None:
    """Change and add what is no text."""
    (root / "binary").write_bytes(os.urandom(3000))
    (root / "new binary").write_bytes(bytes(10_000))


def no_newline(root: Path) -> None:
    """Let last lines have no end, and one that had none."""
    (root / "text").write_text("one\ntwo\nthree")
    (root / "inner" / "deep" / "file").write_text("deep\n")


def line_ends(root: Path) -> None:
    """Write all kinds of line ends."""
    (root / "text").write_bytes(b"one\r\ntwo\r\n\r\rthree \n\n\n")


def executable(root: Path) -> None:
    """Let a file be executed."""
    os.chmod(root / "text", 0o755)
    (root / "script").write_text("#!/bin/sh\n")
    os.chmod(root / "script", 0o700)


def links(root: Path) -> None:
    """Change and add links."""
    os.remove(root / "link")
    os.symlink("inner", root / "link")
    os.symlink("/no/where", root / "inner" / "nowhere")


def other_kinds(root: Path) -> None:
    """Let a link be a file, and a file a link."""
    os.remove(root / "link")
    (root / "link").write_text("a file")
    os.remove(root / "text")
    os.symlink("link", root / "text")


def file_and_directory(root: Path) -> None:
    """Let a file be a directory, and a directory a file."""
    os.remove(root / "text")
    (root / "text").mkdir()
    (root / "text" / "in").write_text("in")
    shutil.rmtree(root / "inner")
    (root / "inner").write_text("a file")


def renames(root: Path) -> None:
    """Rename one file, and another to its old name."""
    os.rename(root / "binary", root / "inner" / "renamed")
    os.rename(root / "text", root / "binary")
    os.chmod(root / "binary", 0o755)


def exchanged(root: Path) -> None:
    """Exchange the names of two files."""
    os.rename(root / "text", root / "spare")
    os.rename(root / "binary", root / "text")
    os.rename(root / "spare", root / "binary")


def empty(root: Path) -> None:
    """Make empty files."""
    (root / "empty").touch()
    (root / "text").write_text("")


def names(root: Path) -> None:
    """Use names that have to be quoted."""
    for name in ("a b", 'quote"back\\slash', "tab\tline\n", "é", "n\udcff", " lead", "trail ", "-x", "b/", "a"):
        (root / name.rstrip("/")).write_text(name, errors="surrogateescape")
    os.rename(root / "text", root / "new \udcfe")


def removal(root: Path) -> None:
    """Take away most."""
    shutil.rmtree(root / "inner")
    os.remove(root / "binary")
    os.remove(root / "link")


CHANGES = [binary, no_newline, line_ends, executable, links, other_kinds, file_and_directory, renames, exchanged]


@pytest.mark.parametrize("change", [*CHANGES, empty, names, removal], ids=lambda change: change.__name__)
def test_git_applies_it(root: Path, tmp_path: Path, change: Callable[[Path], None]) -> None:
    """Every kind of change arrives, to the byte."""
    copy = tmp_path / "copy"
    shutil.copytree(root, copy, symlinks=True)
    with testbench.Overlay(root) as overlay:
        change(root)
        patch = overlay.diff().patch()
        wanted = tree_of(root)
    git_apply(patch, copy)
    assert as_git_sees(tree_of(copy)) == as_git_sees(wanted)


def test_what_git_does_not_know_is_listed_in_it(root: Path, tmp_path: Path) -> None:
    """Empty directories, modes, fifos and what is in .git stand in the first lines, and git passes over them."""
    copy = tmp_path / "copy"
    shutil.copytree(root, copy, symlinks=True)
    with testbench.Overlay(root) as overlay:
        (root / "empty").mkdir()
        (root / ".git").mkdir()
        (root / ".git" / "config").write_text("")
        os.mkfifo(root / "fifo")
        (root / "text").write_text("secret\n")
        os.chmod(root / "text", 0o600)
        patch = overlay.diff().patch()
    notes = [line for line in patch.decode().splitlines() if line.startswith("#")]
    assert notes == [
        "# not in this patch: '.git' is in a directory of git",
        "# not in this patch: '.git/config' is in a directory of git",
        "# not in this patch: 'empty' is a directory",
        "# not in this patch: 'fifo' is a fifo",
        "# not in this patch: 'text' has mode 0600, here it gets 0644",
    ]
    git_apply(patch, copy)
    assert (copy / "text").read_text() == "secret\n"


def test_changes_are_data(root: Path) -> None:
    """Each says what was there and what is, with mode and content; a renamed file is one change."""
    with testbench.Overlay(root) as overlay:
        (root / "text").write_text("other\n")
        os.rename(root / "binary", root / "renamed")
        os.remove(root / "link")
        (root / "inner").chmod(0o700)
        os.utime(root / "inner" / "deep" / "file", (1, 1))
        found = {change.path: change for change in overlay.diff()}
        assert {path: change.what for path, change in found.items()} == {
            "inner": "modified",
            "link": "deleted",
            "renamed": "renamed",
            "text": "modified",
        }
        assert found["text"].before.content() == b"one\ntwo\n"
        assert found["text"].after.content() == b"other\n"
        assert found["link"].before.content() == b"text"
        assert (found["link"].before.kind, found["link"].after) == ("link", None)
        assert found["renamed"].old_path == "binary"
        assert found["inner"].after.mode == 0o700
        after = found["text"].after
    with pytest.raises(testbench.OverlayError, match="ask for the diff again"):
        after.content()


def test_long_texts_have_one_hunk() -> None:
    """Where a search for equal lines would take long, what differs between both ends is one hunk."""
    old = b"".join(b"%d\n" % number for number in range(2000))
    new = old.replace(b"\n500\n", b"\nx\n").replace(b"\n1500\n", b"\ny\n")
    hunks = text(old, new)
    assert hunks.startswith(b"@@ -498,1007 +498,1007 @@\n 497\n 498\n 499\n-500\n")
    assert hunks.endswith(b"+1499\n+y\n 1501\n 1502\n 1503\n")


@pytest.mark.slow
def test_ten_thousand_files_arrive_to_the_byte(tmp_path: Path) -> None:
    """By apply and by git alike: the trees are equal."""
    root, copy = tmp_path / "root", tmp_path / "copy"
    root.mkdir()
    copy.mkdir()
    with testbench.Overlay(root) as overlay:
        for folder in range(100):
            (root / f"{folder}").mkdir()
            for number in range(100):
                with open(f"{root}/{folder}/{number}", "wb") as file:
                    file.write(bytes((number,)) * folder)
        wanted = tree_of(root)
        diff = overlay.diff()
        assert len(diff) == 10_100
        git_apply(diff.patch(), copy)
        overlay.apply()
    assert tree_of(root) == wanted
    assert as_git_sees(tree_of(copy)) == as_git_sees(wanted)
