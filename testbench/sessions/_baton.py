"""The baton: where there are several lanes, one of them runs the program, and who is next repeats from run to run.

To order the events alone is not enough: what lanes do to shared memory between two events would come out differently,
and with it what they ask for next. So a lane runs only while it holds the baton. It gives it up on its way into a
crossing, when it waits for a lock of the program, and at its end. Next is whoever was let go on inside the program (a
lane just started, one whose lock was released), in that order; only if there is nobody, one that comes from outside
with the outcome of a crossing: while recording the one that came first, on replay the one that the tape names. So what
lanes do depends on nothing but the events, in both modes alike, and nothing of it has to stand on the tape.

A lane that sleeps in the operating system with the baton in its hand, in a call that nobody intercepts, or computes
for long while others wait, is noticed and loses it: it runs beside the others then until its next crossing. Reads of a
clock do not give it up, but for every 64th.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any

from testbench.inplace import real
from testbench.sessions._lanes import Lane
from testbench.sessions._strays import Strays
from testbench.sessions._vigil import EXPIRED, WOKEN, Still, Vigil, Wait

Candidates = Callable[[list[Wait]], list[Wait]]


class Baton:
    """Who runs the program of one session.

    Args:
        main: the lane that runs now.
        candidates: picks those of them that come from outside who may go on now, the first one first.
        relieve: runs the handlers of signals that came to a lane before it began to wait.
        still: how those who wait notice that nobody can go on any more; without it they wait for ever.
        by_tape: the time for a lock runs out by the tape, and not by the real clock.
        strays: told of lanes that lose it, and ask for it again.

    Attributes:
        holder: the lane that runs; None while all wait.
        over: everybody runs as the operating system likes; nothing is waited for any more.
        since_ns: when the holder got it.
        stirred_ns: when a lane last did anything that is seen here.
        waking: the holder while it lets others go on, and may have to wait for one that looks around.
    """

    def __init__(
        self,
        main: Lane,
        candidates: Candidates,
        *,
        relieve: Callable[[Lane], None],
        still: Still | None = None,
        by_tape: bool = False,
        strays: Strays | None = None,
    ) -> None:
        self.holder: Lane | None = main
        self.over = False
        self.waking: Lane | None = None
        self.since_ns = self.stirred_ns = real.monotonic_ns()
        self._candidates = candidates
        self._by_tape = by_tape
        self._strays = strays
        self._mutex = real.Mutex()
        self._ready: deque[Wait] = deque()
        self._outside: list[Wait] = []
        self._asleep: dict[Hashable, deque[Wait]] = {}
        self._vigil = Vigil(self, still, relieve, by_tape=by_tape)

    # Giving it up.

    def give_up(self, lane: Lane) -> None:
        """Let the next one run; nothing happens if this lane does not hold the baton."""
        if self.holder is lane:
            with self._mutex:
                if self.holder is lane:
                    self.holder = None
                    self._next()

    def goes_on(self, lane: Lane, *, pausing: bool) -> bool:
        """Tell whether a lane at its next event goes on at once; ``pausing`` if it gave up the baton there once.

        From here it may compute for as long again as when the baton was new, as it might when that was recorded.
        """
        if self.holder is not lane or (pausing and self._ready):
            return False
        self.since_ns = real.monotonic_ns()
        return True

    def end(self) -> None:
        """Let everybody go on: the session is over, or has failed."""
        with self._mutex:
            self.over = True
            waits = [*self._ready, *self._outside, *(wait for waits in self._asleep.values() for wait in waits)]
            self._ready.clear()
            self._outside.clear()
            self._asleep.clear()
            for wait in waits:
                real.open_gate(wait.gate)

    def lose(self, holder: Lane, why: str) -> None:
        """Take it away from a lane that keeps the others waiting; it runs beside them until it asks for it again."""
        with self._mutex:
            if self.holder is holder:
                if self._strays is not None:
                    self._strays.lost(holder, why)
                self.holder = None
                self._next()

    def abandon(self) -> None:
        """Be in the child of a fork, alone: nobody waits any more, and who held the mutex is not here."""
        self.over = True
        self._mutex = real.Mutex()

    # Asking for it.

    def pass_on(self, lane: Lane, turn: int, what: str) -> bool:
        """Give it up, and ask for it again like one who comes from outside; False if nobody can go on any more."""
        self._be_back(lane)
        wait = Wait(lane, turn, what=what)
        with self._mutex:
            if self.holder is lane:
                self.holder = None
            self._enter(self._outside, wait)
        return self._vigil.keep(wait) is not None

    def take(self, lane: Lane, turn: int | None = None, what: str = "") -> bool:
        """Wait for the baton, as one who comes from outside; False if nobody can go on any more."""
        if self.holder is lane:
            return True
        self._be_back(lane)
        wait = Wait(lane, lane.number if turn is None else turn, what=what)
        self._enter(self._outside, wait)
        return self._vigil.keep(wait) is not None

    def come_back(self, lane: Lane) -> None:
        """Wait for the baton, as one who has lost it."""
        if self.holder is not lane:
            self._be_back(lane)
            wait = Wait(lane, lane.number)
            self._enter(self._ready, wait)
            self._vigil.keep(wait)

    @contextmanager
    def borrowed(self, lane: Lane, *, outside: bool) -> Iterator[None]:
        """Hold it while the body runs, and give it up again if it was not held before (a signal handler)."""
        had = self.holder is lane or self.over
        if not had:
            self.take(lane) if outside else self.come_back(lane)
        try:
            yield
        finally:
            if not had:
                self.give_up(lane)

    def start(self, lane: Lane) -> None:
        """Let a lane that is about to start run when its turn comes; it calls `begin` first of all."""
        self._enter(self._ready, Wait(lane, lane.number))

    def begin(self, lane: Lane) -> None:
        """Wait to run for the first time."""
        if lane.waits:
            self._vigil.keep(lane.waits[-1])

    def finish(self, lane: Lane) -> None:
        """Be told that a lane has ended, or could not be started."""
        self._be_back(lane)
        with self._mutex:
            self.stirred_ns = real.monotonic_ns()
            for wait in lane.waits:
                if wait in self._ready:
                    self._ready.remove(wait)
        self.give_up(lane)

    def sleep(
        self, lane: Lane, key: Hashable, timeout_s: float | None, free: Callable[[], bool], what: Any = ""
    ) -> str | None:
        """Wait inside the program until `wake`, then for the baton.

        Args:
            lane: who waits, with the baton.
            key: for what.
            timeout_s: seconds after which it is enough; where the tape tells when that is, only that there are some.
            free: looks from time to time whether it is there.
            what: the thing itself, for reports.

        Returns:
            WOKEN or EXPIRED; None if nobody can go on any more.
        """
        wait = Wait(lane, lane.number, key, timeout_s is not None, free, what)
        with self._mutex:
            if self.over:
                return WOKEN
            self.stirred_ns = real.monotonic_ns()
            lane.waits.append(wait)
            self._asleep.setdefault(key, deque()).append(wait)
            if free():  # by a lane that runs beside the others, after this one has tried and before it was seen to wait
                self._forget(wait)
                lane.waits.remove(wait)
                return WOKEN
            if wait.timed and self._by_tape:
                self._outside.append(wait)
            if self.holder is lane:
                self.holder = None
                self._next()
        return self._vigil.keep(wait, None if self._by_tape else timeout_s)

    def wake(self, key: Hashable, *, everybody: bool = False) -> None:
        """Let the lane that has waited longest for something go on, or everybody who waits for it."""
        if key not in self._asleep:
            return
        holder = self.holder
        if holder is not None and holder.ident == real.get_ident():
            self.waking = holder
        with self._mutex:
            waits = self._asleep.get(key)
            while waits:
                wait = waits.popleft()
                if wait in self._outside:
                    self._outside.remove(wait)
                self._ready.append(wait)
                if not everybody:
                    break
            if not waits:
                self._asleep.pop(key, None)
            if self.holder is None:
                self._next()
        if self.waking is holder:
            self.waking = None

    def expire(self, wait: Wait) -> None:
        """Let a lane go on whose time for a lock has run out, as one who comes from outside; the lock may come first.

        A replay does the same when the tape says that time has run out, so that it cannot come out differently.
        """
        with self._mutex:
            if wait in self._asleep.get(wait.key, ()) and wait not in self._outside:
                self._outside.append(wait)
                if self.holder is None:
                    self._next()

    # Inside.

    def _be_back(self, lane: Lane) -> None:
        if lane.stray is not None and self._strays is not None:
            self._strays.back(lane)

    def _enter(self, queue: Any, wait: Wait) -> None:
        with self._mutex:
            self.stirred_ns = real.monotonic_ns()
            wait.lane.waits.append(wait)
            if self.over:
                real.open_gate(wait.gate)
                return
            queue.append(wait)
            if self.holder is None:
                self._next()

    def _next(self) -> None:
        """Hand the baton, which nobody holds, to whoever is next, if anybody is."""
        ready = [wait for wait in self._ready if wait.is_innermost()]
        chosen = self._pick(ready, [wait for wait in self._outside if wait.is_innermost()])
        if chosen is None:
            return
        if chosen in ready:
            self._ready.remove(chosen)
        else:
            self._outside.remove(chosen)
            if chosen.key is not None:
                chosen.by = EXPIRED
                self._forget(chosen)
        self._hand(chosen)

    def _pick(self, ready: list[Wait], outside: list[Wait]) -> Wait | None:
        return ready[0] if ready else next(iter(self._candidates(outside)), None)

    def _hand(self, wait: Wait) -> None:
        self.holder = wait.lane
        self.since_ns = self.stirred_ns = real.monotonic_ns()
        real.open_gate(wait.gate)

    def _forget(self, wait: Wait) -> None:
        waits = self._asleep.get(wait.key)
        if waits and wait in waits:
            waits.remove(wait)
            if not waits:
                del self._asleep[wait.key]

    def wake_anyhow(self) -> bool:
        """Let a lane go on whose lock is free, though nobody has said so, if there is one; tell whether there is."""
        with self._mutex:
            waits = [wait for waits in self._asleep.values() for wait in waits if wait.free is not None and wait.free()]
            if self.holder is None and waits:
                self._forget(waits[0])
                if waits[0] in self._outside:
                    self._outside.remove(waits[0])
                self._ready.append(waits[0])
                self._next()
            return bool(waits)

    def rests(self, since_ns: int) -> bool:
        """Tell whether nobody holds it, and nothing has happened since a time."""
        with self._mutex:
            return self.holder is None and self.stirred_ns == since_ns and not self._ready

    def withdraw(self, wait: Wait) -> bool:
        """Wait no longer; False if it was let go on in this moment."""
        with self._mutex:
            if self.over:
                return False
            found = False
            for queue in (self._ready, self._outside):
                if wait in queue:
                    queue.remove(wait)
                    found = True
            waits = self._asleep.get(wait.key)
            if waits and wait in waits:
                self._forget(wait)
                found = True
            return found
