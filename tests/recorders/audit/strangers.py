"""A process that is none of a session's: it listens on sockets of every sort, echoes, and connects where it is told.

Started as a program it is that process; imported, it is the way to it.
"""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import threading
from typing import Any


class Strangers:
    """The process, and where it listens: ``tcp``, ``udp`` and ``unix``."""

    def __init__(self, process: Any) -> None:
        self._process = process
        tcp, udp, self.unix = process.stdout.readline().split()
        self.tcp, self.udp = ("127.0.0.1", int(tcp)), ("127.0.0.1", int(udp))

    @staticmethod
    def code() -> str:
        """Return the file to run."""
        return __file__

    def call(self, way: str, address: object) -> None:
        """Let it connect, or send a datagram, to a server of ours."""
        self._process.stdin.write(f"{way} {address}\n")
        self._process.stdin.flush()


def echo(server: socket.socket) -> None:
    """Answer every connection with what comes from it."""
    while True:
        peer, _ = server.accept()
        threading.Thread(target=echo_one, args=(peer,), daemon=True).start()


def echo_one(peer: socket.socket) -> None:
    """Answer one connection."""
    while data := peer.recv(100):
        peer.sendall(data)


def main() -> None:
    """Listen, tell where, then do what is asked for."""
    tcp, unix = socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_UNIX)
    udp = socket.socket(type=socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    with tempfile.TemporaryDirectory() as place:
        unix.bind(os.path.join(place, "s"))
        unix.listen()
        for server in (tcp, unix):
            threading.Thread(target=echo, args=(server,), daemon=True).start()
        sys.stdout.write(f"{tcp.getsockname()[1]} {udp.getsockname()[1]} {unix.getsockname()}\n")
        sys.stdout.flush()
        kept = []
        for line in sys.stdin:
            way, address = line.split()
            if way == "udp":
                udp.sendto(b"hello", ("127.0.0.1", int(address)))
            else:
                kept.append(socket.socket(socket.AF_UNIX if way == "unix" else socket.AF_INET))
                kept[-1].connect(address.replace("@", "\0") if way == "unix" else ("127.0.0.1", int(address)))


if __name__ == "__main__":
    main()
