"""What is on a sealed tape, and what is not: whose reads, in which order, of which size, for which place."""

from __future__ import annotations

import filecmp
import linecache
import os
import shutil
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest

import testbench


def test_imports_are_no_reads_of_the_program(world: Any) -> None:
    """Neither its own modules nor the library's; what a module reads when it is imported is."""
    Path("own_module_of_this_test.py").write_text(
        "with open('text.txt', encoding='utf-8') as stream:\n    text = stream.read()\n"
    )

    def program() -> Any:
        sys.path.insert(0, os.getcwd())
        try:
            import own_module_of_this_test  # type: ignore[import-not-found]  # made above

            return own_module_of_this_test.text
        finally:
            sys.path.pop(0)
            sys.modules.pop("own_module_of_this_test", None)

    recorded = world.record(program)
    assert world.ops() == ["open"]
    os.unlink("text.txt")
    assert world.replay(program) == recorded == "one\ntwö\nthree\n"


def test_the_tape_is_not_there(tmp_path: Path, world: Any) -> None:
    """A program that lists the directory of its tape does not see it, under no name that it has meanwhile."""

    def program() -> list[Any]:
        return [sorted(os.listdir(tmp_path)), sorted(entry.name for entry in os.scandir(tmp_path))]

    assert world.record(program) == [["place"], ["place"]] == world.replay(program)


