"""Ordinary programs: what they do within themselves, with their own files, and through recorders is no leak."""

# ruff: noqa: D103  # the names of the programs say what they do
from __future__ import annotations

import asyncio
import compileall
import contextlib
import ctypes
import dbm.dumb
import gettext
import glob
import http.client
import http.server
import importlib
import importlib.metadata
import importlib.resources
import io
import json
import linecache
import logging
import mimetypes
import multiprocessing
import os
import pathlib
import shutil
import socket
import socketserver
import sqlite3
import ssl
import subprocess
import sys
import tarfile
import tempfile
import threading
import traceback
import zipfile
import zoneinfo
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import testbench

Program = Callable[[Path], Any]


@contextmanager
def thread(target: Callable[..., Any], *args: Any) -> Iterator[None]:
    """Run something beside the block, and wait for its end."""
    beside = threading.Thread(target=target, args=args)
    beside.start()
    try:
        yield
    finally:
        beside.join()


def answer(server: socket.socket) -> None:
    """Answer one connection."""
    with server.accept()[0] as peer:
        peer.sendall(peer.recv(10))


def ask(address: Any, family: int = socket.AF_INET) -> bytes:
    """Ask a server, and return its answer."""
    with socket.socket(family) as own:
        own.connect(address)
        own.sendall(b"hello")
        return own.recv(10)


def server_in_a_thread(place: Path) -> Any:
    with socket.create_server(("127.0.0.1", 0)) as server, thread(answer, server):
        return ask(server.getsockname())


def server_for_everybody(place: Path) -> Any:
    with socket.create_server(("", 0)) as server, thread(answer, server):
        return ask(("localhost", server.getsockname()[1]))


def server_on_a_path(place: Path) -> Any:
    (place / "s").unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(place / "s"))
        server.listen()
        with thread(answer, server):
            return ask(str(place / "s"), socket.AF_UNIX)


def server_with_a_timeout(place: Path) -> Any:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        thread(answer, server),
        socket.create_connection(server.getsockname(), timeout=60) as own,
    ):
        own.sendall(b"hello")
        return own.recv(10)


def datagrams(place: Path) -> Any:
    with socket.socket(type=socket.SOCK_DGRAM) as one, socket.socket(type=socket.SOCK_DGRAM) as other:
        one.bind(("127.0.0.1", 0))
        other.sendto(b"hello", one.getsockname())
        return one.recvfrom(10)[0]


def pairs(place: Path) -> Any:
    one, other = socket.socketpair()
    with one, other:
        one.sendall(b"hello")
        return other.recv(10)


class Quiet(http.server.BaseHTTPRequestHandler):
    """A handler that logs nothing."""

    def do_GET(self) -> None:  # that is its name
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def web_server(place: Path) -> Any:
    with http.server.HTTPServer(("", 0), Quiet) as server, thread(server.handle_request):
        connection = http.client.HTTPConnection("localhost", server.server_address[1])
        connection.request("GET", "/")
        content = connection.getresponse().read()
        connection.close()
        return content


def threading_server(place: Path) -> Any:
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(self.rfile.readline())

    with (
        socketserver.TCPServer(("127.0.0.1", 0), Handler) as server,
        thread(server.handle_request),
        socket.create_connection(server.server_address) as own,
        own.makefile("rwb") as stream,
    ):
        stream.write(b"hello\n")
        stream.flush()
        return stream.readline()


def asyncio_server(place: Path) -> Any:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read(10))
        await writer.drain()
        writer.close()

    async def main() -> bytes:
        server = await asyncio.start_server(echo, "localhost", 0, family=socket.AF_INET)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"hello")
            answer = await reader.read(10)
            writer.close()
            return answer

    return asyncio.run(main())


def names_of_this_machine(place: Path) -> Any:
    return bool(socket.getfqdn()), len(socket.getaddrinfo("127.0.0.1", 80)), socket.gethostbyname("localhost")


def own_files(place: Path) -> Any:
    (place / "a").write_text("a")
    os.rename(place / "a", place / "b")
    shutil.copy(place / "b", place / "c")
    (place / "d").mkdir(exist_ok=True)
    (place / "c").chmod(0o600)
    os.utime(place / "c", (0, 0))
    found = sorted(os.path.relpath(name, place) for name in glob.glob(f"{place}/**", recursive=True))
    shutil.rmtree(place / "d")
    return found, sorted(path.name for path in place.rglob("*.txt"))


def files_of_the_project(place: Path) -> Any:
    with open("pyproject.toml") as file:
        first = file.readline()
    return first, "tests" in os.listdir(), len(Path(__file__).read_text()) > 0


def files_beside_the_code(place: Path) -> Any:
    data = place / "package"
    data.mkdir(exist_ok=True)
    (data / "data.json").write_text("{}")
    (data / "beside.py").write_text(
        "import json, pathlib\nread = lambda: json.loads((pathlib.Path(__file__).parent / 'data.json').read_text())\n"
    )
    sys.path.insert(0, str(data))
    try:
        sys.modules.pop("beside", None)
        return importlib.import_module("beside").read()
    finally:
        sys.path.remove(str(data))


def temporary_files(place: Path) -> Any:
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryFile() as file:
        Path(directory, "x").write_text("x")
        file.write(b"y")
    with tempfile.NamedTemporaryFile("w+") as named:
        return named.write("z")


def library_data(place: Path) -> Any:
    return (
        str(zoneinfo.ZoneInfo("Europe/Berlin")) if Path("/usr/share/zoneinfo").exists() else None,
        mimetypes.guess_type("a.html"),
        importlib.metadata.version("pytest"),
        importlib.resources.files("email").joinpath("architecture.rst").is_file(),
        gettext.gettext("hello"),
        ssl.create_default_context().check_hostname,
        socket.getservbyname("http") if Path("/etc/services").exists() else None,
    )


