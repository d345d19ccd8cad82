"""What a program reads itself is answered from a sealed tape, with the files gone."""

from __future__ import annotations

import enum
import errno
import fileinput
import glob
import io
import linecache
import mmap
import os
import pickle
import shutil
import sys
import tempfile
import threading
import tokenize
from collections.abc import Callable
from contextlib import nullcontext
from os import stat as early_stat
from pathlib import Path
from typing import Any

import attrs
import pytest

import testbench

early_open = open


@attrs.define
class World:
    """A directory that a program runs in, and a tape of that."""

    tape: Path

    def record(self, program: Callable[[], Any], **options: Any) -> Any:
        """Record a program; nothing of what it reads is a leak."""
        with testbench.record(self.tape, **{"files": "sealed", "leaks": "fail", **options}):
            return program()

    def replay(self, program: Callable[[], Any], **options: Any) -> Any:
        """Replay it."""
        with testbench.replay(self.tape, **options):
            return program()

    def agree(self, program: Callable[[], Any], **options: Any) -> Any:
        """Run it, record it, replay it with every file gone; check that all come to the same."""
        stock = program()
        recorded = self.record(program, **options)
        assert recorded == stock
        for name in os.listdir("."):
            shutil.rmtree(name) if os.path.isdir(name) and not os.path.islink(name) else os.unlink(name)
        assert self.replay(program) == recorded
        return recorded

    def ops(self) -> list[str]:
        """Return the ops of kind files on the tape."""
        return [event.op for event in testbench.open_tape(self.tape) if event.kind == "files"]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Begin in a directory with a few files."""
    place = tmp_path / "place"
    (place / "folder" / "sub").mkdir(parents=True)
    (place / "text.txt").write_text("one\ntwö\nthree\n", encoding="utf-8")
    os.utime(place / "text.txt", ns=(-1_500_000_001, 1_234_567_890_123_456_789))
    (place / "bytes.bin").write_bytes(bytes(range(256)) * 100)
    (place / "folder" / "sub" / "deep.txt").write_text("deep")
    (place / "folder" / "link").symlink_to("sub/deep.txt")
    (place / "folder" / "lost").symlink_to("nowhere")
    (place / "folder" / "dirlink").symlink_to("sub")
    monkeypatch.chdir(place)
    return World(tmp_path / "run.tape")


def error_of(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Return all that can be seen of the exception that a call raises."""
    with pytest.raises((OSError, ValueError, TypeError, OverflowError, LookupError)) as caught:
        function(*args, **options)
    error = caught.value
    return type(error), str(error), error.args, getattr(error, "filename", None)


def all_of(function: Callable[..., Any], *args: Any, **options: Any) -> list[Any]:
    """Return the lines of a file that a function opens."""
    with function(*args, **options) as stream:
        return list(stream)


def test_every_way_to_open_gives_what_it_gave(world: World) -> None:
    """Text and bytes, streams and descriptors, names bound early, in memory maps and by other modules."""

    def program() -> list[Any]:
        found: list[Any] = [
            all_of(early_open, "text.txt", encoding="utf-8"),
            all_of(io.open, b"bytes.bin", "rb"),
            Path("text.txt").read_text(encoding="utf-8"),
            Path("bytes.bin").read_bytes(),
            all_of(open, "bytes.bin", "rb", buffering=0),
            all_of(open, "text.txt", encoding="utf-8", newline=""),
            all_of(fileinput.input, "text.txt", encoding="utf-8"),
            all_of(tokenize.open, "text.txt"),
            linecache.getlines("text.txt"),
        ]
        linecache.clearcache()
        with open("text.txt", encoding="utf-8") as stream:
            found += [type(stream), stream.name, stream.mode, stream.encoding, stream.buffer.raw.mode]
            found += [
                stream.fileno(),
                stream.readline(),
                stream.tell(),
                stream.seek(0, 2),
                stream.writable(),
                os.fstat(stream.fileno()),
            ]
        descriptor = os.open("bytes.bin", os.O_RDONLY)
        with mmap.mmap(descriptor, 0, prot=mmap.PROT_READ) as mapped:
            found += [mapped[250:260], os.read(descriptor, 5), os.pread(descriptor, 3, 100), os.lseek(descriptor, 0, 1)]
        found.append(error_of(os.write, descriptor, b"x"))
        os.close(descriptor)
        return found

    recorded = world.agree(program)
    assert recorded[0] == ["one\n", "twö\n", "three\n"]
    assert "open" in world.ops()


