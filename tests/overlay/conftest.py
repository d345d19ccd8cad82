"""A root, what is in it, and whether children can be kept in an overlay here."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path

import pytest

from testbench.errors import UnsupportedError
from testbench.overlay._enclosure import Enclosure
from tests.trees import Tree


def as_git_sees(tree: Tree) -> Tree:
    """Return files and links of a tree, with what git knows of their modes."""
    return {
        path: (stat.S_IFMT(mode), stat.S_ISREG(mode) and bool(mode & 0o100), content)
        for path, (mode, content, *_) in tree.items()
        if stat.S_ISREG(mode) or stat.S_ISLNK(mode)
    }


def git_apply(patch: bytes, root: Path | str) -> None:
    """Apply a patch by git itself, which takes none that changes nothing."""
    if b"diff --git" not in patch:
        return
    done = subprocess.run(["git", "apply", "--whitespace=nowarn", "-"], input=patch, cwd=root, capture_output=True)
    assert done.returncode == 0, done.stderr.decode(errors="replace") + patch.decode(errors="replace")[:2000]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give a directory with some files."""
    made = tmp_path / "root"
    (made / "inner" / "deep").mkdir(parents=True)
    (made / "text").write_text("one\ntwo\n")
    (made / "binary").write_bytes(bytes(range(256)))
    (made / "inner" / "deep" / "file").write_text("deep")
    (made / "link").symlink_to("text")
    return made


@pytest.fixture
def enclosed(tmp_path: Path) -> None:
    """Skip a test where no child can be kept in an overlay."""
    try:
        Enclosure(str(tmp_path), str(tmp_path), deny=False).close()
    except UnsupportedError as error:
        pytest.skip(str(error))
