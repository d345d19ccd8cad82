"""The laws of overlays: what is done in one is what is done for real; its patch and `apply` give that, too."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import testbench
from tests.overlay.conftest import as_git_sees, git_apply
from tests.trees import tree_of

pytestmark = pytest.mark.slow

names = st.sampled_from(["a", "b", "c", "d e", "n\udcff", "A"])
paths = st.lists(names, min_size=1, max_size=3).map("/".join)
contents = st.one_of(
    st.binary(max_size=40),
    st.lists(st.sampled_from(["one", "two", "", "\r"]), max_size=30).map(lambda lines: "\n".join(lines).encode()),
    st.sampled_from([b"", b"\0", b"x" * 5000, b"end\n"]),
)
targets = st.one_of(paths, st.sampled_from(["..", "../a", "/nowhere/at/all", "ROOT/a", "ROOT/b/c", "a/../b"]))
steps = st.one_of(
    st.tuples(st.just("write"), paths, contents),
    st.tuples(st.just("append"), paths, contents),
    st.tuples(st.just("create"), paths, contents),
    st.tuples(st.just("read"), paths),
    st.tuples(st.just("list"), paths),
    st.tuples(st.just("stat"), paths),
    st.tuples(st.just("readlink"), paths),
    st.tuples(st.just("makedirs"), paths),
    st.tuples(st.just("symlink"), paths, targets),
    st.tuples(st.just("link"), paths, paths),
    st.tuples(st.just("rename"), paths, paths),
    st.tuples(st.just("unlink"), paths),
    st.tuples(st.just("rmdir"), paths),
    st.tuples(st.just("rmtree"), paths),
    st.tuples(st.just("truncate"), paths, st.integers(0, 9000)),
    st.tuples(st.just("chmod"), paths, st.sampled_from([0o644, 0o755, 0o600, 0o500 | 0o222])),
    st.tuples(st.just("utime"), paths, st.integers(0, 10**18)),
)


def done(root: str, step: tuple[Any, ...]) -> Any:
    """Do a step in a root, and return what comes of it, by names in the root."""
    kind, path, *more = step
    try:
        return DOING[kind](f"{root}/{path}", *more, root)
    except OSError as error:
        return type(error), error.errno, os.fsdecode(error.filename or "").replace(root, "ROOT")


def _write(path: str, content: bytes, mode: str) -> int:
    with open(path, mode) as file:
        return file.write(content)


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _list(path: str) -> list[Any]:
    with os.scandir(path) as listing:
        found = [(entry.name, entry.is_dir(), entry.is_file(), entry.is_symlink()) for entry in listing]
    assert sorted(os.listdir(path)) == sorted(name for name, *_ in found)
    return sorted(found)


DOING: dict[str, Any] = {
    "write": lambda path, content, _: _write(path, content, "wb"),
    "append": lambda path, content, _: _write(path, content, "ab"),
    "create": lambda path, content, _: _write(path, content, "xb"),
    "read": lambda path, _: _read(path),
    "list": lambda path, _: _list(path),
    "stat": lambda path, _: (os.stat(path).st_mode, os.path.realpath(path).replace(_, "ROOT")),
    "readlink": lambda path, root: os.readlink(path).replace(root, "ROOT"),
    "makedirs": lambda path, _: os.makedirs(path),
    "symlink": lambda path, target, root: os.symlink(target.replace("ROOT", root), path),
    "link": lambda path, other, root: os.link(path, f"{root}/{other}", follow_symlinks=False),
    "rename": lambda path, other, root: os.rename(path, f"{root}/{other}"),
    "unlink": lambda path, _: os.unlink(path),
    "rmdir": lambda path, _: os.rmdir(path),
    "rmtree": lambda path, _: shutil.rmtree(path),
    "truncate": lambda path, size, _: os.truncate(path, size),
    "chmod": lambda path, mode, _: os.chmod(path, mode),
    "utime": lambda path, ns, _: os.utime(path, ns=(ns, ns), follow_symlinks=False),
}


@contextmanager
def place(beginning: list[tuple[Any, ...]]) -> Iterator[tuple[str, str]]:
    """Give two roots in which some steps have been done."""
    with tempfile.TemporaryDirectory() as folder:
        real, over = f"{folder}/real/root", f"{folder}/over/root"
        for root in (real, over):
            os.makedirs(root)
            for step in beginning:
                done(root, step)
        yield real, over


def copy_as_git_has_it(root: str, copy: str) -> None:
    """Copy a root without empty directories, of which git knows nothing."""
    shutil.copytree(root, copy, symlinks=True)
    for directory, _, _ in os.walk(copy, topdown=False):
        if directory != copy and not os.listdir(directory):
            os.rmdir(directory)


def named(tree: dict[bytes, Any], root: str) -> dict[bytes, Any]:
    """Return a tree in which links into its root are called the same wherever that is."""
    own = os.fsencode(root)
    return {
        path: (mode, content.replace(own, b"ROOT") if isinstance(content, bytes) else content)
        for path, (mode, content, *_) in tree.items()
    }


@given(beginning=st.lists(steps, max_size=15), then=st.lists(steps, max_size=25))
def test_an_overlay_is_as_good_as_the_real_thing(beginning: list[Any], then: list[Any]) -> None:
    """Steps give the same results and tree; the root stays what it was; the patch and apply make it that tree."""
    with place(beginning) as (real, over):
        before, patched = tree_of(over), f"{over} patched"
        copy_as_git_has_it(over, patched)
        with testbench.Overlay(over) as overlay:
            for step in then:
                assert done(over, step) == done(real, step)
            seen = tree_of(over)
            assert named(seen, over) == named(tree_of(real), real)
            patch = overlay.diff().patch()
        assert tree_of(over) == before
        git_apply(patch, patched)
        assert as_git_sees(tree_of(patched)) == as_git_sees(seen)


@given(beginning=st.lists(steps, max_size=15), then=st.lists(steps, max_size=25))
def test_what_is_applied_is_what_was_seen(beginning: list[Any], then: list[Any]) -> None:
    """After a discard it is the root again; after apply the root is what the overlay was, times included."""
    with place(beginning) as (_, over):
        before = tree_of(over)
        with testbench.Overlay(over) as overlay:
            for step in then:
                done(over, step)
            overlay.discard()
            assert tree_of(over) == before
            assert overlay.diff() == ()
            for step in then:
                done(over, step)
            wanted = tree_of(over)
            overlay.apply()
            assert overlay.diff() == ()
        assert tree_of(over) == wanted