def test_every_question_gets_its_answer(world: World) -> None:
    """``stat`` and its kin, of files, links, directories and what is not there."""

    def program() -> list[Any]:
        paths = ["text.txt", "folder", "folder/link", "folder/lost", "folder/none", "text.txt/x", b"text.txt"]
        return [
            [os.path.exists(path) for path in paths],
            [os.path.isfile(path) for path in paths],
            [os.path.isdir(path) for path in paths],
            [os.path.islink(path) for path in paths],
            [os.path.getsize(path) for path in paths[:3]],
            [os.access(path, os.R_OK) for path in paths],
            [os.path.realpath(path) for path in paths],
            early_stat("text.txt").__reduce__(),
            [early_stat("folder").__reduce__(), os.lstat("folder/lost").__reduce__()],
            os.lstat("folder/link").st_size,
            os.stat("folder/link", follow_symlinks=False).st_size,
            Path("folder/link").readlink(),
            os.readlink(b"folder/link"),
            os.path.samefile("folder/link", "folder/sub/deep.txt"),
            (os.statvfs("folder").f_bsize, shutil.disk_usage("text.txt").total),
            error_of(os.stat, "folder/none"),
            error_of(os.stat, "x" * 300),
            error_of(os.stat, "null\0"),
            error_of(open, "null\0"),
            error_of(open, 1.5),
            error_of(os.stat, b"folder/none"),
            error_of(os.readlink, "text.txt"),
            error_of(open, "folder/none"),
            error_of(open, Path("text.txt/x")),
            error_of(open, "folder"),
            error_of(os.open, "folder/none", os.O_RDONLY),
            error_of(os.open, "text.txt", os.O_RDONLY | os.O_DIRECTORY),
            error_of(os.open, "folder/link", os.O_RDONLY | os.O_NOFOLLOW),
        ]

    world.agree(program)


def test_directories_are_listed_in_the_recorded_order(world: World) -> None:
    """By every way to list one; entries know what they are, and follow links."""

    def seen(entry: Any) -> Any:
        kinds = entry.is_dir(), entry.is_file(), entry.is_symlink(), entry.is_dir(follow_symlinks=False)
        size = None if entry.name in ("lost", b"lost") else entry.stat().st_size
        is_one, shown, path = isinstance(entry, os.DirEntry), repr(entry), os.fspath(entry)
        return (
            entry.name,
            entry.path,
            entry.inode(),
            kinds,
            size,
            entry.stat(follow_symlinks=False),
            is_one,
            shown,
            path,
        )

    def program() -> list[Any]:
        with os.scandir("folder") as entries:
            found: list[Any] = [seen(next(entries))]
        folder = os.open("folder", os.O_RDONLY)
        found += [os.listdir(folder), [seen(entry) for entry in os.scandir(folder)]]
        found += [os.stat("sub/deep.txt", dir_fd=folder).st_size, os.path.sameopenfile(folder, folder)]
        inner = os.open("sub/deep.txt", os.O_RDONLY, dir_fd=folder)
        found.append(os.read(inner, 10))
        os.close(inner)
        os.close(folder)
        return [
            *found,
            os.listdir(),
            os.listdir("folder"),
            os.listdir(b"folder"),
            os.listdir(Path("folder")),
            [seen(entry) for entry in os.scandir("folder/")],
            [seen(entry) for entry in os.scandir(b"folder")],
            list(os.walk(".")),
            [where[:3] for where in os.fwalk("folder")],
            glob.glob("**/*", recursive=True),
            [str(path) for path in Path().rglob("*.txt")],
            [str(path) for path in Path("folder").iterdir()],
            error_of(os.listdir, "text.txt"),
            error_of(os.scandir, "none"),
        ]

    world.agree(program)


