"""Doing changes again: never outside of the root, and all of them or none."""

from __future__ import annotations

import errno
import os
import resource
import signal
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import testbench
from testbench.recorders.files._apply import Applying
from testbench.recorders.files._undo import ApplyError

Change = tuple[Any, ...]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Make a small tree."""
    place = tmp_path / "root"
    (place / "sub").mkdir(parents=True)
    (place / "old").write_text("old")
    (place / "sub" / "leaf").write_text("leaf")
    (place / "link").symlink_to(tmp_path)
    for path in (place / "old", place / "sub" / "leaf", place / "sub", place):
        os.utime(path, ns=(10**18, 10**18))
    return place


def apply(root: Path, *changes: Change) -> None:
    """Do changes, or nothing."""
    applying = Applying(os.fsencode(root))
    try:
        for change in changes:
            applying.add(*change)
        applying.commit()
    except ApplyError:
        applying.roll_back()
        raise
    applying.close()


@pytest.mark.parametrize(
    "path",
    [
        "../out",
        "sub/../../out",
        "/etc/out",
        "./x",
        "sub//x",
        "sub/.",
        "..",
        "a\0b",
        "\ud800",
        "sub/../x",
        7,
        None,
        b"x",
    ],
)
@pytest.mark.parametrize("what", ["file", "dir", "gone", "meta"])
def test_no_path_leads_out_of_the_root(root: Path, tree: Any, path: Any, what: str) -> None:
    """What is no plain path inside of the root is refused by name, and nothing happens."""
    before = tree(root.parent)
    with pytest.raises(ApplyError):
        apply(root, ("new", "file", 0o644, 5, b"x"), (path, what, 0o644, 5, b"x"))
    assert tree(root.parent) == before


@pytest.mark.parametrize("what", ["file", "dir", "written", "link", "fifo", "socket", "meta"])
def test_no_symbolic_link_leads_out_of_the_root(root: Path, tree: Any, what: str) -> None:
    """A link on the way is not followed, whether it was there or is made by the same tape."""
    before = tree(root.parent)
    content = "x" if what == "link" else b"x"
    for way in ([], [("out", "link", 0o777, 5, str(root.parent))]):
        name = "out" if way else "link"
        with pytest.raises(ApplyError, match=f"{name}/x"):
            apply(root, *way, (f"{name}/x", what, 0o644, 5, content))
        assert tree(root.parent) == before


def test_a_link_at_the_place_itself_is_replaced(root: Path) -> None:
    """Where a link stands and a file should be, the file takes its place, and what it led to stays."""
    (root.parent / "victim").write_text("victim")
    (root / "aim").symlink_to(root.parent / "victim")
    apply(root, ("aim", "written", 0o644, 5, b"mine"))
    assert (root / "aim").read_text() == "mine"
    assert not (root / "aim").is_symlink()
    assert (root.parent / "victim").read_text() == "victim"


def test_modes_of_what_a_link_leads_to_stay(root: Path) -> None:
    """A change of mode alone never goes through a link."""
    victim = root.parent / "victim"
    victim.write_text("x")
    victim.chmod(0o600)
    (root / "aim").symlink_to(victim)
    with pytest.raises(ApplyError, match="aim"):
        apply(root, ("aim", "meta", 0o666, 5, None))
    assert stat.S_IMODE(victim.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "change",
    [
        ("x", "file", 0o644, 5, None),
        ("x", "file", 0o644, 5, 7),
        ("x", "file", 0o644, 5, {"size": -1, "parts": []}),
        ("x", "file", 0o644, 5, {"size": 5, "parts": [[-1, b"x"]]}),
        ("x", "file", 0o644, 5, {"parts": []}),
        ("x", "file", "rw", 5, b""),
        ("x", "file", 0o644, 1 << 100, b""),
        ("x", "link", 0o644, 5, b"x"),
        ("x", "link", 0o644, 5, ""),
        ("x", "device", 0o644, 5, None),
        ("x", "more", 0o644, 5, {"size": 5, "parts": []}),
        ("x", None, 0o644, 5, None),
    ],
)
def test_nonsense_is_refused(root: Path, tree: Any, change: Change) -> None:
    """A tape that says what no recording says is refused by name, and nothing is left behind."""
    before = tree(root)
    with pytest.raises(ApplyError):
        apply(root, ("new", "file", 0o644, 5, b"x"), change)
    assert tree(root) == before


EVERYTHING: list[Change] = [
    ("", "dir", 0o755, 5, None),
    ("a", "dir", 0o500, 5, None),
    ("a/b", "file", 0o400, 5, b"b" * 100),
    ("a/big", "file", 0o400, 5, {"size": 1 << 20, "parts": [[1 << 19, b"x" * 1000]]}),
    ("fifo", "fifo", 0o600, 5, None),
    ("link", "gone", None, None, None),
    ("made", "link", 0o777, 5, "anywhere"),
    ("old", "written", 0o600, 5, b"another content"),
    ("sub", "file", 0o644, 5, b"was a directory"),
    ("sub/leaf", "gone", None, None, None),
]


@pytest.mark.parametrize("fault", [("nothing", "meta", 0o600, 5, None), ("sub/in/x", "file", 0o600, 5, b"x")])
def test_a_failure_in_the_middle_leaves_the_tree_as_it_was(root: Path, tree: Any, fault: Change) -> None:
    """Everything that was done before is undone: contents, names, modes and times."""
    (root / "old").write_text("o" * 200_000)
    os.utime(root / "old", ns=(10**18, 10**18))
    before = tree(root)
    with pytest.raises(ApplyError, match=fault[0]):
        apply(root, *EVERYTHING, fault)
    assert tree(root) == before


def test_everything_is_done(root: Path, tree: Any) -> None:
    """Without a fault, all of it happens, and nothing of what was kept is left."""
    apply(root, *EVERYTHING)
    after = tree(root)
    assert set(after) == {b".", b"a", b"a/b", b"a/big", b"fifo", b"made", b"old", b"sub"}
    assert {mtime_ns for _, _, mtime_ns in after.values()} == {5}
    assert after[b"a"][0] == stat.S_IFDIR | 0o500
    (root / "a").chmod(0o700)


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """Let no file grow above a size, as if the disk were full."""
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("size", [100, 100_000])
@pytest.mark.parametrize("what", ["file", "written"])
def test_a_full_disk_is_told_and_leaves_nothing(root: Path, tree: Any, what: str, size: int) -> None:
    """The file that did not fit is named, and what was written before is taken back."""
    before = tree(root)
    changes = [*EVERYTHING[:3], ("old", what, 0o600, 5, b"x" * size * 2)]
    with files_up_to(size), pytest.raises(ApplyError, match="old") as told:
        apply(root, *changes)
    assert os.strerror(errno.EFBIG) in str(told.value)
    assert tree(root) == before


def test_a_directory_that_should_be_gone_and_is_not_empty_is_named(site: Any, sh: Any) -> None:
    """What the program has put there would be lost: the replay ends, says where, and leaves all as it was."""
    place_of: Callable[[Path], Path] = lambda place: place / "sub"  # noqa: E731
    site.prepare(lambda place: (place / "sub").mkdir())
    site.record(lambda place: sh("echo x > new; rmdir sub", place))
    site.begin()
    (place_of(site.place) / "mine").write_text("mine")
    with pytest.raises(testbench.DivergenceError, match=r"sub'?: Directory not empty. All is as it was before"):
        site.replay_here(lambda place: sh("echo x > new; rmdir sub", place))
    assert sorted(os.listdir(site.place)) == ["sub"]
    assert os.listdir(site.place / "sub") == ["mine"]


def test_what_cannot_be_read_is_reported_and_refused(site: Any, sh: Any) -> None:
    """A file that may not be read, or a device, is a leak with its path; a replay refuses it and does nothing."""
    script = "echo x > new; " + ("mknod odd c 1 3" if os.geteuid() == 0 else "echo x > odd; chmod 0 odd")
    with pytest.warns(testbench.LeakWarning, match="odd"):
        site.record(lambda place: sh(script, place), leaks="warn")
    site.begin()
    with pytest.raises(testbench.RefusedError, match=r"files\.unread"):
        site.replay_here(lambda place: sh(script, place))
    assert os.listdir(site.place) == []


def test_sockets_and_fifos_are_never_opened(site: Any) -> None:
    """A socket that a child leaves is there on replay, with nobody behind it; opening a fifo would wait for ever."""
    code = "import socket, os; socket.socket(socket.AF_UNIX).bind('socket'); os.mkfifo('fifo')"

    def program(place: Path) -> list[bool]:
        subprocess.run([os.sys.executable, "-c", code], cwd=place, check=True)  # type: ignore[attr-defined]
        return [(place / "socket").is_socket(), (place / "fifo").is_fifo()]

    site.agree(program)
    assert site.replay(program)[0] == [True, True]
