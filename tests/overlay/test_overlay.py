"""What a program finds in an overlay, and what becomes of its root."""

from __future__ import annotations

import errno
import io
import os
import shutil
import sqlite3
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import testbench
from testbench.errors import OverlayError, UnsupportedError, UsageError
from tests.trees import tree_of


def test_what_is_written_is_read_there_and_the_root_stays_what_it_was(root: Path) -> None:
    """All ways to write are seen by all ways to read, and none reaches the root, not even a time."""
    before = tree_of(root)
    with testbench.Overlay(root):
        (root / "new").write_text("new")
        with open(root / "text", "a") as file:
            file.write("three\n")
        os.rename(root / "binary", root / "inner" / "moved")
        shutil.rmtree(root / "inner" / "deep")
        os.chmod(root / "text", 0o600)
        assert sorted(os.listdir(root)) == ["inner", "link", "new", "text"]
        assert sorted(path.name for path in root.rglob("*")) == ["inner", "link", "moved", "new", "text"]
        assert (root / "link").read_text() == "one\ntwo\nthree\n"
        assert stat.S_IMODE(os.stat(root / "text").st_mode) == 0o600
        assert not os.path.exists(root / "inner" / "deep")
    assert tree_of(root) == before


def test_paths_are_what_they_were(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The view is named nowhere: not by files, entries, errors, links, nor the working directory."""
    monkeypatch.chdir(root)
    with testbench.Overlay(root):
        assert os.getcwd() == str(root)
        assert os.getcwdb() == os.fsencode(root)
        with open(root / "text") as file:
            assert file.name == str(root / "text")
        assert {entry.path for entry in os.scandir(root)} == {str(root / name) for name in os.listdir(root)}
        assert all(isinstance(entry, os.DirEntry) for entry in os.scandir())
        assert os.path.realpath("link") == str(root / "text")
        with pytest.raises(FileNotFoundError) as caught:
            (root / "none" / "x").open()
        assert caught.value.filename == str(root / "none" / "x")
        with pytest.raises(FileNotFoundError) as caught:
            os.stat("none")
        assert caught.value.filename == "none"
        os.chdir("inner")
        assert Path.cwd() == root / "inner"
        Path("beside").write_text("beside")
        assert (root / "inner" / "beside").read_text() == "beside"
    assert Path.cwd() == root / "inner"
    assert not (root / "inner" / "beside").exists()


@pytest.mark.parametrize("path", ["absolute/file", "up/file", "inner/../absolute/file", "inner/deep/../../up/file"])
def test_links_and_dots_cannot_lead_to_the_real_root(root: Path, path: str) -> None:
    """A link to a path of the root, absolute or by way of outside, leads to the overlay."""
    (root / "absolute").symlink_to(root / "inner")
    (root / "up").symlink_to(f"../{root.name}/inner")
    before = tree_of(root)
    with testbench.Overlay(root):
        Path(f"{root}/{path}").write_text("written")
        assert (root / "inner" / "file").read_text() == "written"
        assert Path(f"{root}/{path}").read_text() == "written"
        assert os.stat(f"{root}/{path}").st_size == 7
        os.remove(f"{root}/{path}")
        assert os.listdir(root / "inner") == ["deep"]
    assert tree_of(root) == before


def test_a_way_from_outside_leads_into_the_overlay(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The root by a link, by a relative path, by a descriptor of a directory: it is the overlay each time."""
    before = tree_of(root)
    (root.parent / "way").symlink_to(root)
    monkeypatch.chdir(root.parent)
    with testbench.Overlay(root.parent / "way") as overlay:
        assert overlay.root == str(root)
        (root.parent / "way" / "a").write_text("a")
        Path("root/b").write_text("b")
        parent = os.open(root.parent, os.O_RDONLY)
        inner = os.open(root / "inner", os.O_RDONLY)
        try:
            os.close(os.open("root/c", os.O_CREAT | os.O_WRONLY, dir_fd=parent))
            os.mkdir("d", dir_fd=inner)
            assert os.stat("../a", dir_fd=inner).st_size == 1
        finally:
            os.close(parent)
            os.close(inner)
        assert {change.path for change in overlay.diff()} == {"a", "b", "c", "inner/d"}
        assert Path("root/a").read_text() == Path("way/a").read_text() == "a"
    assert tree_of(root) == before


def test_what_is_outside_is_real(root: Path, tmp_path: Path) -> None:
    """By default a file outside is read and written as ever, and read by a link in the root."""
    (root / "out").symlink_to(tmp_path / "beside")
    with testbench.Overlay(root) as overlay:
        (tmp_path / "beside").write_text("beside")
        assert (root / "out").read_text() == "beside"
        assert not overlay.diff()
    assert (tmp_path / "beside").read_text() == "beside"


@pytest.mark.parametrize(
    "leave",
    [
        lambda: Path("root/out/new").write_text("x"),
        lambda: os.open("root/out/file", os.O_RDWR),
        lambda: Path("root/file").write_text("x"),
        lambda: Path("root/none").write_text("x"),
        lambda: Path("root/inner/../../new").write_text("x"),
        lambda: os.open("root/file", os.O_RDONLY | os.O_TRUNC),
        lambda: os.open("root/out", os.O_RDONLY),
        lambda: os.truncate("root/file", 0),
        lambda: os.chmod("root/file", 0o600),
        lambda: os.utime("root/out", (1, 1)),
        lambda: os.mkdir("root/out/new"),
        lambda: os.unlink("root/out/file"),
        lambda: os.rename("root/out/file", "root/taken"),
        lambda: os.rename("root/text", "root/out/text"),
        lambda: os.symlink("x", "root/out/link"),
        lambda: os.link("root/text", "root/out/text"),
        lambda: os.chdir("root/out"),
        lambda: os.chdir("root/.."),
        lambda: shutil.rmtree("root/out/folder"),
        lambda: sqlite3.connect("root/out/database"),
    ],
)
def test_links_and_dots_cannot_lead_out(
    root: Path, monkeypatch: pytest.MonkeyPatch, leave: Callable[[], object]
) -> None:
    """What changes something by a link or ``..`` that leads out of the root is refused, though outside is real."""
    outside = root.parent / "outside"
    (outside / "folder").mkdir(parents=True)
    (outside / "file").write_text("real")
    for name, target in (("out", outside), ("file", "../outside/file"), ("none", outside / "none")):
        (root / name).symlink_to(target)
    monkeypatch.chdir(root.parent)
    before = tree_of(root.parent)
    with testbench.Overlay(root), pytest.raises(PermissionError, match=r'by a link or "\.\." out of the overlay'):
        leave()
    assert tree_of(root.parent) == before


def test_no_file_is_in_the_overlay_and_outside(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second name, or another one, across the border of the root is one across two file systems."""
    monkeypatch.chdir(root.parent)
    Path("beside").write_text("beside")
    before = tree_of(root)
    with testbench.Overlay(root, aside=root.parent):
        for function in (os.link, os.rename, os.replace):
            for old, new in (("beside", "root/beside"), ("root/text", "text")):
                with pytest.raises(OSError, match="cross-device") as caught:
                    function(old, new)
                assert (caught.value.errno, caught.value.filename, caught.value.filename2) == (errno.EXDEV, old, new)
    assert tree_of(root) == before
    assert sorted(os.listdir()) == ["beside", "root"]


def test_what_is_outside_can_be_denied(root: Path, tmp_path: Path) -> None:
    """With outside="deny" nothing outside is written or read, and modules are imported all the same."""
    (tmp_path / "beside").write_text("beside")
    (root / "out").symlink_to(tmp_path / "beside")
    with testbench.Overlay(root, outside="deny"):
        for path in (tmp_path / "beside", root / "out", root / ".." / "beside"):
            for doing in (path.read_text, path.touch, path.stat, path.unlink):
                if (path.name, doing) != ("out", path.unlink):  # a link in the root is no file outside
                    with pytest.raises(PermissionError, match="outside"):
                        doing()
        with pytest.raises(PermissionError):
            os.listdir(Path.home())
        import wave

        assert wave.__file__
        assert os.path.realpath(root / "link") == str(root / "text")
        with open(os.devnull, "w") as nowhere:
            nowhere.write("x")
        (root / "in").write_text("in")
    assert (tmp_path / "beside").read_text() == "beside"


def test_what_no_redirect_sees_is_refused_before_it_opens(root: Path) -> None:
    """A file opened by its class, or a database by its, is not opened past the overlay without a word."""
    before = tree_of(root)
    with testbench.Overlay(root):
        for mode in ("r", "w"):
            with pytest.raises(UnsupportedError, match="real root"):
                io.FileIO(str(root / "text"), mode)
        with pytest.raises(UnsupportedError, match="real root"):
            sqlite3.Connection(str(root / "base"))
        base = sqlite3.connect(root / "base")
        base.execute("create table kept (x)")
        base.close()
        assert (root / "base").stat().st_size
        sqlite3.connect(":memory:").close()
    assert tree_of(root) == before


@pytest.mark.parametrize(
    "uri", ["file:root/a%20base?mode=rwc", "file://{parent}/root/a base#x", "file:{parent}/root/a%20base"]
)
def test_a_database_that_is_named_by_a_uri_is_in_it(root: Path, monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    """As one that is named by a path; one in memory is nowhere, and by its class none is opened."""
    monkeypatch.chdir(root.parent)
    before = tree_of(root)
    name = uri.format(parent=root.parent)
    with testbench.Overlay(root) as overlay:
        base = sqlite3.connect(name, uri=True)
        base.execute("create table kept (x)")
        base.close()
        sqlite3.connect("file:other?mode=memory&cache=shared", uri=True).close()
        with pytest.raises(UnsupportedError, match="real root"):
            sqlite3.Connection(name, uri=True)
        assert [change.path for change in overlay.diff()] == ["a base"]
    assert tree_of(root) == before


def test_threads_share_it(root: Path) -> None:
    """Four threads write at once; all of it is there."""
    with testbench.Overlay(root) as overlay:

        def write(number: int) -> None:
            for at in range(50):
                (root / f"{number}-{at}").write_text("x" * at)

        threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(overlay.diff()) == 200


def test_functions_are_what_they_were_after_it(root: Path) -> None:
    """The sets of `os` that hold functions find them within and after; nothing stays redirected."""
    before = [len(os.supports_dir_fd), os.stat in os.supports_dir_fd, os.open.__self__, io.open.__self__]
    with testbench.Overlay(root):
        assert os.stat in os.supports_dir_fd
        assert os.utime in os.supports_follow_symlinks
    assert before == [len(os.supports_dir_fd), os.stat in os.supports_dir_fd, os.open.__self__, io.open.__self__]


def test_there_is_but_one(root: Path, tmp_path: Path) -> None:
    """A second one is refused while one is open; a closed one can be opened again."""
    overlay = testbench.Overlay(root)
    with overlay:
        with pytest.raises(UsageError, match="is open"):
            testbench.Overlay(tmp_path).open()
        (root / "new").touch()
    with overlay:
        assert not (root / "new").exists()
    with pytest.raises(UsageError, match="not open"):
        overlay.diff()


@pytest.mark.parametrize("given", ["none", "file"])
def test_a_root_that_is_no_directory_is_refused(tmp_path: Path, given: str) -> None:
    """What is not there, or is a file, is named."""
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=given):
        testbench.Overlay(tmp_path / given).open()


def test_changes_are_not_kept_in_the_root(tmp_path: Path) -> None:
    """A place for changes that is in the root is refused, and nothing is made there."""
    with pytest.raises(UsageError, match="aside="):
        testbench.Overlay(tmp_path, aside=tmp_path).open()
    assert os.listdir(tmp_path) == []


def test_links_that_lead_round_end(root: Path) -> None:
    """Two links to one another are an error of the system, as ever."""
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("a")
    with testbench.Overlay(root):
        for doing in ((root / "a").read_text, (root / "a").touch, (root / "a").stat):
            with pytest.raises(OSError, match=os.strerror(errno.ELOOP)):
                doing()


def test_odd_files_are_as_they_were(root: Path) -> None:
    """Fifos, sparse files, second names and names that are no UTF-8 stand in the overlay as in the root."""
    os.mkfifo(root / "fifo")
    with open(root / "sparse", "wb") as file:
        file.truncate(4 << 30)
        file.seek(1 << 30)
        file.write(b"data")
    os.link(root / "text", root / "twin")
    (root / "n\udcff").write_text("odd")
    (root / "N\udcff").write_text("case")
    before = tree_of(root)
    with testbench.Overlay(root) as overlay:
        assert tree_of(root) == before
        assert os.stat(root / "sparse").st_blocks < 1000
        (root / "twin").write_text("both")
        assert (root / "text").read_text() == "both"
        with open(root / "sparse", "r+b") as file:
            file.seek(2 << 30)
            file.write(b"more")
        assert {change.path for change in overlay.diff()} == {"sparse", "text", "twin"}
        with pytest.raises(OverlayError, match="sparse"):
            overlay.diff().patch()
        overlay.apply()
    assert os.stat(root / "sparse").st_blocks < 1000
    assert os.stat(root / "text").st_ino == os.stat(root / "twin").st_ino
    assert (root / "text").read_text() == "both"
    with open(root / "sparse", "rb") as file:
        assert os.pread(file.fileno(), 4, 2 << 30) == b"more"
        assert os.pread(file.fileno(), 4, 1 << 30) == b"data"