def devices(place: Path) -> Any:
    with open(os.devnull, "w") as null, open("/dev/zero", "rb") as zero:
        null.write("x")
        return zero.read(2)


def databases(place: Path) -> Any:
    with (
        contextlib.closing(sqlite3.connect(":memory:")) as memory,
        contextlib.closing(sqlite3.connect(place / "d.db")) as other,
    ):
        other.execute("create table if not exists t (x)")
        return memory.execute("select 1").fetchall()


def shelves(place: Path) -> Any:
    with dbm.dumb.open(str(place / "shelf"), "c") as shelf:
        shelf["a"] = "b"
        return shelf["a"]


def archives(place: Path) -> Any:
    with zipfile.ZipFile(place / "a.zip", "w") as archive:
        archive.writestr("x", "x")
    with tarfile.open(place / "a.tar", "w") as tar:
        tar.add(place / "a.zip", "a.zip")
    return zipfile.ZipFile(place / "a.zip").namelist()


def tracebacks(place: Path) -> Any:
    linecache.clearcache()
    try:
        json.loads("nothing")
    except ValueError:
        return len(traceback.format_exc()) > 0


def imports(place: Path) -> Any:
    for name in ("colorsys", "wave", "this_is_none"):
        sys.modules.pop(name, None)
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    (place / "made.py").write_text("x = 1\n")
    return compileall.compile_file(place / "made.py", quiet=1)


def logs(place: Path) -> Any:
    handler = logging.FileHandler(place / "log.txt", "w")
    logger = logging.Logger("audit")
    logger.addHandler(handler)
    logger.warning("hello")
    handler.close()
    return (place / "log.txt").read_text()


def children(place: Path) -> Any:
    made = subprocess.run(["echo", "hello"], stdout=-1, stderr=subprocess.DEVNULL).stdout
    with os.popen("echo again") as stream:
        return made, stream.read(), os.system("true"), os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)[1]


def children_of_asyncio(place: Path) -> Any:
    async def main() -> bytes:
        child = await asyncio.create_subprocess_exec("echo", "hello", stdout=-1)
        return (await child.communicate())[0]

    return asyncio.run(main())


def pools(place: Path) -> Any:
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(len, ["a", "bb"]))


def pipes_of_multiprocessing(place: Path) -> Any:
    one, other = multiprocessing.Pipe()
    with one, other:
        one.send("hello")
        return other.recv()


def c_computes(place: Path) -> Any:
    library = ctypes.CDLL(None)
    return library.abs(-3), library.strlen(b"hello")


def looks_in_vain(place: Path) -> Any:
    with contextlib.suppress(FileNotFoundError):
        Path("/etc/testbench/nothing.conf").read_text()
    return Path("/etc/passwd").exists(), pathlib.Path.home().exists()


def talks_through_memory(place: Path) -> Any:
    stream = io.BytesIO(b"hello")
    return stream.read(), json.dumps({"a": 1})


PROGRAMS = [
    value for name, value in vars().copy().items() if list(getattr(value, "__annotations__", {})) == ["place", "return"]
]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_it_is_no_leak_and_no_refusal(program: Program, tmp_path: Path) -> None:
    """Recording lists nothing of it, and replay lets it be."""
    place = tmp_path / "place"
    place.mkdir()
    with testbench.record(tmp_path / "run.tape", leaks="ignore") as session:
        recorded = program(place)
    # That a thread waited for a socket, which nobody orders, is another matter.
    assert [leak for leak in session.leaks if leak.name != "lane.unordered"] == []
    with testbench.replay(tmp_path / "run.tape", leaks="fail"):
        assert program(place) == recorded


def test_there_are_many() -> None:
    """The list above is not empty by mistake."""
    assert len(PROGRAMS) >= 25


def test_a_connection_within_the_process_from_before(tmp_path: Path) -> None:
    """Both of its ends are the program."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as own:
        peer = server.accept()[0]
        with peer, testbench.record(tmp_path / "run.tape", leaks="fail"):
            own.sendall(b"hello")
            assert peer.recv(10) == b"hello"


def test_what_a_marked_function_does_is_its_own(tmp_path: Path, strangers: Any) -> None:
    """It is in the effect of a crossing: no leak while recording, and not run on replay."""

    @testbench.boundary
    def talk() -> bytes:
        return ask(strangers.tcp)

    with testbench.record(tmp_path / "run.tape", leaks="fail"):
        assert talk() == b"hello"
    with testbench.replay(tmp_path / "run.tape", leaks="fail"):
        assert talk() == b"hello"


@pytest.mark.parametrize("pattern", ["127.0.0.1", "127.0.0.*", "{}:{}"])
def test_what_is_allowed_is_real_in_both_modes(pattern: str, tmp_path: Path, strangers: Any) -> None:
    """A host that the user has named is reached, and nothing is said."""
    allow = [pattern.format(*strangers.tcp)]
    for way in (testbench.record, testbench.replay):
        with way(tmp_path / "run.tape", allow=allow, leaks="fail"):
            assert ask(strangers.tcp) == b"hello"


def test_paths_that_are_allowed(tmp_path: Path, outside: Path) -> None:
    """A directory that the user has named is the program's."""
    with testbench.record(tmp_path / "run.tape", allow=[f"{outside}/"], leaks="fail"):
        (outside / "new").write_text("new")
        assert os.listdir(outside) == ["new"]


def test_one_host_is_no_list() -> None:
    """A text would be taken for a list of letters."""
    with pytest.raises(testbench.UsageError, match=r"expected a list of them: allow=\['db'\]"):
        testbench.Testbench(allow="db")
