"""The law of effects: whatever a child does to a tree, a replay does the same to the same tree, to the byte."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import testbench

CHILD = """
import json, os, shutil, sys
for step, path, *more in json.loads(sys.argv[1]):
    path = os.fsencode(path)
    try:
        if step in ("write", "hole") and os.path.exists(path) and not os.path.isfile(path):
            continue  # a fifo would wait for a reader
        if step == "write":
            with open(path, more[0] + "b") as file:
                file.write(more[1].encode() * more[2])
        elif step == "replace":
            with open(b".tmp", "wb") as file:
                file.write(more[0].encode())
            os.replace(b".tmp", path)
        elif step == "hole":
            with open(path, "r+b") as file:
                file.truncate(more[0])
        elif step == "mkdir":
            os.makedirs(path)
        elif step == "link":
            os.symlink(os.fsencode(more[0]), path)
        elif step == "hard":
            os.link(path, os.fsencode(more[0]), follow_symlinks=False)
        elif step == "fifo":
            os.mkfifo(path)
        elif step == "rename":
            os.rename(path, os.fsencode(more[0]))
        elif step == "remove":
            os.unlink(path)
        elif step == "rmtree":
            shutil.rmtree(path)
        elif step == "chmod":
            os.chmod(path, more[0], follow_symlinks=not os.path.islink(path))
        elif step == "utime":
            os.utime(path, ns=(more[0], more[0]), follow_symlinks=False)
    except (OSError, NotImplementedError, shutil.Error):
        pass
"""

names = st.sampled_from(["a", "b", "c", "n\udcff", "A"])
paths = st.lists(names, min_size=1, max_size=3).map("/".join)
contents = st.text(max_size=5)
steps = st.one_of(
    st.tuples(st.just("write"), paths, st.sampled_from("wa"), contents, st.sampled_from([1, 1, 2000, 20_000])),
    st.tuples(st.just("replace"), paths, contents),
    st.tuples(st.just("hole"), paths, st.sampled_from([0, 1, 5000, 3_000_000])),
    st.tuples(st.just("mkdir"), paths),
    st.tuples(st.just("link"), paths, paths),
    st.tuples(st.just("hard"), paths, paths),
    st.tuples(st.just("fifo"), paths),
    st.tuples(st.just("rename"), paths, paths),
    st.tuples(st.just("remove"), paths),
    st.tuples(st.just("rmtree"), paths),
    st.tuples(st.just("chmod"), paths, st.sampled_from([0o755, 0o700, 0o644, 0o600, 0o444, 0o500])),
    st.tuples(st.just("utime"), paths, st.integers(0, 4 * 10**18)),
)
children = st.lists(st.lists(steps, max_size=12), min_size=1, max_size=4)


def do(doings: list[Any], place: str) -> None:
    """Let a child do it."""
    subprocess.run([sys.executable, "-ISc", CHILD, json.dumps(doings)], cwd=place, check=True)


def tree(place: str) -> dict[bytes, Any]:
    """Return all that is in a directory."""
    found: dict[bytes, Any] = {}
    for folder, folders, files in os.walk(os.fsencode(place)):
        for name in (b"", *folders, *files):
            path = os.path.join(folder, name)
            seen = os.lstat(path)
            content: Any = None
            if stat.S_ISLNK(seen.st_mode):
                content = os.readlink(path)
            elif stat.S_ISREG(seen.st_mode):
                content = Path(os.fsdecode(path)).read_bytes()
            found[os.path.relpath(path, os.fsencode(place))] = seen.st_mode, seen.st_mtime_ns, content
    return found


def changed(left: dict[bytes, Any], right: dict[bytes, Any]) -> dict[bytes, Any]:
    """Return what two trees do not have in common."""
    return {p: (left.get(p), right.get(p)) for p in left.keys() | right.keys() if left.get(p) != right.get(p)}


@pytest.mark.slow
@given(before=st.lists(steps, max_size=12), doings=children)
def test_a_replay_does_to_a_tree_what_the_children_did(before: list[Any], doings: list[list[Any]]) -> None:
    """Record, bring back the beginning, replay: contents, names, kinds, modes and times are equal, after each child."""
    with tempfile.TemporaryDirectory() as folder:
        base, place, tape = f"{folder}/base", f"{folder}/place", f"{folder}/run.tape"
        os.mkdir(base)
        do(before, base)

        def program() -> list[Any]:
            shutil.rmtree(place, ignore_errors=True)
            with_times = subprocess.run(["cp", "-a", base, place])
            assert with_times.returncode == 0
            seen = []
            for doing in doings:
                do(doing, place)
                seen.append(tree(place))
            return seen

        with testbench.record(tape, effects="roots", roots=[folder], leaks="fail"):
            recorded = program()
        with testbench.replay(tape):
            replayed = program()
        assert [changed(*pair) for pair in zip(recorded, replayed, strict=True)] == [{}] * len(recorded)