def test_threads_read_in_their_lanes(world: Any) -> None:
    """What each of several threads reads is its own, and in one order."""

    def program() -> Any:
        found: list[Any] = []

        def read(name: str) -> None:
            for _ in range(5):
                found.append((name, len(Path(name).read_bytes()), len(os.listdir("."))))

        threads = [threading.Thread(target=read, args=(name,)) for name in ("text.txt", "bytes.bin")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found

    recorded = world.record(program)
    shutil.rmtree("folder")
    os.unlink("text.txt")
    assert world.replay(program) == recorded


def test_another_read_is_a_divergence(world: Any) -> None:
    """A program that reads what it did not read is told so, whether the file is there or not."""
    world.record(lambda: Path("text.txt").read_bytes())
    with pytest.raises(testbench.MismatchError, match=r"files\.open was asked something else: path differs"):
        world.replay(lambda: Path("bytes.bin").read_bytes())


def test_a_change_between_two_reads_is_on_the_tape(world: Any) -> None:
    """A file is read as it was at that moment."""

    def program() -> list[str]:
        found = [Path("text.txt").read_text(encoding="utf-8")]
        os.replace("other.txt", "text.txt") if os.path.exists("other.txt") else None
        return [*found, Path("text.txt").read_text(encoding="utf-8")]

    Path("other.txt").write_text("changed")
    recorded = world.record(program)
    Path("other.txt").write_text("what nobody reads")
    assert world.replay(program) == recorded == ["one\ntwö\nthree\n", "changed"]


def test_a_sparse_file_of_4_gigabytes(world: Any) -> None:
    """Only what is no hole is on the tape, and read back at its place."""
    with open("huge", "wb") as stream:
        stream.truncate(4 << 30)
        stream.seek(3 << 30)
        stream.write(b"there")

    def program() -> list[Any]:
        with open("huge", "rb") as stream:
            found: list[Any] = [stream.read(3), stream.seek(3 << 30), stream.read(5), stream.seek(0, 2)]
        return [*found, os.path.getsize("huge")]

    assert world.agree(program) == [b"\0\0\0", 3 << 30, b"there", 4 << 30, 4 << 30]
    assert world.tape.stat().st_size < 100_000


def test_a_file_of_many_pieces(world: Any) -> None:
    """What does not fit in one event comes in several; a replay puts it together."""
    with open("large", "wb") as stream:
        for number in range(20):
            stream.write(bytes([number]) * (1 << 20))

    def program() -> list[Any]:
        with open("large", "rb") as stream:
            return [stream.read()[:: 1 << 19], stream.seek(0), stream.read(4)]

    world.agree(program)
    assert world.ops() == ["open", *["more"] * 39]


@pytest.mark.parametrize("before", [0, 1000, (5 << 20) - 10], ids=["small", "kilobyte", "in two pieces"])
def test_secrets_in_files_are_not_on_the_tape(world: Any, before: int) -> None:
    """A placeholder stands for one on replay, and not a byte of what is around it is lost."""
    secret = b"correct-horse-battery"
    Path("settings").write_bytes(b"." * before + b"PIN=" + secret + b";end\n" + b"." * before)
    recorded = world.record(Path("settings").read_bytes, redact_values=[secret.decode()])
    replayed = world.replay(Path("settings").read_bytes)
    assert secret in recorded
    assert secret not in world.tape.read_bytes()
    assert secret not in replayed
    head, _, tail = replayed.partition(b"PIN=")
    assert head == b"." * before
    assert tail.endswith(b";end\n" + b"." * before)
    assert b"\0" not in replayed


def test_a_tape_fits_another_directory(tmp_path: Path, world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With placeholders, absolute paths are what they are there; contents keep every byte."""
    Path("path.txt").write_text(os.getcwd())

    def program() -> list[Any]:
        path = os.path.abspath("path.txt")
        return [len(Path(path).read_text()) == os.path.getsize(path), os.path.realpath("folder/link") == path]

    recorded = world.record(program, placeholders=True)
    kept = Path("path.txt").read_text()
    other = tmp_path / "a" / "rather" / "longer" / "name"
    other.mkdir(parents=True)
    monkeypatch.chdir(other)
    assert world.replay(program) == recorded
    with testbench.open_tape(world.tape) as tape:
        opened = next(event for event in tape if event.op == "open")
    assert opened.request == {"path": "${CWD}/path.txt", "options": {}}
    assert opened.outcome.value["content"].decode() == kept


def test_what_may_not_be_read_may_not_be_read_again(world: Any, tmp_path: Path) -> None:
    """A refusal is an outcome as any other, of which a replay needs no such file."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        secret = Path(folder, "secret")
        secret.touch()
        secret.chmod(0)
        user = os.geteuid()

        def program() -> list[Any]:
            os.seteuid(65534 if user == 0 else user)
            try:
                return [
                    world.error_of(open, secret),
                    os.access(secret, os.R_OK, effective_ids=True),
                    world.error_of(os.listdir, ""),
                ]
            finally:
                os.seteuid(user)

        with testbench.record(tmp_path / "run.tape", files="sealed"):
            recorded = program()
        secret.unlink()
        with testbench.replay(tmp_path / "run.tape"):
            assert program() == recorded
    assert recorded[0][0] is PermissionError


def test_the_word_is_checked(tmp_path: Path) -> None:
    """What is no such policy is refused, with those that are."""
    with pytest.raises(
        testbench.UsageError, match="files='all' is unknown; expected one of off, programs, observed, sealed"
    ):
        testbench.record(tmp_path / "a.tape", files="all")
    with pytest.raises(testbench.UsageError, match="is recorded by the kind files; name it in recorders= too"):
        testbench.record(tmp_path / "a.tape", files="sealed", recorders=["clock"])


@pytest.mark.parametrize("files", ["sealed", "observed"])
def test_what_is_named_like_a_secret_is_what_it_is(world: Any, files: str) -> None:
    """A directory called ``secret`` and a file called ``password`` are told apart on replay as on record."""
    os.mkdir("secret")
    Path("password").write_text("x")

    def program() -> Any:
        scanned = sorted((entry.name, entry.is_dir(), entry.is_file()) for entry in os.scandir("."))
        return scanned, list(os.walk("."))

    assert world.record(program, files=files) == world.replay(program)


def test_what_the_library_keeps_of_files_is_read_again(world: Any) -> None:
    """A line of a file, and whether two files are the same, are asked of the files in each session anew."""

    def program() -> Any:
        return linecache.getline("text.txt", 1), filecmp.cmp("text.txt", "bytes.bin", shallow=False)

    world.agree(program)
    assert "open" in world.ops()


def test_a_generated_source_stays_where_tracebacks_find_it(world: Any) -> None:
    """Lines that come from no file are not forgotten as a session begins."""
    linecache.cache["<made>"] = (4, None, ["made"], "<made>")
    try:
        world.record(lambda: None)
        assert linecache.getline("<made>", 1) == "made"
    finally:
        del linecache.cache["<made>"]
