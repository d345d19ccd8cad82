"""Tests of the file of a tape: beside its name while it is written, on it when whole, locked, never in the way."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

import pytest

from testbench.errors import RecordingError, TapeBusyError, TapeWriteError
from testbench.tape import TapeFile
from testbench.tape._structure import MAGIC


@pytest.fixture
def path(tmp_path):
    """Give the path of a tape to be."""
    return tmp_path / "run.tape"


def names(path):
    """List what is in the directory of a path."""
    return sorted(entry.name for entry in path.parent.iterdir())


def test_a_tape_appears_whole_or_not_at_all(path):
    """Until it is committed there is only the partial file; then there is only the tape."""
    file = TapeFile.create(path)
    os.write(file.fd, b"events")
    assert names(path) == ["run.tape.partial"]

    assert file.commit() == path
    assert names(path) == ["run.tape"]
    assert path.read_bytes() == b"events"
    assert file.fd == -1


def test_a_tape_that_is_there_is_replaced_by_a_whole_one_only(path):
    """Recording over a good tape leaves it alone until the new one is whole, and when it never is."""
    good = MAGIC + b"good"
    path.write_bytes(good)
    file = TapeFile.create(path)
    os.write(file.fd, b"unfinished")
    assert path.read_bytes() == good

    assert file.set_aside() == path.with_name("run.tape.failed")
    assert path.read_bytes() == good
    assert path.with_name("run.tape.failed").read_bytes() == b"unfinished"

    TapeFile.create(path).commit()
    assert path.read_bytes() == b""


def test_what_a_killed_recording_left_is_kept(path):
    """A leftover that nobody has locked moves aside; an empty one holds nothing and goes."""
    path.with_name("run.tape.partial").write_bytes(b"left")
    TapeFile.create(path).commit()
    assert names(path) == ["run.tape", "run.tape.failed"]
    assert path.with_name("run.tape.failed").read_bytes() == b"left"

    path.with_name("run.tape.partial").write_bytes(b"")
    TapeFile.create(path).commit()
    assert path.with_name("run.tape.failed").read_bytes() == b"left"


def test_a_tape_is_written_by_one_recording_at_a_time(path):
    """A second recording of the same tape is refused while the first is alive, in the same process too."""
    first = TapeFile.create(path)
    with pytest.raises(TapeBusyError, match=r"another recording writes .*run\.tape right now.*Wait for it"):
        TapeFile.create(path)
    assert names(path) == ["run.tape.partial"]

    first.commit()
    TapeFile.create(path).commit()


HOLD = """
import sys
from testbench.tape import TapeFile
from testbench.tape._structure import MAGIC
file = TapeFile.create(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
"""


def test_another_process_is_waited_for_as_long_as_it_lives(path):
    """A lock ends with its process, however that ends."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "open\n"
        with pytest.raises(TapeBusyError):
            TapeFile.create(path)
        other.kill()
    TapeFile.create(path).commit()


def test_a_forked_child_lets_go_of_the_file(path):
    """A child has no part in the tape: it can neither commit it nor keep it locked after its parent."""
    file = TapeFile.create(path)
    child = os.fork()
    if not child:
        refused = 0
        for use in (file.commit, file.set_aside):
            try:
                use()
            except RecordingError as error:
                refused += "was forked" in str(error)
        os._exit(refused + (file.fd == -1))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3

    file.commit()
    assert names(path) == ["run.tape"]


def test_the_lock_is_not_held_by_a_child_that_outlives_its_parent(path):
    """While a forked child of a killed recording goes on, the tape is free."""
    script = """
import os, signal, sys
from testbench.tape import TapeFile
from testbench.tape._structure import MAGIC
file = TapeFile.create(sys.argv[1])
child = os.fork()
if not child:
    print("child", flush=True)
    sys.stdin.read()
    os._exit(0)
os.waitpid(child, os.WNOHANG)
os.kill(os.getpid(), signal.SIGKILL)
"""
    with subprocess.Popen(
        [sys.executable, "-c", script, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout.readline() == "child\n"
        assert parent.wait() == -9
        TapeFile.create(path).commit()
        parent.stdin.close()


def test_the_place_of_a_tape_does_not_move_with_the_directory(path, tmp_path, monkeypatch):
    """A program may change its directory while it is recorded."""
    monkeypatch.chdir(tmp_path)
    file = TapeFile.create("run.tape")
    (tmp_path / "elsewhere").mkdir()
    os.chdir("elsewhere")

    assert file.commit() == path
    assert path.exists()


@pytest.mark.parametrize(
    ("make", "name", "told"),
    [
        (lambda path: None, "no/such/run.tape", r"there is no directory .*no/such\. Make it: `mkdir -p"),
        (lambda path: path.mkdir(), "run.tape", r"there is a directory in that place"),
        (lambda path: path.write_bytes(b""), "run.tape/run.tape", r"is no directory"),
        (lambda path: None, "x" * 300, r"File name too long"),
        (lambda path: None, "nul\0.tape", r"null"),
    ],
)
def test_a_place_where_no_tape_can_be_is_refused_with_the_fix(path, make, name, told):
    """Each reason for which nothing can be written has its words, before anything is recorded."""
    make(path)
    with pytest.raises(TapeWriteError, match=told):
        TapeFile.create(path.parent / name)


def test_a_directory_that_cannot_be_written_is_refused_with_the_fix():
    """A read-only directory is found out when the recording begins."""
    user = os.geteuid()
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o555)
        try:
            os.seteuid(user or 65534)  # the superuser may write anywhere, so be somebody else for a moment
            with pytest.raises(TapeWriteError, match=r"cannot be written by this user.*change its mode"):
                TapeFile.create(f"{folder}/run.tape")
        finally:
            os.seteuid(user)
            os.chmod(folder, 0o755)


def test_a_directory_that_vanishes_is_told_when_the_tape_is_committed(path):
    """A tape that cannot be moved onto its name says why."""
    folder = path.parent / "folder"
    folder.mkdir()
    file = TapeFile.create(folder / "run.tape")
    (folder / "run.tape.partial").unlink()
    folder.rmdir()

    with pytest.raises(TapeWriteError, match="there is no directory"):
        file.commit()


def test_a_directory_that_comes_in_the_way_keeps_the_partial_tape(path):
    """If the name is taken by a directory meanwhile, nothing is lost."""
    file = TapeFile.create(path)
    os.write(file.fd, b"events")
    path.mkdir()
    (path / "full").touch()

    with pytest.raises(TapeWriteError, match="there is a directory in that place"):
        file.commit()
    assert path.with_name("run.tape.partial").read_bytes() == b"events"


def test_what_is_no_tape_is_never_replaced(tmp_path):
    """A recording takes the place of an older tape or of an empty file, and of nothing else."""
    notes = tmp_path / "notes.txt"
    notes.write_text("years of work")
    os.mkfifo(tmp_path / "pipe")
    for path in (notes, tmp_path / "pipe", "/dev/null"):
        with pytest.raises(TapeWriteError, match="something else than a tape"):
            TapeFile.create(path)
    assert notes.read_text() == "years of work"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt", "pipe"]
    (tmp_path / "empty.tape").touch()
    TapeFile.create(tmp_path / "empty.tape").commit()
