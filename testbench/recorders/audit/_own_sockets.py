"""Which ends of connections are in this process, by ``/proc`` (proc(5), ``/proc/net/tcp``, ``/proc/pid/fd``).

A test that talks to a server of its own, in another thread, crosses no boundary: both ends are the program.
"""

from __future__ import annotations

import _socket
import os
import sys
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from testbench.inplace import real

_NET: Final = "/proc/self/net/"
_FDS: Final = "/proc/self/fd"
_LISTENS: Final = 0x0A  # TCP_LISTEN of linux/tcp_states.h
_ACCEPTS: Final = 1 << 16  # __SO_ACCEPTCON of linux/net.h
_NOBODY: Final = "0"  # the inode of what is not accepted yet, or closed
_CREDENTIALS: Final = 12  # struct ucred: pid, uid, gid


class _Row(NamedTuple):
    """One socket of ``/proc/net/tcp`` or ``udp``: its ports, its state and its inode."""

    port: int
    peer: int
    state: int
    inode: str


def is_loopback(host: Any) -> bool:
    """Tell whether a name or address means this machine, whatever a name server says; so do those of no address."""
    text = host.decode("latin-1") if isinstance(host, (bytes, bytearray)) else host
    if not isinstance(text, str):
        return text is None
    text = text.lower().rstrip(".")
    return (
        text in ("", "localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback", "0.0.0.0", "::", "::1")
        or text.startswith(("127.", "::ffff:127."))
        or text.endswith(".localhost")
    )


def served_here(sock: Any, address: Any) -> bool:
    """Tell whether what a socket is about to connect or send to is a socket of this process."""
    if sock.family == _socket.AF_UNIX:
        return _unix_served_here(os.fsencode(address) if isinstance(address, str) else bytes(address))
    if sock.family not in (_socket.AF_INET, _socket.AF_INET6) or not is_loopback(address[0]):
        return False
    stream = _kind(sock) == _socket.SOCK_STREAM
    own = own_inodes()
    return any(
        row.port == address[1] and row.inode in own and (not stream or row.state == _LISTENS) for row in _rows(stream)
    )


def comes_from_elsewhere(sock: Any, address: Any) -> bool | None:
    """Tell whether the other end of a connection, or the sender of a datagram, is another process.

    Args:
        sock: the end that is here.
        address: that of the other one.

    Returns:
        None where nobody has the other end: it is closed already, or not accepted yet.
    """
    if sock.family == _socket.AF_UNIX:
        return _unix_peer(sock) not in (0, real.getpid())
    if sock.family not in (_socket.AF_INET, _socket.AF_INET6) or not address:
        return False
    if not is_loopback(address[0]):
        return True
    here, own = sock.getsockname()[1], own_inodes()
    stream = _kind(sock) == _socket.SOCK_STREAM
    rows = [row for row in _rows(stream) if row.port == address[1]]
    found = [row for row in rows if row.peer == here or not stream]
    if any(row.inode == _NOBODY for row in found):
        found = [row for row in rows if row.state == _LISTENS]  # whoever will accept it
    return not any(row.inode in own for row in found) if found else None


def own_inodes() -> set[str]:
    """Return the inodes of the sockets that this process has open."""
    found = set()
    for fd in real.listdir(_FDS):
        try:
            link = real.readlink(f"{_FDS}/{fd}")
        except OSError:
            continue  # closed meanwhile; or the descriptor by which this list was read
        if link.startswith("socket:["):
            found.add(link[8:-1])
    return found


def _kind(sock: Any) -> int:
    return int(sock.type) & 0xF  # without SOCK_NONBLOCK and its kin


def _rows(stream: bool) -> Iterator[_Row]:
    for name in ("tcp", "tcp6") if stream else ("udp", "udp6"):
        for line in _lines(name):
            fields = line.split()
            port, peer = (int(fields[at].rpartition(b":")[2], 16) for at in (1, 2))
            yield _Row(port, peer, int(fields[3], 16), fields[9].decode())


def _unix_served_here(path: bytes) -> bool:
    own, shown = own_inodes(), b"@" + path[1:] if path.startswith(b"\0") else path
    for line in _lines("unix"):
        fields = line.split(maxsplit=7)
        accepts = int(fields[3], 16) & _ACCEPTS or int(fields[4], 16) != _socket.SOCK_STREAM
        if len(fields) == 8 and fields[7].rstrip(b"\n") == shown and accepts and fields[6].decode() in own:
            return True
    return False


def _unix_peer(sock: Any) -> int:
    try:
        credentials = sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, _CREDENTIALS)
    except OSError:
        return 0
    return int.from_bytes(credentials[:4], sys.byteorder)


def _lines(name: str) -> list[bytes]:
    try:
        fd = real.open(_NET + name, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return []
    try:
        content = b"".join(iter(lambda: real.read(fd, 65_536), b""))
    finally:
        real.close(fd)
    return content.splitlines()[1:]
