"""Which generators of ``random`` are in a state that the tape knows, and who may draw from them without asking it.

What a generator gives is computed from its state. So a session needs that state once, when it sees the generator for
the first time, and from then on the generator runs by itself, on record and replay, until something comes into it that
a replay does not repeat: another thread that draws from it too, or a function marked as a boundary, which is not run.

*   A generator in a state of unknown origin is asked for it at the first draw: the event ``state``. One that the
    program seeds with a value of its own needs none.
*   After a marked function was called, the next draw is the event ``again``: the new state, or nothing if it drew none.
*   Once the program has started a thread, each draw from a generator that was there before is an event of its own, so
    that threads that share it get what they got. One that is made later belongs to the first thread that draws from it,
    and is as fast as ever; another thread that draws from it too is a leak. That of the names of ``tempfile``, which a
    process has once, counts as there before.
"""

from __future__ import annotations

import struct
import sys
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, Protocol

import attrs

from testbench.protocol import Call, Plain
from testbench.recorders.randomness._pinned import Pinned

_SHARED: Final = (
    "make one generator for each thread, or make this one before the first thread starts, as the one behind "
    "random.random() is"
)
_PROBE_FRAMES: Final = 16
"""How far above what it draws or makes ``tempfile`` may stand, each session between them included."""


class AnyStates(Protocol):
    """Reads and sets the states of generators of one family."""

    def read(self, generator: Any) -> dict[str, Plain]:
        """Return the state as a tape holds it."""
        ...

    def write(self, generator: Any, state: Mapping[str, Any]) -> None:
        """Bring a generator into a state."""
        ...


class Drawing(threading.local):
    """What the running thread may do.

    Attributes:
        free: ids of the generators that it may draw from without asking.
        marked: how many marked functions it has called.
    """

    marked = 0

    def __init__(self) -> None:
        self.free: set[int] = set()


@attrs.define(eq=False)
class Known:
    """What is known of one generator.

    Attributes:
        find: gives it, or None when it is gone.
        owner: `Drawing.free` of the thread that draws from it.
        shared: every draw is an event.
        exact: its state is on the tape, or follows from what is.
        marked: `Drawing.marked` at the last look.
        changed: it was drawn from within an effect.
        before: the state that it had before the session gave it one; None when the program has set another since.
    """

    find: Callable[[], Any]
    owner: set[int] | None = None
    shared: bool = False
    exact: bool = False
    marked: int = 0
    changed: bool = False
    before: dict[str, Plain] | None = None


