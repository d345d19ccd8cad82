"""What a program reads itself is answered from a sealed tape, with the files gone."""

from __future__ import annotations

import fileinput
import glob
import io
import linecache
import mmap
import os
import pickle
import shutil
import tempfile
import tokenize
from os import stat as early_stat
from pathlib import Path
from typing import Any

import pytest

import testbench

early_open = open


def test_every_way_to_open_gives_what_it_gave(world: Any) -> None:
    """Text and bytes, streams and descriptors, names bound early, in memory maps and by other modules."""

    def program() -> list[Any]:
        found: list[Any] = [
            world.all_of(early_open, "text.txt", encoding="utf-8"),
            world.all_of(io.open, b"bytes.bin", "rb"),
            Path("text.txt").read_text(encoding="utf-8"),
            Path("bytes.bin").read_bytes(),
            world.all_of(open, "bytes.bin", "rb", buffering=0),
            world.all_of(open, "text.txt", encoding="utf-8", newline=""),
            world.all_of(fileinput.input, "text.txt", encoding="utf-8"),
            world.all_of(tokenize.open, "text.txt"),
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
        found.append(world.error_of(os.write, descriptor, b"x"))
        os.close(descriptor)
        return found

    recorded = world.agree(program)
    assert recorded[0] == ["one\n", "twö\n", "three\n"]
    assert "open" in world.ops()


def test_every_question_gets_its_answer(world: Any) -> None:
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
            world.error_of(os.stat, "folder/none"),
            world.error_of(os.stat, "x" * 300),
            world.error_of(os.stat, "null\0"),
            world.error_of(open, "null\0"),
            world.error_of(open, 1.5),
            world.error_of(os.stat, b"folder/none"),
            world.error_of(os.readlink, "text.txt"),
            world.error_of(open, "folder/none"),
            world.error_of(open, Path("text.txt/x")),
            world.error_of(open, "folder"),
            world.error_of(os.open, "folder/none", os.O_RDONLY),
            world.error_of(os.open, "text.txt", os.O_RDONLY | os.O_DIRECTORY),
            world.error_of(os.open, "folder/link", os.O_RDONLY | os.O_NOFOLLOW),
        ]

    world.agree(program)


def test_directories_are_listed_in_the_recorded_order(world: Any) -> None:
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
            world.error_of(os.listdir, "text.txt"),
            world.error_of(os.scandir, "none"),
        ]

    world.agree(program)


def test_listings_are_as_strict_as_those_of_the_interpreter(world: Any) -> None:
    """An entry cannot be pickled, and an iterator that is left half read complains of it."""
    with testbench.record(world.tape, files="sealed"):
        with os.scandir("folder") as entries, pytest.raises(TypeError, match=r"cannot pickle 'posix\.DirEntry' object"):
            pickle.dumps(next(entries))
        left = os.scandir("folder")
        next(left)
        with pytest.warns(ResourceWarning, match="unclosed scandir iterator"):
            del left


def test_what_the_program_writes_is_read_back_as_it_was(world: Any) -> None:
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


def test_copies_of_what_is_gone_are_made(world: Any, tmp_path: Path) -> None:
    """The ways in which CPython copies within the kernel work on what a tape holds."""

    def program() -> list[Any]:
        target = tmp_path / "target"
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree("folder", target, symlinks=True)
        shutil.copy("bytes.bin", target)
        return [(target / "bytes.bin").read_bytes(), sorted(os.listdir(target)), (target / "sub/deep.txt").read_text()]

    world.agree(program)
    assert (tmp_path / "target" / "bytes.bin").read_bytes() == bytes(range(256)) * 100