def test_listings_are_as_strict_as_those_of_the_interpreter(world: World) -> None:
    """An entry cannot be pickled, and an iterator that is left half read complains of it."""
    with testbench.record(world.tape, files="sealed"):
        with os.scandir("folder") as entries, pytest.raises(TypeError, match=r"cannot pickle 'posix\.DirEntry' object"):
            pickle.dumps(next(entries))
        left = os.scandir("folder")
        next(left)
        with pytest.warns(ResourceWarning, match="unclosed scandir iterator"):
            del left


def test_a_number_that_is_given_again_is_another_file(world: World) -> None:
    """A descriptor that was closed unseen is forgotten, also where the same file is opened again to be written."""

    def program() -> list[Any]:
        found: list[Any] = []
        for mode in ("rb", "wb", "rb", "r+b", "rb"):
            with open("again", mode) as stream:
                found.append(os.fstat(stream.fileno()).st_size)
        return found

    Path("again").write_text("first")
    recorded = world.record(program)
    Path("again").unlink()
    assert world.replay(program) == recorded == [5, 0, 0, 0, 0]


def test_what_the_program_writes_is_read_back_as_it_was(world: World) -> None:
    """Its writes are real on replay, its reads give what they gave: files, directories, copies, removal."""

    def program() -> list[Any]:
        found: list[Any] = []
        with tempfile.TemporaryDirectory(dir=".") as folder:
            place = Path(folder, "made")
            place.mkdir()
            (place / "a").write_text("first")
            found.append((place / "a").read_text())
            (place / "a").write_text("second")
            with open(place / "a", "a+") as stream:
                stream.write(" third")
                stream.seek(0)
                found.append(stream.read())
            os.rename(place / "a", place / "b")
            found += [os.listdir(place), (place / "a").exists(), (place / "b").read_text()]
            shutil.copy2(place / "b", place / "c")
            shutil.copytree(place, Path(folder, "copy"))
            found += [sorted(os.listdir(Path(folder, "copy"))), Path(folder, "copy", "c").read_text()]
        with tempfile.NamedTemporaryFile("w+", dir=".") as named:
            named.write("named")
            named.flush()
            named.seek(0)
            found += [named.read(), Path(named.name).read_text()]
        return [*found, os.path.exists(folder)]

    assert world.agree(program)[:2] == ["first", "second third"]


def test_copies_of_what_is_gone_are_made(world: World, tmp_path: Path) -> None:
    """The ways in which CPython copies within the kernel work on what a tape holds."""

    def program() -> list[Any]:
        target = tmp_path / "target"
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree("folder", target, symlinks=True)
        shutil.copy("bytes.bin", target)
        return [(target / "bytes.bin").read_bytes(), sorted(os.listdir(target)), (target / "sub/deep.txt").read_text()]

    world.agree(program)
    assert (tmp_path / "target" / "bytes.bin").read_bytes() == bytes(range(256)) * 100


class Flag(enum.IntFlag):
    """Numbers of a class of their own."""

    ONE = 1


class Text(str):
    """A text of a class of its own, as some libraries have."""

    __slots__ = ()


class Standing:
    """Stands for a path."""

    def __init__(self, path: Any) -> None:
        self.path = path

    def __fspath__(self) -> Any:
        return self.path


