"""Every kind of leak is found: a program provokes it, is told its line once, and a replay does what the docs say."""

# ruff: noqa: D103  # the names of the programs say what they do
from __future__ import annotations

import _posixshmem
import ctypes
import fcntl
import gc
import http.client
import mmap
import os
import re
import smtplib
import socket
import sqlite3
import subprocess
import syslog
import threading
import urllib.request
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
import pytest

import testbench
from testbench.inplace import private
from tests.recorders.audit.strangers import Strangers

LIBRARY = ctypes.CDLL(None)
unseen = {name: private(getattr(os, name)) for name in ("fork", "forkpty", "system", "execv", "posix_spawn")}
early_execute = subprocess.Popen._execute_child  # type: ignore[attr-defined]
UNKNOWN = "testbench.invalid"  # RFC 6761: it never resolves


@attrs.frozen
class Given:
    """What a program may use: strangers, and a place that is no root."""

    strangers: Strangers
    outside: Path


class EarlyPopen(subprocess.Popen):  # type: ignore[type-arg]
    """One that was made before the session, so that no redirect reaches it."""

    _execute_child = early_execute


def ended(pid: int) -> None:
    """Be the child of a fork, and end; or wait for it."""
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def popen(given: Given) -> None:
    with suppress(AttributeError):
        EarlyPopen(["true"]).wait()


def system(given: Given) -> None:
    unseen["system"]("true")


def become(given: Given) -> None:
    with suppress(FileNotFoundError):
        unseen["execv"](f"{given.outside}/none", ["none"])


def posix_spawn(given: Given) -> None:
    os.waitpid(unseen["posix_spawn"]("/bin/true", ["true"], {}), 0)


def fork(given: Given) -> None:
    ended(unseen["fork"]())


def forkpty(given: Given) -> None:
    pid, fd = unseen["forkpty"]()
    ended(pid)
    os.close(fd)


def c_system(given: Given) -> None:
    LIBRARY.system(b"true")


def c_popen(given: Given) -> None:
    LIBRARY.popen.restype = LIBRARY.pclose.restype = ctypes.c_void_p
    LIBRARY.pclose(ctypes.c_void_p(LIBRARY.popen(b"true", b"r")))


def c_connect(given: Given) -> None:
    LIBRARY.connect(-1, None, 0)


def c_lookup(given: Given) -> None:
    LIBRARY.gethostbyname(b"localhost")


def connect(given: Given) -> None:
    with socket.socket() as own:
        own.connect(given.strangers.tcp)


def connect_in_time(given: Given) -> None:
    socket.create_connection(given.strangers.tcp, timeout=60).close()


def connect_unix(given: Given) -> None:
    with socket.socket(socket.AF_UNIX) as own:
        own.connect_ex(given.strangers.unix)


def http_client(given: Given) -> None:
    connection = http.client.HTTPConnection(*given.strangers.tcp)
    connection.connect()
    connection.close()


def url(given: Given) -> None:
    with suppress(OSError):
        urllib.request.urlopen(f"http://{UNKNOWN}/")


def mail(given: Given) -> None:
    with suppress(OSError):
        smtplib.SMTP(UNKNOWN)


def sendto(given: Given) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as own:
        own.sendto(b"hello", given.strangers.udp)


def sendmsg(given: Given) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as own:
        own.sendmsg([b"hello"], [], 0, given.strangers.udp)


def lookup(given: Given) -> None:
    with suppress(OSError):
        socket.getaddrinfo(UNKNOWN, 80)


def gethostbyname(given: Given) -> None:
    with suppress(OSError):
        socket.gethostbyname(UNKNOWN)


def gethostbyaddr(given: Given) -> None:
    with suppress(OSError):
        socket.gethostbyaddr("192.0.2.1")  # RFC 5737: nobody has it


def getnameinfo(given: Given) -> None:
    with suppress(OSError):
        socket.getnameinfo(("192.0.2.1", 80), socket.NI_NUMERICSERV)


def accept(given: Given) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        given.strangers.call("tcp", server.getsockname()[1])
        server.accept()[0].close()


def accept_unix(given: Given) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"\0testbench-{os.getpid()}")
        server.listen()
        given.strangers.call("unix", f"@testbench-{os.getpid()}")
        server.accept()[0].close()


def recvfrom(given: Given) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as own:
        own.bind(("127.0.0.1", 0))
        given.strangers.call("udp", own.getsockname()[1])
        own.recvfrom(100)


