"""Which lane is running: logical threads of control, named by their creator and their place among its children.

A name never depends on an id of the operating system, so it repeats from run to run: ``main``, ``main.1``,
``main.1.2``. A thread that was there before the session, or that C code started, becomes ``other.1`` when it first
makes a crossing.
"""

from __future__ import annotations

import _thread
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import attrs

from testbench.inplace import Redirect
from testbench.inplace.own import OWN_THREADS
from testbench.inplace.real import get_ident, locked

_GENERATIONS: Final = 16
"""How many generations of lanes a name spells out."""

_READS: Final = 64
"""So many reads of sources are made before other lanes may run; the number, unlike a time, is the same on replay."""

_STARTERS: Final = ("start_new_thread", "start_joinable_thread")  # the second since CPython 3.13


@attrs.define(eq=False)
class Lane:
    """One lane: its number on the tape, its name, and how many lanes it has started.

    `depth` is above zero while the lane is inside a crossing: what it does then belongs to that crossing and passes
    straight through. This also holds for finalisers that happen to run there. `leaking` is above zero while the lane
    does what was reported as a leak.

    The others are for signal handlers, which interrupt a lane anywhere: `effect` is the crossing whose effect runs now,
    None elsewhere; `thrown` is what a handler raised into it; `deferred` holds the number and the handler of each
    signal that came while no handler could run; `handling` counts those that run, each in the middle of the one before.

    `ident` and `native_id` are those of its thread, as Python and as the operating system know it; 0 until it runs.
    `waits` holds what it waits for, what a signal handler in it waits for last, and `in_vain` what it has given up
    waiting for; `stray` tells where it was when it lost the baton, if it runs beside the others since; `ends` what is
    free when it has ended; `reads` counts what it has read of sources beside other lanes.
    """

    number: int
    name: str
    children: int = 0
    depth: int = 0
    leaking: int = 0
    effect: str | None = None
    thrown: BaseException | None = None
    deferred: list[tuple[int, Callable[[], object]]] = attrs.Factory(list)
    handling: int = 0
    ident: int = 0
    native_id: int = 0
    waits: list[Any] = attrs.Factory(list)
    in_vain: Any = None
    stray: Any = None
    ends: list[Any] = attrs.Factory(list)
    reads: int = 0

    def run_here(self) -> int:
        """Be the lane of the running thread; return its ident."""
        self.ident, self.native_id = get_ident(), _thread.get_native_id()
        return self.ident

    def reads_on(self) -> bool:
        """Count a read; tell whether other lanes may run before it: one that looks at a clock may wait for them."""
        self.reads += 1
        return self.reads % _READS == 0

    def next_child(self) -> str:
        """Return the name that the next lane started by this one will have."""
        # Timers that start timers make endless generations; their names must not become longer and longer.
        stem = self.name if self.name.count(".") < _GENERATIONS else f"lane{self.number}"
        return f"{stem}.{self.children + 1}"