def test_a_path_may_be_many_things(world: World) -> None:
    """Errors and streams have the very object that was given; what is no path is refused in CPython's words."""
    asking: list[Callable[[Any], Any]] = [os.stat, os.listdir, os.readlink, os.statvfs, open, os.scandir]
    asking += [lambda path: os.open(path, os.O_RDONLY), lambda path: os.access(path, os.R_OK)]

    def told(ask: Callable[[Any], Any], path: Any) -> Any:
        try:
            found = ask(path)
        except OSError as error:
            return type(error), error.filename is (path.path if isinstance(path, Standing) else path), error.errno
        except TypeError as error:
            return str(error)
        return found if isinstance(found, bool) else None

    def program() -> list[Any]:
        with open(Text("text.txt"), encoding="utf-8") as stream:
            found: list[Any] = [type(stream.name)]
        paths = ["none", b"none", Text("none"), Standing("none"), Standing(Text("none")), Standing(1), 1.5, [], None]
        return [*found, [told(ask, path) for path in paths for ask in asking if path is not None or ask is os.stat]]

    world.agree(program)


def test_arguments_that_are_none_are_refused_as_ever(world: World) -> None:
    """A wrong argument breaks no recording: CPython's own words come, on replay too."""

    def program() -> list[Any]:
        here = os.path.abspath("text.txt")
        return [
            error_of(os.stat, here, dir_fd="folder"),
            error_of(os.lstat, here, dir_fd=1 << 80),
            error_of(os.access, "text.txt", "r"),
            error_of(os.access, "text.txt", []),
            os.access("text.txt", Flag(os.R_OK)),
            os.close(os.open("text.txt", Flag(os.O_RDONLY | os.O_CLOEXEC))),
            error_of(os.open, "text.txt", os.O_RDONLY, "mode"),
            error_of(os.getxattr, "text.txt", 5),
            error_of(os.stat, "text.txt", wrong=1),
            error_of(open, "text.txt", encoding="no-such-encoding"),
            error_of(open, "text.txt", "rw"),
        ]

    world.agree(program)


def test_what_functions_can_do_is_known(world: World) -> None:
    """``os.supports_*`` hold the functions themselves, and find them while they are redirected, and after."""

    def program() -> list[bool]:
        functions = (os.stat, os.access, os.open, os.listdir, os.scandir, os.readlink, os.chdir)
        sets = (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks, os.supports_effective_ids)
        return [function in names for function in functions for names in sets]

    assert any(world.agree(program))
    assert program() == world.replay(program)
    os.symlink("text.txt", "one")
    with testbench.record(world.tape, files="sealed"):
        shutil.copystat("one", "one", follow_symlinks=False)


def test_imports_are_no_reads_of_the_program(world: World) -> None:
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


def test_the_tape_is_not_there(tmp_path: Path, world: World) -> None:
    """A program that lists the directory of its tape does not see it, under no name that it has meanwhile."""

    def program() -> list[Any]:
        return [sorted(os.listdir(tmp_path)), sorted(entry.name for entry in os.scandir(tmp_path))]

    assert world.record(program) == [["place"], ["place"]] == world.replay(program)


def test_names_that_are_no_utf_8(world: World) -> None:
    """A name is bytes: it comes back as it is, whatever they are."""
    os.mkdir(b"odd")
    Path(os.fsdecode(b"odd/\xff\xfe")).write_bytes(b"odd")

    def program() -> list[Any]:
        names: list[Any] = [*os.listdir(b"odd"), *os.listdir("odd")]
        return [names, all_of(open, os.path.join(b"odd", names[0]), "rb"), [entry.name for entry in os.scandir("odd")]]

    assert world.agree(program)[0] == [b"\xff\xfe", "\udcff\udcfe"]


def test_threads_read_in_their_lanes(world: World) -> None:
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


def test_another_read_is_a_divergence(world: World) -> None:
    """A program that reads what it did not read is told so, whether the file is there or not."""
    world.record(lambda: Path("text.txt").read_bytes())
    with pytest.raises(testbench.MismatchError, match=r"files\.open was asked something else: path differs"):
        world.replay(lambda: Path("bytes.bin").read_bytes())


