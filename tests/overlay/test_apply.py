"""Bringing an overlay to its root: all of it, or nothing with an error that names the path."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest

import testbench
from testbench.errors import OverlayError
from testbench.inplace import real
from testbench.overlay import _view
from testbench.recorders.files import _apply, _content
from tests.trees import tree_of


def changed(root: Path) -> None:
    """Change a bit of everything."""
    (root / "text").write_text("other\n")
    os.chmod(root / "text", 0o4755)
    os.rename(root / "binary", root / "inner" / "binary")
    os.remove(root / "link")
    os.symlink("inner", root / "link")
    os.remove(root / "inner" / "deep" / "file")
    (root / "inner" / "deep" / "sub").mkdir()
    (root / "new").write_bytes(b"\0" * 100_000)
    os.mkfifo(root / "fifo")


def test_what_was_changed_is_in_the_root_after_it(root: Path) -> None:
    """Contents, modes with all bits, links, names and times are those of the overlay."""
    with testbench.Overlay(root) as overlay:
        changed(root)
        wanted = tree_of(root)
        overlay.apply()
        assert not overlay.diff()
        (root / "later").write_text("not applied")
    assert tree_of(root) == wanted
    assert stat.S_IMODE(os.stat(root / "text").st_mode) == 0o4755


def test_what_was_discarded_is_nowhere(root: Path) -> None:
    """The overlay stands as the root again, and takes further changes."""
    before = tree_of(root)
    with testbench.Overlay(root) as overlay:
        changed(root)
        overlay.discard()
        assert not overlay.diff()
        assert tree_of(root) == before
        (root / "text").write_text("kept\n")
        overlay.apply()
    assert (root / "text").read_text() == "kept\n"
    assert sorted(os.listdir(root)) == ["binary", "inner", "link", "text"]


def test_a_file_that_is_replaced_is_there_at_every_moment(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks finds the old content or the new one, and never none."""
    seen = []
    rename = real.rename

    def watched(*args: Any, **options: Any) -> None:
        found = real.open(root / "text", os.O_RDONLY)
        seen.append(real.read(found, 100))
        real.close(found)
        rename(*args, **options)

    with testbench.Overlay(root) as overlay:
        (root / "text").write_text("other\n")
        monkeypatch.setattr(real, "rename", watched)
        overlay.apply()
        monkeypatch.undo()
    assert seen == [b"one\ntwo\n"]
    assert (root / "text").read_text() == "other\n"


@pytest.mark.parametrize("at", range(0, 12, 3))
def test_a_disk_that_is_full_leaves_the_root_as_it_was(root: Path, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """Whichever write fails, nothing of the rest is done either, and the path is named."""
    before = tree_of(root)
    with testbench.Overlay(root) as overlay:
        for number in range(12):
            (root / f"new {number:02}").write_text("new")
        (root / "text").write_text("other\n")
        writes = []

        def full(fd: int, offset: int, data: bytes) -> None:
            writes.append(fd)
            if len(writes) > at:
                raise OSError(28, "No space left on device")
            _content.write_at(fd, offset, data)

        monkeypatch.setattr(_apply, "write_at", full)
        with pytest.raises(OverlayError, match="No space left on device") as caught:
            overlay.apply()
        monkeypatch.undo()
        assert caught.value.path.startswith(f"{root}/new ")
        assert len(overlay.diff()) == 13
    assert tree_of(root) == before


def test_what_could_not_be_applied_can_be_applied_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files and directories that were changed, taken away and brought back pass for what they were."""
    os.link(root / "text", root / "twin")
    with testbench.Overlay(root) as overlay:
        (root / "binary").write_bytes(b"other")
        (root / "text").write_text("other\n")
        shutil.rmtree(root / "inner")
        (root / "zzz").write_text("new")
        after = tree_of(root)

        def full(fd: int, offset: int, data: bytes) -> None:
            if data == b"new":
                raise OSError(28, "No space left on device")
            _content.write_at(fd, offset, data)

        monkeypatch.setattr(_apply, "write_at", full)
        with pytest.raises(OverlayError, match="zzz"):
            overlay.apply()
        monkeypatch.undo()
        changed = overlay.diff()
        assert {change.path for change in changed} == {
            *("binary", "text", "twin", "zzz", "inner", "inner/deep", "inner/deep/file")
        }
        overlay.apply()
    assert tree_of(root) == after


def test_a_place_that_is_full_is_named(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An overlay whose copy of the root finds no room says where that was to be, and leaves nothing."""

    def full(source: int, target: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_view, "copy", full)
    (tmp_path / "aside").mkdir()
    with pytest.raises(OSError, match=r"No space left on device.*aside=.*/aside'"):
        testbench.Overlay(root, aside=tmp_path / "aside").open()
    assert os.listdir(tmp_path / "aside") == []


def test_a_root_that_changed_meanwhile_is_not_written_over(root: Path) -> None:
    """Whoever else wrote to a path keeps what is there; both ways to ask name it."""
    with testbench.Overlay(root) as overlay:
        (root / "text").write_text("of the overlay")
        (root / "new").write_text("of the overlay")
        fd = real.open(f"{root}/text", os.O_WRONLY | os.O_TRUNC)
        real.write(fd, b"of another")
        real.close(fd)
        for asked in (overlay.diff, overlay.apply):
            with pytest.raises(OverlayError, match="text") as caught:
                asked()
            assert caught.value.path == "text"
    assert (root / "text").read_text() == "of another"
    assert not (root / "new").exists()


def test_a_name_that_came_up_in_the_root_meanwhile_is_kept(root: Path) -> None:
    """A file that both made is an error; one that only the other made is not."""
    with testbench.Overlay(root) as overlay:
        (root / "mine").write_text("mine")
        real.close(real.open(f"{root}/theirs", os.O_WRONLY | os.O_CREAT, 0o644))
        overlay.apply()
        (root / "both").write_text("mine")
        real.close(real.open(f"{root}/both", os.O_WRONLY | os.O_CREAT, 0o644))
        with pytest.raises(OverlayError, match="both"):
            overlay.apply()
    assert (root / "mine").read_text() == "mine"
    assert (root / "theirs").read_text() == (root / "both").read_text() == ""


def test_owner_and_attributes_stay_with_a_file_that_is_replaced(root: Path) -> None:
    """What an overlay does not know of a file it leaves alone."""
    try:
        os.setxattr(root / "text", "user.kept", b"kept")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    with testbench.Overlay(root) as overlay:
        (root / "text").write_text("other\n")
        overlay.apply()
    assert os.getxattr(root / "text", "user.kept") == b"kept"
    assert (root / "text").read_text() == "other\n"