class Generators:
    """All generators that one session has seen.

    Args:
        call: the waist.
        states: how states are read and set.
        pinned: gives new states while recording; None to leave generators as they are.
        prefix: what the ops of these generators begin with.
        names_shared: take the generator of names that ``tempfile`` has for the whole process for one that was there
            before the session, whenever it is made: threads share it, and a warm process has it already.

    Attributes:
        threads: whether the program has started a thread.
    """

    def __init__(
        self, call: Call, states: AnyStates, pinned: Pinned | None, *, prefix: str = "", names_shared: bool = True
    ) -> None:
        self.call = call
        self.states = states
        self.prefix = prefix
        self._pinned = pinned
        self._names_shared = names_shared
        self._known: dict[int, Known] = {}
        self.threads = False
        self.drawing = Drawing()

    def draw(self, generator: Any, op: str, request: Plain, effect: Callable[[], Plain]) -> Any:
        """Draw from a generator that the running thread may not draw from without asking.

        Args:
            generator: an instance of ``_random.Random``.
            op: what is drawn, and how it is called on the tape if it is an event.
            request: its arguments.
            effect: draws it.
        """
        if self.call.inside():
            self._changed_within(generator)
            return effect()
        if _tempfile_looks_for_a_folder():
            return effect()
        known = self._look_up(generator)
        if known.shared:
            return self.share(generator, op, request, effect)
        if not self._belongs(known):
            return self.call.leak(f"{self.prefix}shared_generator", {}, effect, instead=_SHARED)
        self._learn(generator, known)
        self.drawing.free.add(id(generator))
        return effect()

    def share(self, generator: Any, op: str, request: Plain, effect: Callable[[], Any]) -> Any:
        """Make a draw from a generator that threads share an event."""

        def perform() -> Plain:
            known = self._look_up(generator)
            if self._pinned is not None and not known.exact:
                self.lend(generator, self.first(generator))
            known.exact = True
            drawn: Plain = effect()
            return drawn

        return self.call(op, request, perform)

    def made(self, generator: Any) -> None:
        """Be told of a generator that the program makes."""
        if self.threads and id(generator) not in self._known and not self.call.inside():
            if self._names_shared and _is_called_by(_code_of_names()):
                return
            self._known[id(generator)] = self._new(generator)

    def seeded(self, generator: Any, by_value: bool) -> None:
        """Be told that a generator has got a state: by a value of the program, or from the operating system."""
        if self.call.inside():
            self._changed_within(generator)
            return
        known = self._look_up(generator) if by_value else self._known.get(id(generator))
        if known is not None:
            known.exact, known.changed, known.before = by_value, False, None
            known.marked = self.drawing.marked
            if known.owner is not None:
                known.owner.discard(id(generator))

    def before_marked(self) -> None:
        """Be told that the running thread is about to call a marked function."""
        self.drawing.free.clear()
        self.drawing.marked += 1

    def before_thread(self) -> None:
        """Be told that the program is about to start a thread."""
        if self.threads or self.call.inside():
            return
        self.threads = True
        for place, known in list(self._known.items()):
            known.shared = True
            if known.owner is not None:
                known.owner.discard(place)

    @contextmanager
    def freely(self, generator: Any) -> Iterator[None]:
        """Let the running thread draw without asking while the body runs."""
        self.drawing.free.add(id(generator))
        try:
            yield
        finally:
            self.drawing.free.discard(id(generator))

    def lend(self, generator: Any, state: Any, op: str = "state") -> None:
        """Bring a generator into a state that is not its own, which it gets back at the end; ``op`` has given it."""
        own = self.states.read(generator)
        if state != own:
            known = self._look_up(generator)
            known.before = known.before or own
            self._write(generator, op, state)

    def refuse(self, op: str, error: Exception) -> None:
        """Refuse what the tape gives instead of a state; a recording never gets here, as its states are real."""
        told = (
            f"the tape holds no state of a generator there ({type(error).__name__}: {error}), so something else has "
            "written it; record again"
        )
        self.call.leak(f"{self.prefix}{op}", {}, lambda: None, instead=told)

    def _write(self, generator: Any, op: str, state: Any) -> None:
        try:
            self.states.write(generator, state)
        except (LookupError, TypeError, ValueError, AttributeError, struct.error) as error:
            self.refuse(op, error)

    def restore(self) -> None:
        """Take out of the generators what the tape, or the user's seed, has put into them."""
        for known in list(self._known.values()):
            generator = known.find()
            if generator is not None and known.before is not None:
                self.states.write(generator, known.before)
        self._known.clear()

    def _learn(self, generator: Any, known: Known) -> None:
        """Make sure that the state is the one on the tape."""
        if not known.exact:
            self.lend(generator, self.call(f"{self.prefix}state", {}, lambda: self.first(generator)))
        elif known.marked != self.drawing.marked:
            changed = known.changed
            state: Any = self.call(f"{self.prefix}again", {}, lambda: self.states.read(generator) if changed else None)
            if state is not None and state != self.states.read(generator):
                self._write(generator, "again", state)
        known.exact, known.changed, known.marked = True, False, self.drawing.marked

    def first(self, generator: Any) -> dict[str, Plain]:
        """Return the state to begin with."""
        return self.states.read(generator) if self._pinned is None else self._pinned.state()

    def _belongs(self, known: Known) -> bool:
        """Tell whether the running thread may draw from a generator; the first that does is its owner."""
        if known.owner is None:
            known.owner = self.drawing.free
        return known.owner is self.drawing.free

    def _changed_within(self, generator: Any) -> None:
        known = self._known.get(id(generator))
        if known is not None:
            known.changed = True

    def _look_up(self, generator: Any) -> Known:
        known = self._known.get(id(generator))
        if known is None:
            known = self._known[id(generator)] = self._new(generator)
            known.shared = self.threads
        return known

    def _new(self, generator: Any) -> Known:
        place = id(generator)

        def forget(_: object) -> None:
            gone = self._known.pop(place, None)
            if gone is not None and gone.owner is not None:
                gone.owner.discard(place)

        try:
            return Known(weakref.ref(generator, forget))
        except TypeError:  # a bare _random.Random: it is kept, so that no other one gets its id
            return Known(lambda: generator)


def _tempfile_looks_for_a_folder() -> bool:
    """Tell whether ``tempfile`` tries out folders: it remembers what it finds, so that it does so at most once.

    Whether that falls into a session is a matter of luck, and nobody sees the names that it tries.
    """
    tempfile = sys.modules.get("tempfile")
    return _is_called_by(getattr(getattr(tempfile, "_get_default_tempdir", None), "__code__", None))


def _code_of_names() -> Any:
    """Return the code that makes the generator of names of ``tempfile``, None as long as that is not there."""
    names = getattr(sys.modules.get("tempfile"), "_RandomNameSequence", None)
    return getattr(getattr(getattr(names, "rng", None), "fget", None), "__code__", None)


def _is_called_by(code: Any) -> bool:
    frame = sys._getframe(1) if code is not None else None
    for _ in range(_PROBE_FRAMES):
        if frame is None or frame.f_code is code:
            break
        frame = frame.f_back
    return frame is not None and frame.f_code is code
