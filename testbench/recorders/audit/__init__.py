"""The kind ``audit``: crossings that no recorder took. It puts nothing on the tape; all of it are leaks.

Sees what CPython tells of by audit events (PEP 578), what is called by ``ctypes``, and sockets that others opened. What
belongs to a crossing of another kind, or to a leak that was told already, is not told again. A replay refuses what
starts a process, or talks to one; it lets files be read and written.

The ops, and what each of them takes to happen, stand in the table of ``docs/how-to/find-leaks.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, Final

from testbench.inplace.own import OWN_THREADS
from testbench.inplace.real import get_ident
from testbench.protocol import Call, Matcher, Plain
from testbench.recorders._births import Births
from testbench.recorders.audit._c_functions import install_c_functions
from testbench.recorders.audit._connections import Connections
from testbench.recorders.audit._files import FileEvents
from testbench.recorders.audit._hook import listen
from testbench.recorders.audit._left import LeftByChildren
from testbench.recorders.audit._network import Network
from testbench.recorders.audit._paths import Paths
from testbench.recorders.audit._processes import process_events
from testbench.where import user_line

Handler = Callable[..., None]
"""Is given the arguments of an event."""

_FORKS: Final = ("os.fork", "os.forkpty")
_TALK: Final = "mark the function that talks to it with @testbench.boundary, or name it in allow="
_START: Final = "start programs with subprocess, or mark the function that does it with @testbench.boundary"
_HAND: Final = (
    'record what children do to files, with effects="roots" and its directory in roots=, or what the program reads, '
    'with files="sealed"; or name it in allow='
)
_KEEP: Final = "keep it below the working directory, mark the function with @testbench.boundary, or name it in allow="


class Audit:
    """The recorder of kind ``audit``.

    Args:
        allowed: what the program may reach in both modes: hosts, and hosts with ports (patterns with ``*``), and paths,
            which have a slash in them.
        roots: directories that are the program's, beside the usual ones.
        tapes: paths of the tapes of the session.
        births: who starts children.
    """

    kind = "audit"
    version = 1
    matchers: Mapping[str, Matcher] = {}

    def __init__(
        self,
        allowed: Collection[str] = (),
        roots: Collection[str] = (),
        tapes: Collection[Any] = (),
        births: Births | None = None,
    ) -> None:
        self._births = births or Births()
        self._hosts = [text for text in allowed if "/" not in text]
        self._allowed = [text for text in allowed if "/" in text]
        self._paths = Paths((*roots, *self._allowed), tapes)

    @contextmanager
    def install(self, call: Call) -> Iterator[None]:
        """Report through ``call``; see `testbench.protocol.Recorder`."""

        def passing() -> bool:
            return call.inside() or get_ident() in OWN_THREADS

        talk, start = _once(partial(call.report, instead=_TALK)), _once(partial(call.report, instead=_START))
        keep = _once(partial(call.report, instead=_KEEP, refused=False))
        hand = _once(partial(call.report, instead=_HAND, refused=False))
        left = LeftByChildren(self._births, self._allowed)
        network, files = Network(talk, self._hosts), FileEvents(keep, self._paths, left, hand, passing)
        connections = Connections(call, network, talk)
        leaving = {**process_events(start), **_network_events(network, connections)}
        handlers = {**{event: _unless(passing, handler) for event, handler in leaving.items()}, **_file_events(files)}

        for fork in _FORKS:
            handlers[fork] = _both(left.forks, handlers[fork])

        def hear(event: str, args: tuple[Any, ...]) -> None:
            handlers[event](*args)

        with ExitStack() as stack:
            self._births.watchers.append(left)
            stack.callback(self._births.watchers.remove, left)
            connections.install(stack)
            install_c_functions(call, keep, stack)
            listen(hear, frozenset(handlers), stack)
            yield


def _unless(passing: Callable[[], bool], handler: Handler) -> Handler:
    def handle(*args: Any) -> None:
        if not passing():
            handler(*args)

    return handle


def _both(first: Handler, then: Handler) -> Handler:
    def handle(*args: Any) -> None:
        first(*args)
        then(*args)

    return handle


def _once(report: Callable[[str, Plain], None]) -> Callable[[str, Plain], None]:
    """Return what reports only the first of several things of one sort (a look-up, then a connection) that a line does.

    What a replay refuses never is one of several.
    """
    lines: set[str] = set()

    def tell(op: str, request: Plain) -> None:
        line = user_line()
        if line not in lines:
            report(op, request)
            lines.add(line)

    return tell


def _network_events(network: Network, connections: Connections) -> dict[str, Handler]:
    return {
        **dict.fromkeys(("socket.getaddrinfo", "socket.gethostbyname"), network.lookup),
        **dict.fromkeys(("socket.gethostbyaddr", "socket.getnameinfo"), network.reverse),
        "socket.connect": connections.connect,
        "socket.sendto": network.sendto,
        "socket.sendmsg": network.sendto,
    }


def _file_events(files: FileEvents) -> dict[str, Handler]:
    changed = ("mkdir", "chmod", "chown", "utime")
    return {
        "open": files.opened,
        **{f"os.{name}": files.listed for name in ("listdir", "scandir", "getxattr", "listxattr")},
        **{f"os.{name}": files.changed for name in changed},
        **{f"os.{name}": files.removed for name in ("remove", "rmdir")},
        **{f"os.{name}": files.truncated for name in ("truncate", "setxattr", "removexattr")},
        **{f"os.{name}": files.moved for name in ("rename", "link")},
        "os.symlink": files.linked,
        **dict.fromkeys(("fcntl.flock", "fcntl.lockf", "os.lockf"), files.locked),
        "mmap.__new__": files.mapped,
        "sqlite3.connect": files.database,
        "sqlite3.load_extension": files.extension,
        "ctypes.dlopen": files.library,
        "syslog.syslog": files.logged,
    }