def accept_in_a_child(given: Given) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as own:
        own.connect(server.getsockname())
        pid = os.fork()
        if pid == 0:
            own.close()
            peer = server.accept()[0]
            peer.sendall(b"hello")
            peer.recv(1)
            os._exit(0)
        assert own.recv(10) == b"hello"
        own.close()
        os.waitpid(pid, 0)


def list_by_descriptor(given: Given) -> None:
    fd = os.open(given.outside, os.O_RDONLY)
    os.listdir(fd)
    os.close(fd)


def read(given: Given) -> None:
    (given.outside / "there").read_text()


def list_directory(given: Given) -> None:
    os.listdir(given.outside)


def scan_directory(given: Given) -> None:
    os.scandir(given.outside).close()


def write(given: Given) -> None:
    (given.outside / "new").write_text("")


def remove(given: Given) -> None:
    with suppress(FileNotFoundError):
        os.remove(given.outside / "nothing")


def rename(given: Given) -> None:
    with suppress(FileNotFoundError):
        os.rename(given.outside / "nothing", given.outside / "something")


def make_directory(given: Given) -> None:
    os.makedirs(given.outside / "made", exist_ok=True)


def change_mode(given: Given) -> None:
    os.chmod(given.outside, 0o755)


def change_times(given: Given) -> None:
    os.utime(given.outside, (0, 0))


def link(given: Given) -> None:
    with suppress(FileExistsError):
        os.symlink("there", given.outside / "link")


def truncate(given: Given) -> None:
    os.truncate(given.outside / "there", 0)


def database(given: Given) -> None:
    sqlite3.connect(given.outside / "data.db").close()


def lock(given: Given) -> None:
    fd = OPEN["there"]
    fcntl.flock(fd, fcntl.LOCK_SH)


def memory(given: Given) -> None:
    mmap.mmap(OPEN["memory"], 1).close()


def c_file(given: Given) -> None:
    LIBRARY.fclose.argtypes = [ctypes.c_void_p]
    LIBRARY.fopen.restype = ctypes.c_void_p
    LIBRARY.fclose(LIBRARY.fopen(os.fsencode(given.outside / "there"), b"r"))


def c_library(given: Given) -> None:
    with suppress(OSError):
        ctypes.CDLL(f"{given.outside}/libnone.so")


def log(given: Given) -> None:
    syslog.syslog(syslog.LOG_DEBUG, "testbench")


OPEN: dict[str, int] = {}

REFUSED: dict[Callable[[Given], None], str] = {
    popen: "audit.popen",
    system: "audit.system",
    become: "audit.exec",
    posix_spawn: "audit.posix_spawn",
    fork: "audit.fork",
    forkpty: "audit.forkpty",
    c_system: "audit.c_function",
    c_popen: "audit.c_function",
    c_connect: "audit.c_function",
    c_lookup: "audit.c_function",
    connect: "audit.connect",
    connect_in_time: "audit.connect",
    connect_unix: "audit.connect",
    http_client: "audit.connect",
    url: "audit.lookup",
    mail: "audit.lookup",
    sendto: "audit.sendto",
    sendmsg: "audit.sendto",
    lookup: "audit.lookup",
    gethostbyname: "audit.lookup",
    gethostbyaddr: "audit.lookup",
    getnameinfo: "audit.lookup",
    accept: "audit.accept",
    accept_unix: "audit.accept",
    recvfrom: "audit.recvfrom",
}
LET_HAPPEN: dict[Callable[[Given], None], str] = {
    read: "audit.read",
    list_directory: "audit.read",
    list_by_descriptor: "audit.read",
    scan_directory: "audit.read",
    write: "audit.write",
    remove: "audit.write",
    rename: "audit.write",
    make_directory: "audit.write",
    change_mode: "audit.write",
    change_times: "audit.write",
    link: "audit.write",
    truncate: "audit.write",
    database: "audit.database",
    lock: "audit.lock",
    memory: "audit.shared_memory",
    c_file: "audit.c_file",
    c_library: "audit.c_library",
    log: "audit.log",
}
MORE = {popen: ["process.fork_exec", "process.wait_of_older_child"]}  # its own steps are seen as well


