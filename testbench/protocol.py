"""The waist: what a recorder kind is, and the one way through which it reaches the world.

A recorder stands on one kind of boundary and sends each crossing through `Call`. Whether the crossing is performed and
written down, or answered from a tape, is decided behind `Call`; a recorder never learns which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeAlias, Union

Plain: TypeAlias = Union[bool, int, float, str, bytes, "list[Plain]", "dict[str, Plain]", None]
"""What passes the waist. Exact types only: no tuples, no subclasses. Lone surrogates, NaN and -0.0 survive."""

Effect: TypeAlias = Callable[[], Plain]
"""The closure that touches the world; run at most once, and never on replay."""

Matcher: TypeAlias = Callable[[Plain, Plain], "str | None"]
"""``matcher(recorded, live)`` says in words why two requests differ, or None when they match."""


Place: TypeAlias = tuple[str, ...]
"""Where in an event a value is: ``"request"`` or ``"outcome"``, then the keys on the way."""

Pieces: TypeAlias = Callable[[Plain, Plain], "Iterable[tuple[str, Place, bool]]"]
"""``pieces(request, value)`` says which bytes of a crossing are pieces of streams: the name of the stream, the place of
the bytes, and whether the stream ends with them. So a secret is found that arrives in two reads."""


class Runs(Protocol):
    """How values of a source that are not plain stand on the tape; asked once for each run, not for each value."""

    def pack(self, values: list[Any]) -> list[Plain]:
        """Return what stands for the values, one each, in a new list."""
        ...

    def unpack(self, plain: Sequence[Plain]) -> tuple[Iterator[Any], Iterator[Any]]:
        """Return the values that something stands for, one each.

        Also returned is the iterator that they are made from, over a list, a tuple or an array: it makes one step for
        each value, when that is read, and so tells how far the reading has come.
        """
        ...


class Call(Protocol):
    """The waist itself; the session gives one to each recorder it installs."""

    def __call__(
        self,
        op: str,
        request: Plain,
        effect: Effect,
        *,
        raises: tuple[type[BaseException], ...] = (),
    ) -> Plain:
        """Make one crossing and return its outcome.

        Called by recorders, from any thread, once per crossing.

        Args:
            op: the operation, a word such as ``"spawn"``. All requests of one op have the same keys in the same order,
                where they are dicts; the keys become the field names on the tape.
            request: what is asked. It is compared with the recorded one on replay.
            effect: performs the crossing. While it runs, crossings made by the same thread pass straight through to the
                world: they belong to this one.
            raises: exceptions that are outcomes like any other. Type, args and attributes survive. Any other exception
                aborts the recording.

        Returns:
            The outcome *as a tape would give it back*: a fresh plain copy.

        Raises:
            UsageError: request or outcome is not `Plain`.
            DivergenceError: the tape holds something else at this point.
        """
        ...

    def source(
        self,
        op: str,
        effect: Callable[[], Any],
        bind: Callable[[Callable[[], Any]], None],
        *,
        runs: Runs | None = None,
        resume: Callable[[Any], Callable[[], Any]] | None = None,
    ) -> None:
        """Open a boundary without arguments that is read millions of times (a clock face).

        Called once per op while the recorder installs itself. The session calls ``bind(reader)`` at once, and again
        whenever a faster or safer reader becomes right (a second thread starts, the tape diverges); the recorder routes
        the world to the last reader it was given. A reader may be the bound ``__next__`` of an iterator, so that it can
        be called without a Python frame. Order against all other events is kept.

        Args:
            op: the operation.
            effect: makes one read; it does not raise.
            bind: is given the reader.
            runs: what stands on the tape for the values that are read, where these are not plain themselves.
            resume: where a run follows a tape and then goes on in the world, is given the last value that came from the
                tape, None if there was none, and returns the effect to read with from then on: what must not jump goes
                on from there. None if ``effect`` will do.
        """
        ...

    def fact(
        self,
        op: str,
        request: Plain,
        effect: Effect,
        *,
        raises: tuple[type[BaseException], ...] = (),
        listed: bool = True,
    ) -> Plain:
        """Ask what the world is, as it was when the session began: a name of the machine, a variable nobody has set.

        Asked any number of times, by any lane and in any order, a fact is on the tape once, and a replay need not ask
        for it again: modules and caches ask once in a process, whichever session that falls into. What the recording
        did not ask is answered by the effect on replay, and listed among the leaks, unless a module that is being
        imported asks.

        The recorder lists the op in its ``facts``. A thread that has no lane is answered by the effect.

        Args:
            op: the operation.
            request: what is asked.
            effect: looks; it changes nothing, and may be run each time while recording: an answer that has changed is
                a leak.
            raises: exceptions that are outcomes like any other; all others pass through and leave nothing behind.
            listed: whether a replay that does not know it is to list that.

        Returns:
            The outcome; it is shared, do not change it.
        """
        ...

    def foretold(self, op: str) -> Sequence[tuple[Plain, Plain]]:
        """Return request and value of the facts that a replay knows before they are asked; while recording, none."""
        ...

    def leak(self, op: str, request: Plain, effect: Callable[[], Any], *, instead: str = "") -> Any:
        """Report a crossing that this kind sees and cannot put on the tape (an ``exec``).

        Recording runs the effect, returns what it returns, and lists the leak with the line of code that made it;
        replaying refuses.

        Args:
            op: the operation.
            request: what is asked.
            effect: lets it happen.
            instead: what the user can do instead, a clause without a full stop.

        Raises:
            RefusedError: on replay.
        """
        ...

    def report(self, op: str, request: Plain, *, instead: str = "", refused: bool = True) -> None:
        """Report a crossing that this kind only watches, and that happens once this has returned (a connection).

        Recording lists the leak with the line of code that makes it. Nothing happens where `inside` says so, and within
        what was reported as a leak. It may be called wherever code of the program can run, in a finaliser say, and does
        not make a lane of a thread that has none.

        Args:
            op: the operation.
            request: what is asked.
            instead: what the user can do instead, a clause without a full stop.
            refused: whether a replay refuses it; else it lets it happen, and says nothing.

        Raises:
            RefusedError: on replay, if it is refused.
        """
        ...

    def inside(self) -> bool:
        """Tell whether what the running thread does now is no crossing, and belongs to the real world.

        So it is within an effect while recording (it belongs to the crossing that is being performed), and everywhere
        once the session is over or its recording has broken. Never within a replay, which runs no effects.

        A recorder asks before it does anything of its own with what it sees (changes arguments, remembers a descriptor,
        reports a leak), and calls the original where the answer is yes. It is cheap, and does not make a lane of a
        thread that has none.
        """
        ...

    def follows(self) -> bool:
        """Tell whether what the running thread does now is the program's, in order with all else that it does.

        It is not where `inside` says so, nor in a thread that was there before the session and has made no crossing
        yet, nor while the session itself is at work in this thread. For crossings that some threads make which the
        program knows nothing of (a wait with a timeout). It is cheap, and does not make a lane of a thread.
        """
        ...

    def alone(self) -> bool:
        """Tell whether the program has had one lane so far: within it, nobody but a signal handler ends a wait then."""
        ...


class Recorder(Protocol):
    """One kind of boundary.

    Attributes:
        kind: wire name, lower case, never renamed (``"clock"``).
        version: raised when the meaning of a request or outcome changes; written in the header.
        matchers: per op, the matcher of its requests; an op that is not named needs equality.

    A recorder of streams may have ``pieces`` too, a mapping from op to `Pieces`.
    One that asks for facts (`Call.fact`) has a further attribute ``facts``, the set of those ops.
    """

    @property
    def kind(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def matchers(self) -> Mapping[str, Matcher]: ...

    def install(self, call: Call) -> AbstractContextManager[None]:
        """Route the world through ``call``; on exit restore it exactly, last in first out, also after an exception."""
        ...
