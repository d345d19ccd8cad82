"""Which descriptors are ready: ``select.select``, ``poll`` objects and ``epoll``, so also `selectors` and asyncio.

Op ``ready``: one event for every call that the program makes, whether a child is among what it watches or not; else
the number of turns of an event loop would not repeat. It tells what was ready, in the order in which it was.

Descriptors that lead to no child are live on replay too. Where the tape says that one of them was ready, the answer is
given when it is: an event loop that another thread has waked up must find what it was waked up with.
"""

from __future__ import annotations

import operator
import select
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final

from testbench.errors import UnsupportedError
from testbench.inplace import Redirect, TypeSlot, real
from testbench.protocol import Plain
from testbench.recorders.process._children import Children
from testbench.recorders.process._watched import Watched, watched_by_epoll

_RAISES: Final = (OSError, ValueError, TypeError, OverflowError, RuntimeError)
_POLL: Final = type(select.poll())
_PATIENCE_MS: Final = 30_000
_AS_POLL: Final = {1: select.POLLIN, 2: select.POLLOUT, 4: select.POLLPRI}
"""The bits of an event of ``select``, one for each of its lists, and what ``poll`` says for them."""

Ready = list[tuple[int, int]]


class Readiness:
    """What the program waits for by descriptors, for one session."""

    def __init__(self, children: Children) -> None:
        self._children = children
        self._registered: dict[int, dict[int, None]] = {}  # what each poll object watches, by its id
        self._watched: dict[int, tuple[int, Watched]] = {}  # what each epoll watched last, by its id

    def install(self, stack: ExitStack) -> None:
        """Redirect the functions and methods until the stack is closed."""
        for function, body in ((select.select, self._select), (select.poll, self._new_poll)):
            redirect = Redirect(function)
            stack.push(redirect)
            redirect.to(self._passing(redirect.original, body))
        for owner, poll in ((_POLL, self._poll), (select.epoll, self._epoll)):
            self._method(stack, owner, "poll", poll)
            for name in ("register", "modify", "unregister"):
                self._method(stack, owner, name, self._register)
        self._method(stack, select.epoll, "close", self._register)

    def _select(self, original: Callable[..., Any], *args: Any) -> Any:
        if not 3 <= len(args) <= 4:
            return original(*args)  # raises
        try:
            lists = [_with_numbers(objects) for objects in args[:3]]
        except (TypeError, ValueError, AttributeError):
            return original(*args)  # raises in its own words
        numbers = [[fd for _, fd in pairs] for pairs in lists]

        def watching() -> Watched:
            return Watched(self._children, (fd for fds in numbers for fd in fds))

        def effect() -> Ready:
            found: dict[int, int] = {}
            for bit, answer in zip(_AS_POLL, original(*numbers, *args[3:]), strict=True):
                for fd in answer:
                    found[fd] = found.get(fd, 0) | bit
            return list(found.items())

        def to_poll(mask: int) -> int:
            return sum(_AS_POLL[bit] for bit in _AS_POLL if mask & bit)

        ready = dict(self._ready(watching, effect, to_poll))
        return tuple(
            [thing for thing, fd in pairs if ready.get(fd, 0) & bit] for bit, pairs in zip(_AS_POLL, lists, strict=True)
        )

    def _poll(self, original: Callable[..., Any], poll: Any, *args: Any) -> Ready:
        registered = self._registered.get(id(poll))
        if registered is None:
            return self._children.leak("ready_of_older_poll", {}, lambda: original(poll, *args))  # type: ignore[no-any-return]
        return self._ready(lambda: Watched(self._children, registered), lambda: original(poll, *args), int)

    def _epoll(self, original: Callable[..., Any], epoll: Any, *args: Any, **options: Any) -> Ready:
        return self._ready(lambda: self._watched_by(epoll), lambda: original(epoll, *args, **options), int)

    def _watched_by(self, epoll: Any) -> Watched:
        """Return what an epoll watches; the kernel is asked again only after something has changed."""
        changes, watched = self._watched.get(id(epoll), (-1, None))
        if watched is None or changes != self._children.channels.changes:
            watched = Watched(self._children, watched_by_epoll(epoll.fileno()))
            self._watched[id(epoll)] = self._children.channels.changes, watched
        return watched

    def _ready(
        self, watching: Callable[[], Watched], effect: Callable[[], Ready], to_poll: Callable[[int], int]
    ) -> Ready:
        """Make the crossing; return descriptors and events, in the order in which they were given."""
        live: list[Ready] = []

        def named() -> Plain:
            live.append(effect())
            names = watching().names if live[0] else {}
            return [[names.get(fd, f"fd {fd}"), mask] for fd, mask in live[0]]

        outcome: Any = self._children.cross("ready", None, named, raises=_RAISES)
        if live or not outcome:
            return live[0] if live else []
        watched = watching()
        ready = [(_live(watched, name), mask) for name, mask in outcome]
        for fd, mask in ready:
            if fd in watched.others:
                _wait_for(fd, to_poll(mask))
        return ready

    # What poll objects and epolls watch.

    def _new_poll(self, original: Callable[..., Any]) -> Any:
        poll = original()
        self._registered[id(poll)] = {}
        return poll

    def _register(self, original: Callable[..., Any], poll: Any, *args: Any, **options: Any) -> Any:
        answer = original(poll, *args, **options)
        self._watched.pop(id(poll), None)
        registered = self._registered.get(id(poll))
        if registered is not None and args:
            if original.__name__ == "unregister":
                registered.pop(_fileno(args[0]), None)
            else:
                registered[_fileno(args[0])] = None
        return answer

    # Putting them in place.

    def _passing(self, original: Callable[..., Any], body: Callable[..., Any]) -> Callable[..., Any]:
        passing = self._children.passing

        def called(*args: Any, **options: Any) -> Any:
            return original(*args, **options) if passing() else body(original, *args, **options)

        return called

    def _method(self, stack: ExitStack, owner: type, name: str, body: Callable[..., Any]) -> None:
        slot = TypeSlot(owner, name)
        called = self._passing(slot.original, body)
        called.__name__ = name
        stack.push(slot)
        slot.to(called)


def _with_numbers(objects: Any) -> list[tuple[Any, int]]:
    """Return each object with its descriptor, asked for once, as C code does; a list may change while it is asked."""
    return [(thing, _fileno(thing)) for thing in (objects if isinstance(objects, list) else list(objects))]


def _fileno(thing: Any) -> int:
    """Return the descriptor of what is watched, as C code finds it."""
    return operator.index(thing if isinstance(thing, int) else thing.fileno())


def _live(watched: Watched, name: str) -> int:
    try:
        return watched.fds[name]
    except KeyError:
        watching = ", ".join(sorted(watched.fds)) or "nothing"
        raise UnsupportedError(
            f"the tape says that {name} was ready here, and the program watches {watching}; it has changed since it "
            "was recorded, so record the tape again."
        ) from None


def _wait_for(fd: int, events: int) -> None:
    """Wait until a live descriptor is ready, as it was when it was recorded."""
    if not real.wait_ready(fd, events, _PATIENCE_MS):
        raise UnsupportedError(
            f"descriptor {fd}, which leads to no child, was ready here when this was recorded, and is not after "
            f"{_PATIENCE_MS // 1000} s; what makes it ready is not on the tape. Record it too, or keep it out."
        )
