"""Names of ``tempfile`` on replay, where what the recording made under them is still there."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

import testbench
from testbench import real_clock

COARSE = 5
"""CLOCK_REALTIME_COARSE of Linux."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Any, monkeypatch: Any) -> Any:
    """Give the directory in which temporary files are made."""
    there = tmp_path / "temporary"
    there.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(there))
    return there


def leave_behind() -> list[Any]:
    """Make something in each way, delete nothing, and tell names and contents."""
    folder, (fd, file) = tempfile.mkdtemp(), tempfile.mkstemp(suffix=".txt")
    (Path(folder) / "note").write_text("kept")
    os.write(fd, b"some text, and no more")
    os.close(fd)
    with tempfile.NamedTemporaryFile(mode="w", prefix="named-", delete=False) as named:
        named.write("x")
    wished = tempfile.mktemp()
    Path(wished).write_text("y")
    raw = tempfile.mkdtemp(dir=os.fsencode(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory() as deleted:
        return [folder, file, Path(file).read_bytes(), named.name, wished, raw, deleted]


@pytest.mark.parametrize("options", [{}, {"seed": 7}, {"files": "sealed"}, {"placeholders": True}], ids=repr)
def test_what_was_left_behind_does_not_change_names(tmp_path: Any, options: Any) -> None:
    """A replay gets the names of the recording, and so does the next one; nothing is a leak."""
    with testbench.record(tmp_path / "run.tape", **options):
        recorded = leave_behind()
    for _ in range(2):
        with testbench.replay(tmp_path / "run.tape", leaks="fail"):
            assert leave_behind() == recorded
    assert (Path(recorded[0]) / "note").read_text() == "kept"


def test_names_that_the_recording_did_not_get(tmp_path: Any, folder: Any) -> None:
    """Two recordings from one seed get different names, each replay those of its own, also where nothing is left."""
    recorded = []
    for name in ("one.tape", "two.tape"):
        with testbench.record(tmp_path / name, seed=7):
            recorded.append(tempfile.mkdtemp())
        while time.clock_gettime_ns(COARSE) <= os.lstat(recorded[-1]).st_ctime_ns:
            pass  # what is made in the tick in which a recording begins is taken for its own
    assert recorded[0] != recorded[1]
    for path in recorded:
        os.rmdir(path)
    for name, path in zip(("two.tape", "one.tape"), reversed(recorded), strict=True):
        with testbench.replay(tmp_path / name, leaks="fail"):
            assert tempfile.mkdtemp() == path


@pytest.mark.filterwarnings("ignore::testbench.LeakWarning")
def test_what_is_in_use_is_left_alone(tmp_path: Any) -> None:
    """A name that was taken while the replay ran is not taken over, and the report tells so."""
    with testbench.record(tmp_path / "run.tape"):
        recorded = tempfile.mkdtemp()
    os.rmdir(recorded)
    with testbench.replay(tmp_path / "run.tape") as session:
        opened_ns = real_clock.time_ns()
        os.mkdir(recorded)
        while os.lstat(recorded).st_ctime_ns <= opened_ns:  # file systems tell the time of the last tick
            os.utime(recorded)
        assert tempfile.mkdtemp() != recorded
    assert [leak.name for leak in session.leaks] == ["random.taken"]


def collide() -> list[str]:
    """Ask twice for the same name, and for another one."""
    names = iter(["same", "same", "other"])
    with mock.patch.object(tempfile, "_get_candidate_names", return_value=names):
        return [tempfile.mkdtemp(prefix=""), tempfile.mkdtemp(prefix="")]


def test_names_that_the_program_took_itself(tmp_path: Any) -> None:
    """What the session itself has made is no leftover, however early it was made and whatever the recording left."""
    with testbench.record(tmp_path / "run.tape"):
        recorded = collide()
    for _ in range(2):
        with testbench.replay(tmp_path / "run.tape", leaks="fail"):
            assert collide() == recorded


def test_something_else_is_left_alone(tmp_path: Any) -> None:
    """A file where the recording made a directory is no leftover of it."""
    with testbench.record(tmp_path / "run.tape"):
        recorded = tempfile.mkdtemp()
    os.rmdir(recorded)
    Path(recorded).write_text("mine")
    with pytest.warns(testbench.LeakWarning, match=r"random\.taken"), testbench.replay(tmp_path / "run.tape"):
        assert tempfile.mkdtemp() != recorded
    assert Path(recorded).read_text() == "mine"


def test_the_module_is_as_it_was(tmp_path: Any) -> None:
    """Nothing of it is left in ``tempfile``, and what a program sets by way of it within reaches the real module."""
    before = tempfile._os, tempfile._exists  # type: ignore[attr-defined]
    with testbench.record(tmp_path / "run.tape"):
        tempfile._os.strange = 1  # type: ignore[attr-defined]
        assert os.strange == 1  # type: ignore[attr-defined]
        del tempfile._os.strange  # type: ignore[attr-defined]
    assert (tempfile._os, tempfile._exists) == before  # type: ignore[attr-defined]
    assert not hasattr(os, "strange")
