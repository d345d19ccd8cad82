"""Generated programs that read generated trees: a sealed tape is exact, an observed one tells every difference."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import testbench

NAMES = st.sampled_from(["a", "b", "d", "d/a", "d/e", "d/e/a", "link"])
CONTENTS = st.sampled_from([b"", b"one", b"two", b"longer content", bytes(range(256)) * 40])
Step = tuple[str, str]

STEPS = st.tuples(
    st.sampled_from(["read", "part", "stat", "lstat", "list", "scan", "link", "may", "walk", "fd"]),
    st.one_of(NAMES, st.just(".")),
)
CHANGES = st.tuples(st.sampled_from(["write", "remove", "folder", "point", "mode"]), NAMES, CONTENTS)


def change(what: str, name: str, content: bytes) -> None:
    """Change the tree at one name; what cannot be done there is not."""
    try:
        if what == "write":
            Path(name).write_bytes(content)
        elif what == "folder":
            os.makedirs(name, exist_ok=True)
        elif what == "mode":
            os.chmod(name, 0o755)
        else:
            shutil.rmtree(name) if os.path.isdir(name) and not os.path.islink(name) else os.unlink(name)
            if what == "point":
                os.symlink(("a", "d", "none")[len(content) % 3], name)
    except OSError:
        return


def said(found: os.stat_result) -> Any:
    """Return of a path what is the same on another machine."""
    return stat.S_IFMT(found.st_mode), None if stat.S_ISDIR(found.st_mode) else found.st_size


def through(name: str) -> Any:
    """Read a file by its descriptor, and ask that how long it is."""
    descriptor = os.open(name, os.O_RDONLY)
    try:
        size = os.fstat(descriptor)
        return said(size), os.listdir(descriptor) if stat.S_ISDIR(size.st_mode) else os.read(descriptor, 100)
    finally:
        os.close(descriptor)


def part(name: str) -> bytes:
    """Read from the middle of a file."""
    with open(name, "rb", buffering=4) as stream:
        stream.seek(2)
        return stream.read(3)


def scan(name: str) -> Any:
    """List a directory, and what its entries are; a link that leads to itself fails in the middle."""
    with os.scandir(name) as entries:
        return sorted((one.name, one.is_dir(), one.is_file(), one.is_symlink()) for one in entries)


def walk(name: str) -> Any:
    """Go through a tree; what `os.walk` keeps to itself, because it cannot be asked, is found too."""
    found: list[Any] = []
    lost: list[OSError] = []
    for top, inside, files in os.walk(name, onerror=lost.append):
        found.append((top, sorted(inside), sorted(files)))
        found += [tried(os.stat, os.path.join(top, one)) for one in sorted(inside + files)]
    return sorted(map(str, [*found, *((error.errno, error.filename) for error in lost)]))


def tried(function: Callable[[str], os.stat_result], name: str) -> Any:
    """Return what is found at a path, or why nothing is."""
    try:
        return name, said(function(name))
    except OSError as error:
        return name, error.errno


READING: dict[str, Callable[[str], Any]] = {
    "read": lambda name: Path(name).read_bytes(),
    "part": part,
    "stat": lambda name: said(os.stat(name)),
    "lstat": lambda name: said(os.lstat(name)),
    "list": lambda name: sorted(os.listdir(name)),
    "scan": scan,
    "link": os.readlink,
    "may": lambda name: [os.access(name, mode) for mode in (os.R_OK, os.X_OK)],
    "walk": walk,
    "fd": through,
}


def run(steps: list[Step]) -> list[Any]:
    """Take all steps; what fails is an outcome too."""
    found = []
    for what, name in steps:
        try:
            found.append(READING[what](name))
        except OSError as error:
            found.append((type(error), error.errno, error.filename, str(error)))
    return found


@contextmanager
def tree(changes: list[Any]) -> Iterator[Path]:
    """Be in a directory with a generated tree, and give the path of a tape beside it."""
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(f"{folder}/place")
        os.chdir(f"{folder}/place")
        try:
            for one in changes:
                change(*one)
            yield Path(folder, "run.tape")
        finally:
            os.chdir(before)


@settings(max_examples=20)
@given(st.lists(CHANGES, max_size=8), st.lists(STEPS, max_size=12), st.lists(CHANGES, max_size=4))
def test_a_sealed_tape_needs_no_tree(made: list[Any], steps: list[Step], changes: list[Any]) -> None:
    """Whatever becomes of the files, the replay gives what was read, and recorded again the same tape."""
    with tree(made) as tape:
        stock = run(steps)
        with testbench.record(tape, files="sealed", leaks="fail"):
            recorded = run(steps)
        assert recorded == stock
        again = tape.with_name("again.tape")
        for ending in (lambda: [change(*one) for one in changes], lambda: [shutil.rmtree("d", ignore_errors=True)]):
            ending()
            with testbench.replay(tape, rerecord=again):
                assert run(steps) == recorded
            assert again.read_bytes() == tape.read_bytes()


@settings(max_examples=20)
@given(st.lists(CHANGES, max_size=8), st.lists(STEPS, max_size=12), st.lists(CHANGES, max_size=3))
@example([("point", "a", b"")], [("scan", "."), ("walk", "."), ("read", "a")], [])
@example([("write", "a", b"one")], [("read", "a")], [("write", "a", b"two")])
@example([("write", "a", b"one")], [("part", "a")], [("write", "a", b"One")])
def test_an_observed_tape_tells_every_difference(made: list[Any], steps: list[Step], changes: list[Any]) -> None:
    """A replay is as recorded where a plain run would be, and diverges where the program would see something else."""
    with tree(made) as tape:
        with testbench.record(tape, files="observed", leaks="fail"):
            recorded = run(steps)
        for one in changes:
            change(*one)
        whole = [("read", name) for what, name in steps if what in ("part", "fd")]  # all of what is opened counts
        differs = run(steps) != recorded or (bool(whole) and _differ(made, changes, whole))
        replayed = None
        with pytest.raises(testbench.DivergenceError) if differs else nullcontext(), testbench.replay(tape):
            replayed = run(steps)
        assert replayed == (None if differs else recorded)


def _differ(made: list[Any], changes: list[Any], steps: list[Step]) -> bool:
    """Tell whether changes make a difference to steps that read."""
    with tree(made):
        before = run(steps)
        for one in changes:
            change(*one)
        return run(steps) != before
