"""Sockets that others have connected, or that were connected before: no event tells of what comes and goes by them.

A connection from another process that is accepted here, a datagram from one, and data that is sent or received by a
socket that was connected before the session. Methods of sockets are redirected for that; each socket is looked at once.
So are those that connect: where that has a timeout, it happens within an effect of the kind that sees to the time, for
which it is only a wait.
"""

from __future__ import annotations

import _socket
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final
from weakref import ref

from testbench.inplace import TypeSlot, real
from testbench.protocol import Call, Plain
from testbench.recorders.audit._network import Network, is_address, told_address
from testbench.recorders.audit._own_sockets import comes_from_elsewhere

Report = Callable[[str, Plain], None]

_CONNECTING: Final = ("connect", "connect_ex")
_SENDING: Final = ("send", "sendall")
_HEARING: Final = ("recv", "recv_into")


class Connections:
    """The sockets of one session.

    Args:
        call: the waist.
        network: reports what leaves the process.
        report: reports a leak that a replay refuses.
    """

    def __init__(self, call: Call, network: Network, report: Report) -> None:
        self._call = call
        self._network = network
        self._report = report
        # Of each socket that has been looked at, whether it is connected to a server of ours and has no answer yet: a
        # child may answer there as well. (A WeakKeyDictionary takes four times as long.)
        self._waiting: dict[ref[Any], bool] = {}

    def install(self, stack: ExitStack) -> None:
        """Redirect the methods until the stack unwinds."""
        slots = {
            "_accept": self._accepting,
            "recvfrom": self._receiving,
            **dict.fromkeys(_CONNECTING, self._connecting),
            **dict.fromkeys(_SENDING, self._sending),
            **dict.fromkeys(_HEARING, self._hearing),
        }
        for name, body in slots.items():
            slot = TypeSlot(_socket.socket, name)
            stack.callback(slot.restore)
            slot.to(body(slot.original))

    def connect(self, sock: Any, address: Any, *_: Any) -> None:
        """Look at ``socket.connect``, which comes here as well if the method was bound before the session."""
        if self._is_waiting(sock) is None:
            self._look_at_new(sock, address)

    def _connecting(self, original: Callable[..., Any]) -> Callable[..., Any]:
        call = self._call

        def connect(own: Any, address: Any, /) -> Any:
            if is_address(own, address) and not call.inside():
                self._look_at_new(own, address)
            return original(own, address)

        connect.__name__ = original.__name__
        return connect

    def _accepting(self, original: Callable[..., Any]) -> Callable[..., Any]:
        call = self._call

        def _accept(own: Any) -> Any:
            accepted = fd, address = original(own)
            if not call.inside():
                try:
                    self._look_at_accepted(own, fd, address)
                except BaseException:
                    real.close(fd)
                    raise
            return accepted

        return _accept

    def _look_at_accepted(self, own: Any, fd: int, address: Any) -> None:
        sock = _socket.socket(own.family, own.type, own.proto, fd)
        try:
            if comes_from_elsewhere(sock, address) and not self._allowed(own, address):
                self._report("accept", {"address": told_address(own, address)})
        finally:
            sock.detach()

    def _receiving(self, original: Callable[..., Any]) -> Callable[..., Any]:
        call = self._call

        def recvfrom(own: Any, *args: Any) -> Any:
            received = original(own, *args)
            address = received[1]
            if address and not call.inside() and comes_from_elsewhere(own, address) and not self._allowed(own, address):
                self._report("recvfrom", {"address": told_address(own, address)})
            return received

        return recvfrom

    def _sending(self, original: Callable[..., Any]) -> Callable[..., Any]:
        call, is_waiting = self._call, self._is_waiting

        def send(own: Any, *args: Any) -> Any:
            if is_waiting(own) is None and not call.inside():
                self._look_at_older(own)
            return original(own, *args)

        send.__name__ = original.__name__
        return send

    def _hearing(self, original: Callable[..., Any]) -> Callable[..., Any]:
        call, is_waiting = self._call, self._is_waiting

        def hear(own: Any, *args: Any, **options: Any) -> Any:
            waiting = is_waiting(own)
            if waiting is None and not call.inside():
                self._look_at_older(own)
            heard = original(own, *args, **options)
            if waiting and not call.inside():
                self._know(own)
                self._look_at_peer(own, "answer")
            return heard

        hear.__name__ = original.__name__
        return hear

    def _look_at_new(self, own: Any, address: Any) -> None:
        self._know(own, waiting=self._network.connect(own, address))

    def _look_at_older(self, own: Any) -> None:
        if self._look_at_peer(own, "older_connection"):
            self._know(own)

    def _look_at_peer(self, own: Any, op: str) -> bool:
        """Report a connection with another process; tell whether anybody has the other end."""
        try:
            address = own.getpeername()
        except OSError:
            return False  # it is connected to nobody, or not any more
        elsewhere = comes_from_elsewhere(own, address)
        if elsewhere and not self._allowed(own, address):
            self._report(op, {"address": told_address(own, address)})
        return elsewhere is not None

    def _is_waiting(self, own: Any) -> bool | None:
        """Tell whether a socket has no answer yet; None if it was never looked at."""
        try:
            return self._waiting.get(ref(own))
        except TypeError:
            return None  # one of the C module itself cannot be remembered, and is looked at each time

    def _know(self, own: Any, *, waiting: bool = False) -> None:
        if type(own).__weakrefoffset__:
            self._waiting[ref(own, self._forget)] = waiting

    def _forget(self, gone: ref[Any]) -> None:
        self._waiting.pop(gone, None)

    def _allowed(self, own: Any, address: Any) -> bool:
        if own.family in (_socket.AF_INET, _socket.AF_INET6):
            return self._network.allows(str(address[0]), address[1])
        return self._network.allows(told_address(own, address), "")