class Lanes:
    """The lanes of one session.

    Args:
        born: called in the parent's lane with (parent, name of the child) before a thread starts; gives the lane.
        adopted: called in an unknown thread with its lane, which it gives a number.
        many: called once, before the second lane exists.
        begin: called in a new lane, in its thread, before anything of the program's.
        ended: called there at the end, or by the parent if no thread could be started.
        started: called in the parent's lane when the thread is there, or cannot be. What a signal handler asks may have
            to wait until then: it lets the next lane run, and that could be the one whose thread is still to come.

    Attributes:
        single: whether the process has had one thread so far.
        alone: whether there has been one lane so far, whatever threads do that make no crossing: as on the tape.
    """

    def __init__(
        self,
        born: Callable[[Lane, str], Lane],
        adopted: Callable[[Lane], None],
        many: Callable[[], None],
        begin: Callable[[Lane], None],
        ended: Callable[[Lane], None],
        started: Callable[[Lane], None],
    ) -> None:
        self.main = Lane(0, "main")
        self._born = born
        self._adopted = adopted
        self._many = many
        self._begin = begin
        self._ended = ended
        self._started = started
        self._strangers = 0
        self._by_thread: dict[int, Lane] = {self.main.run_here(): self.main}
        self._redirects: list[Redirect] = []
        self.alone = True
        self.single = len(sys._current_frames().keys() - OWN_THREADS) == 1

    def current(self) -> Lane:
        """Return the lane of the running thread, adopting a thread never seen before."""
        return self._by_thread.get(get_ident()) or self._adopt()

    def known(self) -> Lane | None:
        """Return the lane of the running thread, None if it has none: it may only want to end the session."""
        return self._by_thread.get(get_ident())

    def in_main_thread(self) -> Lane | None:
        """Return the lane of the thread in which signal handlers run, None if it has none."""
        return self._by_thread.get(threading.main_thread().ident or 0)

    def alive(self) -> set[int]:
        """Return the numbers of the lanes whose threads still run."""
        running = sys._current_frames()
        return {lane.number for ident, lane in list(self._by_thread.items()) if ident in running}

    def of_thread(self, ident: int) -> Lane | None:
        """Return the lane of a thread, None if it has none."""
        return self._by_thread.get(ident)

    def whose_end(self, thing: Any) -> Lane | None:
        """Return the lane with whose end something is free (a lock, a handle), None if it is nothing of that kind."""
        lanes = list(self._by_thread.values())
        return next((lane for lane in lanes if any(end is thing for end in lane.ends)), None)

    def loose(self) -> dict[int, int]:
        """Return the idents of threads that wait for nothing here, but the running one, and their native ids.

        These are 0 where they are not known.
        """
        found = {}
        for ident in sys._current_frames().keys() - OWN_THREADS - {get_ident()}:
            lane = self._by_thread.get(ident)
            if lane is None or not lane.waits or not locked(lane.waits[-1].gate):  # an open one: it is about to run
                thread = threading._active.get(ident)  # type: ignore[attr-defined]  # no lock is taken by looking there
                found[ident] = lane.native_id if lane is not None else getattr(thread, "native_id", None) or 0
        return found

    def present(self, idents: Iterable[int]) -> list[tuple[int, str, Lane | None]]:
        """Return threads with their names for a report: lanes in the order of the tape, then those that have none."""
        found: list[tuple[int, str, Lane | None]] = []
        for ident in sorted(set(idents) - OWN_THREADS):
            lane = self._by_thread.get(ident)
            thread = threading._active.get(ident)  # type: ignore[attr-defined]
            name = f"no lane ({getattr(thread, 'name', 'a thread')})" if lane is None else lane.name
            found.append((ident, name, lane))
        return sorted(found, key=lambda each: (each[2] is None, 0 if each[2] is None else each[2].number))

    def ignore(self, ident: int) -> None:
        """Let everything that a thread of our own does pass straight through."""
        self._by_thread[ident] = Lane(-1, "testbench", depth=1)

    def install(self) -> None:
        """Follow every thread that Python code starts from now on."""
        for name in _STARTERS:
            if hasattr(_thread, name):
                redirect = Redirect(getattr(_thread, name))
                self._redirects.append(redirect)
                redirect.to(self._starter(redirect.original))

    def restore(self) -> None:
        """Stop following."""
        while self._redirects:
            self._redirects.pop().restore()

    def _starter(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def start(function: Any, *rest: Any, **options: Any) -> Any:
            parent = self.current()
            if not callable(function):
                return original(function, *rest, **options)
            if parent.depth:
                # It belongs to the crossing that started it: a replay does not run that, and will not have the thread.
                return original(self._inside(Lane(-1, "guest", depth=1), function), *rest, **options)
            if self.single:
                self._go_parallel(parent)
            parent.depth = 1
            try:
                child = self._next_child(parent, function, options.get("handle"))
                try:
                    return original(self._inside(child, function), *rest, **options)
                except BaseException:
                    self._ended(child)
                    raise
            finally:
                self._started(parent)

        return start

    def _next_child(self, parent: Lane, function: Callable[..., Any], handle: Any) -> Lane:
        try:
            child = self._born(parent, parent.next_child())
        except BaseException:
            _never_starts(function)
            raise
        self.alone = False
        parent.children += 1
        if handle is not None:
            child.ends.append(handle)
        return child

    def _inside(self, lane: Lane, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            ident = lane.run_here()
            self._by_thread[ident] = lane
            self._begin(lane)
            try:
                return function(*args, **kwargs)
            except SystemExit:
                raise
            except BaseException as error:
                _tell(error, function)
            finally:
                # Idents are used again: a later thread must not inherit this lane.
                self._by_thread.pop(ident, None)
                self._ended(lane)

        return run

    def _adopt(self) -> Lane:
        self._strangers += 1
        lane = self._by_thread[get_ident()] = Lane(-1, f"other.{self._strangers}", depth=1)
        lane.run_here()
        try:
            if self.single:
                self._go_parallel(lane)
            self._adopted(lane)
            self.alone = False
        finally:
            lane.depth = 0
        return lane

    def _go_parallel(self, lane: Lane) -> None:
        self.single = False
        depth, lane.depth = lane.depth, 1  # a finaliser that runs here must not wait for the lock that is held here
        try:
            self._many()
        finally:
            lane.depth = depth


def _never_starts(function: Callable[..., Any]) -> None:
    """Let `threading` count a thread no longer that was to run ``Thread._bootstrap``; for an Exception it does so."""
    thread = getattr(function, "__self__", None)
    if isinstance(thread, threading.Thread):
        threading._limbo.pop(thread, None)  # type: ignore[attr-defined]


_TOLD: Final[Any] = next((kind for kind in tuple.__subclasses__() if kind.__name__ == "UnraisableHookArgs"), None)
"""What `sys.unraisablehook` is given; CPython has no other name for it."""


def _tell(error: BaseException, function: Callable[..., Any]) -> None:
    """Tell of what a thread raised as ``thread_run`` of _threadmodule.c does, which would name a function of ours."""
    if _TOLD is None:
        raise error
    trace = None if error.__traceback__ is None else error.__traceback__.tb_next
    told: tuple[Any, ...] = ("Exception ignored in thread started by", function)
    if sys.version_info >= (3, 13):
        told = (f"{told[0]} {function!r}", None)
    sys.unraisablehook(_TOLD((type(error), error, trace, *told)))


def describe(names: Mapping[int, str], number: int) -> str:
    """Return a lane's name for a report, whatever the tape says."""
    return names.get(number, f"lane {number}")
