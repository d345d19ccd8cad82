"""All children of one session: their numbers, their pids, and the way every crossing about them takes."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable
from typing import Any, Final

from testbench.depth import Depth
from testbench.errors import UnsupportedError
from testbench.protocol import Call, Plain
from testbench.recorders._births import Births
from testbench.recorders.process._channels import Channels
from testbench.recorders.process._child import Child, Name, Outcome
from testbench.recorders.process._nowhere import Nowhere
from testbench.recorders.process._outputs import NO_OUTPUTS, Outputs

FIRST_VIRTUAL_PID: Final = 5_000_000
"""Linux gives no pid above 4194304 (PID_MAX_LIMIT), so these never mean a real process."""

Lasting = Callable[[], Callable[[float], None]]


class _Thread(Depth):
    """How deep a thread is in doings that are no crossings, what stands for it, and how many children it started."""

    def __init__(self) -> None:
        super().__init__()
        self.key = object()
        self.started = 0


class Children:
    """The children of one session.

    Args:
        call: the waist.
        virtual_pids: tell the program pids that repeat from run to run.
        lasting: begins a wait, and gives what is told for how many seconds it has been in vain, where the clock of the
            program does not go on by itself.
        births: those who want to know of every child that starts, and of its end.

    Attributes:
        thread: what is known of the running thread. While its ``depth`` is above zero, nothing it does is a crossing.
        nowhere: lends pipes.
        channels: descriptors of the program that lead to a child.
        attribute: the name under which a Popen keeps its child, None for one that is not on the tape.
        over: the session has ended.
        cross: makes one crossing, as `testbench.protocol.Call` does; its method itself is twice as fast as the object.
    """

    def __init__(
        self, call: Call, *, virtual_pids: bool, lasting: Lasting | None = None, births: Births | None = None
    ) -> None:
        self._call = call
        self._lasting = lasting
        self.cross: Callable[..., Outcome] = call.__call__  # type: ignore[assignment]  # outcomes of this kind are dicts
        self._virtual = itertools.count(FIRST_VIRTUAL_PID) if virtual_pids else None
        self.births = Births() if births is None else births
        self.thread = _Thread()
        self.nowhere = Nowhere()
        self.channels = Channels(self.nowhere)
        self._by_pid: dict[int, Name] = {}
        self._by_real_pid: dict[int, Name] = {}
        self._pipes: dict[int, weakref.ref[Any]] = {}
        self.attribute: Final = f"_testbench_{id(self):x}"
        self.over = False
        self._terminal_reported = False

    # Crossings.

    def timed(self, seconds: float | None, effect: Callable[[], Outcome]) -> Outcome:
        """Run an effect; where time runs out in it, it elapses on the clock of the program."""
        lasted = None if self._lasting is None else self._lasting()
        outcome = effect()
        if lasted is not None and seconds is not None and outcome.get("timeout"):
            lasted(seconds)
        return outcome

    def observed(self, child: Child, outcome: Outcome) -> None:
        """Let an outcome show in the files that the child shares with the program, and complete it from ``output``."""
        if outcome.get("more") is None and child.outputs is NO_OUTPUTS:
            self._seen(child, ended=outcome.get("returncode") is not None)
            return
        parts: dict[str, list[bytes]] = {name: [outcome[name]] for name in child.pipes if outcome.get(name)}

        def hear(further: Outcome) -> None:
            for name in parts:
                parts[name].append(further.get(name) or b"")

        self.output(child.outputs, outcome, self.reference(child.name), child.rest, hear, bool(child.name.real_pid))
        if outcome.get("more"):
            outcome.update((name, b"".join(pieces)) for name, pieces in parts.items())
        ended = outcome.get("returncode") is not None
        if ended:
            child.outputs.close()
        self._seen(child, ended=ended)

    def _seen(self, child: Child, *, ended: bool) -> None:
        if ended:
            child.name.alone = None
            self.births.ended(child.name)
        else:
            self.births.seen(child.name)

    def output(
        self,
        outputs: Outputs,
        outcome: Outcome,
        child: Plain,
        rest: Callable[[], Outcome],
        hear: Callable[[Outcome], object],
        is_real: bool,
    ) -> None:
        """Let an outcome show in files; op ``output`` brings what did not fit: it may be more than memory holds.

        Args:
            outputs: the files.
            outcome: the first of them.
            child: how requests name the child.
            rest: the effect that returns the next outcome.
            hear: is told of every further outcome.
            is_real: the child has written there itself.
        """
        if not is_real:
            outputs.give(outcome)
        while outcome.get("more"):
            outcome = self.cross("output", {"child": child}, rest, raises=(OSError,))
            hear(outcome)
            if not is_real:
                outputs.give(outcome)

    def leak(self, op: str, request: Plain, effect: Callable[[], Any], *, instead: str = "") -> Any:
        """Report a crossing that cannot be recorded, and let it happen (on replay: refuse it)."""
        return self._call.leak(op, request, lambda: self.straight(effect), instead=instead)

    def report_terminal(self, streams: tuple[str, ...]) -> None:
        """Report, once in a session, that what a real child writes to a terminal is not on the tape."""
        if streams and not self._terminal_reported:
            self._terminal_reported = True
            self.leak("terminal_output", {"streams": list(streams)}, lambda: None)

    def straight(self, action: Callable[[], Any]) -> Any:
        """Do something of which nothing is a crossing."""
        self.thread.depth += 1
        try:
            return action()
        finally:
            self.thread.depth -= 1

    def passing(self) -> bool:
        """Tell whether what the running thread does now is no crossing: redirects of ours let it through."""
        return self.thread.depth > 0 or self._call.inside()

    # Names.

    def reference(self, name: Name) -> Plain:
        """Return how requests of the running thread name a child.

        By its number among the children of the thread, which repeats whatever other threads do meanwhile; a child of
        another thread by its pid.
        """
        return name.number if name.spawner is self.thread.key else {"pid": name.pid}

    def born(self, name: Name, pid: int, *, taped: bool) -> None:
        """Give a child that has started its number and its pid."""
        name.pid, name.taped, name.spawner = pid, taped, self.thread.key
        if taped:
            self.thread.started += 1
            name.number = self.thread.started
        self._by_pid[pid] = name
        if name.real_pid:
            self._by_real_pid[name.real_pid] = name

    def told(self, real_pid: int) -> int:
        """Return the pid that the program is told for a process that has just started."""
        if self._virtual is None or real_pid >= FIRST_VIRTUAL_PID:
            return real_pid  # an outer session has made one up already
        return next(self._virtual)

    def named(self, pid: object) -> Name | None:
        """Return the child that the program knows by this pid."""
        return self._by_pid.get(pid) if isinstance(pid, int) else None

    def named_really(self, real_pid: int) -> Name | None:
        """Return the child that the operating system knows by this pid."""
        return self._by_real_pid.get(real_pid)

    # Popen objects.

    def add(self, face: Any, child: Child) -> None:
        """Remember the child of a Popen."""
        vars(face)[self.attribute] = child
        child.name.face = weakref.ref(face)
        for pipe in child.pipes.values():
            self._pipes[pipe.name] = weakref.ref(pipe)

    def of(self, face: Any) -> Child | None:
        """Return the child of a Popen, None if it is none of this session's."""
        child: Child | None = vars(face).get(self.attribute)
        return child

    def called(self, name: Name | None) -> Child | None:
        """Return the child of a name, None once its Popen is gone, or it has ended without one."""
        if name is not None and name.alone is not None:
            return name.alone
        face = None if name is None or name.face is None else name.face()
        return None if face is None else self.of(face)

    def pipe_named(self, fd: int) -> Plain:
        """Return how requests name the pipe of a child that has this descriptor here; None if there is none."""
        pipe = self._pipe_at(fd)
        named: Plain = None if pipe is None else pipe.named()
        if named is None and (channel := self.channels.find(fd)) is not None:
            return {"child": self.reference(channel.name), "stream": channel.stream}
        return named

    def has_pipe(self, fd: object) -> bool:
        """Tell whether a stream of a child is open here, and has this descriptor."""
        pipe = self._pipe_at(fd)
        return pipe is not None and not pipe.closed

    def _pipe_at(self, fd: Any) -> Any:
        found = self._pipes.get(fd)
        return None if found is None else found()

    def hand_over(self) -> None:
        """Give children that still live to CPython's own code, because the session is over."""
        self.over = True
        for name in list(self._by_pid.values()):
            if name.outputs is not None and (outputs := name.outputs()) is not None:
                outputs.close()
            face = None if name.face is None else name.face()
            if face is None or face.returncode is not None:
                continue
            if name.real_pid:
                face.pid = name.real_pid
            else:
                _leave_behind(face)


def _leave_behind(face: Any) -> None:
    """Keep CPython from asking the operating system about a pid that came from a tape."""
    pid = face.pid

    def refuse(*_: Any, _deadstate: int | None = None, **__: Any) -> None:
        if _deadstate is not None:
            vars(face)["returncode"] = _deadstate
            return
        raise UnsupportedError(
            f"the child with pid {pid} was replayed by a session that has ended, and is no process; wait for it inside "
            "the session"
        )

    face._internal_poll = face._wait = refuse
    face._child_created = False  # else Popen would warn that it is still running, when it is collected