def test_a_change_between_two_reads_is_on_the_tape(world: World) -> None:
    """A file is read as it was at that moment."""

    def program() -> list[str]:
        found = [Path("text.txt").read_text(encoding="utf-8")]
        os.replace("other.txt", "text.txt") if os.path.exists("other.txt") else None
        return [*found, Path("text.txt").read_text(encoding="utf-8")]

    Path("other.txt").write_text("changed")
    recorded = world.record(program)
    Path("other.txt").write_text("what nobody reads")
    assert world.replay(program) == recorded == ["one\ntwö\nthree\n", "changed"]


def test_a_sparse_file_of_4_gigabytes(world: World) -> None:
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


def test_a_file_of_many_pieces(world: World) -> None:
    """What does not fit in one event comes in several; a replay puts it together."""
    with open("large", "wb") as stream:
        for number in range(20):
            stream.write(bytes([number]) * (1 << 20))

    def program() -> list[Any]:
        with open("large", "rb") as stream:
            return [stream.read()[:: 1 << 19], stream.seek(0), stream.read(4)]

    world.agree(program)
    assert world.ops() == ["open", "more", "more"]


def test_a_fifo_is_refused(world: World) -> None:
    """What is no file cannot be on a tape: named while recording, with the line, and refused on replay."""
    os.mkfifo("fifo")

    def program() -> bytes:
        descriptor = os.open("fifo", os.O_RDONLY | os.O_NONBLOCK)
        try:
            return os.read(descriptor, 1)
        finally:
            os.close(descriptor)

    with testbench.record(world.tape, files="sealed", leaks="ignore") as session:
        assert program() == b""
    (leak,) = session.leaks
    assert leak.name == "files.special"
    assert leak.request == {"path": "fifo", "what": "fifo"}
    assert "test_reads.py" in leak.where
    with pytest.raises(testbench.RefusedError, match="marked with @testbench"):
        world.replay(program)


def test_a_raw_file_is_refused(world: World) -> None:
    """``io.FileIO`` of a path opens it where nobody can answer: a leak, and refused; of a descriptor it is as ever."""

    def program() -> bytes:
        with io.FileIO(os.open("text.txt", os.O_RDONLY)) as recorded, io.FileIO("text.txt") as direct:
            return recorded.read() + direct.read()

    with testbench.record(world.tape, files="sealed", leaks="ignore") as session:
        assert len(program()) == 30
    assert [leak.name for leak in session.leaks] == ["files.direct"]
    with pytest.raises(testbench.RefusedError, match=r"use open\(path, 'rb', buffering=0\)"):
        world.replay(program)
    with io.FileIO("text.txt") as raw:
        assert raw.readall().startswith(b"one")


@pytest.mark.parametrize("way", ["stream", "descriptor"])
def test_a_file_that_grows_while_it_is_read_is_told(world: World, way: str) -> None:
    """Who follows a log gets what comes while recording, and reads that a replay would not have it."""
    with open("log", "w") as log:
        log.write("first\n")
        log.flush()
        with testbench.record(world.tape, files="sealed", leaks="ignore") as session, open("log", "rb") as stream:
            found = [stream.read(6) if way == "stream" else os.read(stream.fileno(), 6)]
            assert not session.leaks
            log.write("second\n")
            log.flush()
            found.append(stream.read(100) if way == "stream" else os.read(stream.fileno(), 100))
    assert found == [b"first\n", b"second\n"]
    (leak,) = session.leaks
    assert (leak.name, leak.request) == ("files.changed", {"path": "log"})
    assert "test_reads.py" in leak.where


def test_what_is_read_and_written_has_to_be_there(world: World) -> None:
    """A file that is opened with ``r+`` is the real one; a replay on another content says so."""

    def program() -> str:
        with open("text.txt", "r+", encoding="utf-8") as stream:
            return stream.read()

    recorded = world.record(program)
    assert world.replay(program) == recorded
    Path("text.txt").write_text("other")
    with pytest.raises(
        testbench.RefusedError, match=r"'text.txt' is not what it was .* 15 bytes.* is a file of 5 bytes"
    ):
        world.replay(program)