@pytest.fixture
def given(strangers: Strangers, outside: Path) -> Any:
    """Give all of it; a file, and memory that has a name, are open already."""
    (outside / "there").write_text("there")
    OPEN["there"] = os.open(outside / "there", os.O_RDONLY)
    # As SharedMemory makes it, without the process that multiprocessing starts to watch over it.
    name = f"/testbench-{os.getpid()}"
    OPEN["memory"] = _posixshmem.shm_open(name, os.O_CREAT | os.O_RDWR, 0o600)
    os.ftruncate(OPEN["memory"], 1)
    yield Given(strangers, outside)
    for fd in OPEN.values():
        os.close(fd)
    _posixshmem.shm_unlink(name)


def ident(case: Any) -> str:
    """Name a test after its program."""
    return getattr(case, "__name__", "")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # CPython 3.12 warns of forks beside threads
@pytest.mark.parametrize("program", [*REFUSED, *LET_HAPPEN], ids=ident)
def test_a_recording_lists_it_once_with_its_line(program: Any, given: Given, tape: Path) -> None:
    """Whatever the line does, and however often, it is one leak of that name."""
    with testbench.record(tape, leaks="ignore") as session:
        for _ in range(2):
            program(given)
    names = [leak.name for leak in session.leaks if leak.name not in MORE.get(program, [])]
    assert names == [{**REFUSED, **LET_HAPPEN}[program]]
    assert re.search(rf"{re.escape(__file__)}:\d+ in {program.__name__}$", session.leaks[0].where)


@pytest.mark.parametrize("program", REFUSED, ids=ident)
def test_a_replay_refuses_processes_and_the_network(program: Any, given: Given, tape: Path) -> None:
    """It raises where it would happen, naming what and where, whatever the program swallows."""
    with testbench.record(tape):
        pass
    with (
        pytest.raises(testbench.RefusedError, match=re.escape(REFUSED[program])) as refused,
        testbench.replay(tape),
    ):
        program(given)
    assert f"in {program.__name__}" in str(refused.value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # the standard library closes sockets after an Exception only
        refused.value.with_traceback(None)
        gc.collect()
    assert "@testbench.boundary" in str(refused.value)


@pytest.mark.parametrize("program", LET_HAPPEN, ids=ident)
def test_a_replay_lets_files_be(program: Any, given: Given, tape: Path) -> None:
    """They are the program's to read and write again; nothing is said."""
    with testbench.record(tape):
        pass
    with testbench.replay(tape, leaks="fail") as session:
        program(given)
    assert session.leaks == []


def test_a_connection_made_before_the_session(strangers: Strangers, tape: Path) -> None:
    """What is sent and received by it is a leak, and on replay refused before it is sent."""

    def program() -> None:
        for _ in range(2):
            older.sendall(b"hello")
        assert older.recv(10, socket.MSG_WAITALL) == b"hellohello"

    with socket.create_connection(strangers.tcp) as older:
        with testbench.record(tape, leaks="ignore") as session:
            program()
        assert [leak.name for leak in session.leaks] == ["audit.older_connection"]
        with pytest.raises(testbench.RefusedError, match=r"older_connection"), testbench.replay(tape):
            program()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_child_that_answers_on_a_socket_of_the_program(given: Given, tape: Path) -> None:
    """Both ends seem to be here when it connects; the first answer tells where the other one is."""
    with testbench.record(tape, leaks="ignore") as session:
        accept_in_a_child(given)
    assert "audit.answer" in [leak.name for leak in session.leaks]


def test_a_thread_that_was_there_before(strangers: Strangers, tape: Path) -> None:
    """Its crossings are leaks too; it does not become a lane of the tape."""
    start, done = threading.Event(), threading.Event()

    def stranger() -> None:
        start.wait()
        connect(Given(strangers, Path()))
        done.set()

    thread = threading.Thread(target=stranger)
    thread.start()
    with testbench.record(tape, leaks="ignore") as session:
        start.set()
        done.wait()
    thread.join()
    assert [leak.name for leak in session.leaks] == ["audit.connect"]
    with testbench.open_tape(tape) as events:
        assert "lane.start" not in {f"{event.kind}.{event.op}" for event in events}


def test_the_table_of_the_docs_is_this_one() -> None:
    """Every leak that is told stands in it, with what a replay does, and nothing else does."""
    page = Path(__file__).parents[3] / "docs" / "how-to" / "find-leaks.md"
    rows = re.findall(r"^\| `(audit\.\w+)` \|.*\| (refused|let happen)", page.read_text(), re.MULTILINE)
    refused = {*REFUSED.values(), "audit.older_connection", "audit.answer"}
    assert {name for name, told in rows if told == "refused"} == refused
    assert {name for name, told in rows if told == "let happen"} == {*LET_HAPPEN.values(), "audit.left_by_child"}
