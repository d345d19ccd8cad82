"""Paths and arguments of every kind are taken, or refused, as the functions themselves do."""

from __future__ import annotations

import enum
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import testbench


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


def test_a_path_may_be_many_things(world: Any) -> None:
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


def test_arguments_that_are_none_are_refused_as_ever(world: Any) -> None:
    """A wrong argument breaks no recording: CPython's own words come, on replay too."""

    def program() -> list[Any]:
        here = os.path.abspath("text.txt")
        return [
            world.error_of(os.stat, here, dir_fd="folder"),
            world.error_of(os.lstat, here, dir_fd=1 << 80),
            world.error_of(os.access, "text.txt", "r"),
            world.error_of(os.access, "text.txt", []),
            os.access("text.txt", Flag(os.R_OK)),
            os.close(os.open("text.txt", Flag(os.O_RDONLY | os.O_CLOEXEC))),
            world.error_of(os.open, "text.txt", os.O_RDONLY, "mode"),
            world.error_of(os.getxattr, "text.txt", 5),
            world.error_of(os.stat, "text.txt", wrong=1),
            world.error_of(open, "text.txt", encoding="no-such-encoding"),
            world.error_of(open, "text.txt", "rw"),
        ]

    world.agree(program)


def test_what_functions_can_do_is_known(world: Any) -> None:
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


def test_names_that_are_no_utf_8(world: Any) -> None:
    """A name is bytes: it comes back as it is, whatever they are."""
    os.mkdir(b"odd")
    Path(os.fsdecode(b"odd/\xff\xfe")).write_bytes(b"odd")

    def program() -> list[Any]:
        names: list[Any] = [*os.listdir(b"odd"), *os.listdir("odd")]
        return [
            names,
            world.all_of(open, os.path.join(b"odd", names[0]), "rb"),
            [entry.name for entry in os.scandir("odd")],
        ]

    assert world.agree(program)[0] == [b"\xff\xfe", "\udcff\udcfe"]


def test_a_number_that_is_given_again_is_another_file(world: Any) -> None:
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