def test_a_tape_fits_another_directory(tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_what_may_not_be_read_may_not_be_read_again(tmp_path: Path) -> None:
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
                    error_of(open, secret),
                    os.access(secret, os.R_OK, effective_ids=True),
                    error_of(os.listdir, ""),
                ]
            finally:
                os.seteuid(user)

        with testbench.record(tmp_path / "run.tape", files="sealed"):
            recorded = program()
        secret.unlink()
        with testbench.replay(tmp_path / "run.tape"):
            assert program() == recorded
    assert recorded[0][0] is PermissionError


def test_content_that_finds_no_room_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full here is no error that the program had; the replay ends and names the file."""

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    program = lambda: error_of(Path("text.txt").read_bytes)  # noqa: E731
    with testbench.record(world.tape, files="sealed"):
        Path("text.txt").read_bytes()
    monkeypatch.setattr("testbench.recorders.files._served.write_at", full)
    with pytest.raises(testbench.RefusedError, match=r"no room here \(No space left on device\)"):
        world.replay(program)


@pytest.mark.parametrize("around", [True, False], ids=["around", "inside"])
def test_an_overlay_and_a_session(world: World, around: bool) -> None:
    """Around a session, an overlay is its world; inside, what goes through it is real, also on replay."""

    def work() -> list[Any]:
        Path("folder/new").write_text("new")
        with open("text.txt", "r+", encoding="utf-8") as stream:
            found = [stream.read(), stream.write("more")]
        return [*found, Path("text.txt").read_text(encoding="utf-8"), sorted(os.listdir("folder"))]

    def program() -> list[Any]:
        if around:
            return work()
        with testbench.Overlay("."):
            return work()

    with testbench.Overlay(".") if around else nullcontext():
        recorded = world.record(program)
    assert sorted(os.listdir("folder")) == ["dirlink", "link", "lost", "sub"]
    with testbench.Overlay(".") if around else nullcontext():
        assert world.replay(program) == recorded
    assert recorded[2].endswith("three\nmore")
    assert ("open" in world.ops()) == around


@pytest.mark.parametrize("files", ["sealed", "observed"])
def test_what_is_on_the_tape_is_no_leak(world: World, monkeypatch: pytest.MonkeyPatch, files: str) -> None:
    """Who looks for reads that no recorder took finds none, wherever the files are; others it does find."""
    monkeypatch.setattr("testbench.recorders.audit._paths.Paths.own", lambda *_, **__: False)
    monkeypatch.setattr("testbench.recorders.audit._paths.Paths.found", lambda _, path, *__, **___: path)

    def program() -> list[Any]:
        descriptor = os.open("text.txt", os.O_RDONLY)
        os.close(descriptor)
        with open("text.txt", "r+", encoding="utf-8") as stream:
            stream.read()
        return [Path("text.txt").read_bytes(), os.listdir("folder"), list(os.walk(".")), os.listxattr("text.txt")]

    with testbench.record(world.tape, files=files, leaks="ignore") as session:
        recorded = program()
    assert [(leak.name, leak.request) for leak in session.leaks] == [("audit.write", {"path": "text.txt"})]
    with testbench.replay(world.tape, leaks="ignore") as session:
        assert program() == recorded
    assert session.leaks == []


def test_the_word_is_checked(tmp_path: Path) -> None:
    """What is no such policy is refused, with those that are."""
    with pytest.raises(
        testbench.UsageError, match="files='all' is unknown; expected one of off, programs, observed, sealed"
    ):
        testbench.record(tmp_path / "a.tape", files="all")
    with pytest.raises(testbench.UsageError, match="is recorded by the kind files; name it in recorders= too"):
        testbench.record(tmp_path / "a.tape", files="sealed", recorders=["clock"])
