"""Events about sockets and names: connections, datagrams and look-ups that leave the process."""

from __future__ import annotations

import _socket
import os
from collections.abc import Callable, Collection
from fnmatch import fnmatchcase
from typing import Any, Final

from testbench.errors import UnsupportedError
from testbench.inplace import private
from testbench.protocol import Plain
from testbench.recorders.audit._frames import crossing_frame
from testbench.recorders.audit._own_sockets import is_loopback, served_here

Report = Callable[[str, Plain], None]
"""Reports a leak: its op and its request."""

try:
    _hostname = private(_socket.gethostname)
except UnsupportedError:  # where functions cannot be redirected in place, interception by name lets this one be
    _hostname = _socket.gethostname
_SOCKADDR: Final = (_socket.AF_INET, _socket.AF_INET6)


class Network:
    """What is reported of sockets in one session.

    Args:
        report: reports a leak that a replay refuses.
        allowed: hosts, or hosts with ports, that the program may talk to; patterns with ``*``.
    """

    def __init__(self, report: Report, allowed: Collection[str]) -> None:
        self._report = report
        self._allowed = tuple(text.lower() for text in allowed)

    def connect(self, sock: Any, address: Any) -> bool:
        """Look at a socket that is about to be connected; tell whether that is to one of this process."""
        return self._reach("connect", sock, address)

    def sendto(self, sock: Any, address: Any, *_: Any) -> None:
        """Look at ``socket.sendto`` and ``socket.sendmsg``; the latter has no address where it is connected."""
        if address is not None:
            self._reach("sendto", sock, address)

    def lookup(self, host: Any, port: Any = None, *_: Any) -> None:
        """Look at ``socket.getaddrinfo`` and ``gethostbyname``, which have nothing to look up for an address."""
        if not is_loopback(host) and not _is_numeric(host):
            self._ask(_text(host), {} if port is None else {"port": _port(port)}, port)

    def reverse(self, host: Any, *_: Any) -> None:
        """Look at ``socket.gethostbyaddr`` and ``getnameinfo``."""
        host = host[0] if isinstance(host, tuple) else host
        if not is_loopback(host):
            self._ask(_text(host), {}, None)

    def _ask(self, host: str, more: dict[str, Plain], port: Any) -> None:
        if not _is_of_this_machine(host) and not self.allows(host, port):
            self._report("lookup", {"host": host, **more})

    def allows(self, host: str, port: Any) -> bool:
        """Tell whether the user has said that the program may talk to a host."""
        names = host.lower(), f"{host.lower()}:{port}"
        return any(fnmatchcase(name, pattern) for pattern in self._allowed for name in names)

    def _reach(self, op: str, sock: Any, address: Any) -> bool:
        told = told_address(sock, address)
        host, port = (address[0], address[1]) if sock.family in _SOCKADDR else (told, "")
        if self.allows(_text(host), port):
            return False
        own = served_here(sock, address)
        if not own:
            self._report(op, {"address": told})
        return own


def is_address(sock: Any, address: Any) -> bool:
    """Tell whether a socket can connect to it at all; if not, CPython says what is wrong."""
    if sock.family in _SOCKADDR:
        return isinstance(address, tuple) and len(address) > 1 and isinstance(address[1], int)
    return isinstance(address, (str, bytes)) if sock.family == _socket.AF_UNIX else True


def told_address(sock: Any, address: Any) -> str:
    """Return how an address is shown: ``host:port``, the path of a socket, or what the program gave."""
    if sock.family in _SOCKADDR:
        return f"{_text(address[0])}:{address[1]}"
    if sock.family == _socket.AF_UNIX:
        return os.fsdecode(address).replace("\0", "@", 1)
    return f"{_family(sock)} {address!r}"


def _family(sock: Any) -> str:
    names = (name for name in vars(_socket) if name.startswith("AF_") and getattr(_socket, name) == sock.family)
    return next(names, f"family {int(sock.family)}")


def _text(host: Any) -> str:
    return host.decode("latin-1") if isinstance(host, (bytes, bytearray)) else str(host)


def _port(port: Any) -> Plain:
    return int(port) if isinstance(port, int) else _text(port)


def _is_numeric(host: Any) -> bool:
    """Tell whether ``getaddrinfo`` has nothing to look up: it is an address already."""
    text = _text(host).partition("%")[0]
    for family in _SOCKADDR:
        try:
            _socket.inet_pton(family, text)
        except (OSError, ValueError):
            continue
        return True
    return False


def _is_of_this_machine(host: str) -> bool:
    """Tell whether it is the name of this machine, which a server asks for when it starts (``socket.getfqdn``)."""
    if host.lower() == _hostname().lower():
        return True
    frame = crossing_frame()
    asked = frame is not None and frame.f_code.co_name == "getfqdn" and frame.f_globals["__name__"] == "socket"
    return asked and "." not in host
