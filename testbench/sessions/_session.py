"""One open recording or replay: puts the recorders in place, takes them away, decides what becomes of the tape."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Any

from testbench.errors import DivergenceError, LeftoverError, RecordingError, TestbenchError, UsageError
from testbench.inplace import Redirect, UndoStack, hash_again, intercepting
from testbench.inplace.held import signals_held
from testbench.inplace.own import hide_own_threads
from testbench.protocol import Call, Plain
from testbench.sessions._active import ACTIVE, alone, end_at_once
from testbench.sessions._collector import Uncounted, collector_callbacks_rest
from testbench.sessions._flusher import Flusher
from testbench.sessions._leaks import Leak, Leaks
from testbench.sessions._placed import PlacedCall
from testbench.sessions._recording import Recording
from testbench.sessions._replaying import Replaying
from testbench.sessions._run import Run
from testbench.sessions._signals import Handlers
from testbench.sessions._splicing import Splice, Splicing


def _beating(mode: Recording | Replaying) -> Callable[[], None] | None:
    """Return what is to be called again and again while the session is open, None if nothing is."""
    if isinstance(mode, Recording):
        return mode.beat
    return mode.signals.wake if mode.signals.kinds else None


class LeakWarning(UserWarning):
    """The program crossed boundaries that are not on its tape; a replay refuses that, or goes on without it."""


class Session:
    """One open recording or replay; a context manager.

    The recorders of the open session are its attributes, by kind: ``session.clock``, ``session.process``.

    Args:
        begin: opens the tape; called when the session opens.
        leaks: ``"ignore"``, ``"warn"`` or ``"fail"``.
    """

    def __init__(self, begin: Callable[[], Run], *, leaks: str = "warn") -> None:
        self._begin = begin
        self._leaks = leaks
        self._missed = Leaks()
        self._run = Run()
        self._stack = ExitStack()
        self._state = "new"
        self._uncounted = Uncounted()
        self._flusher: Flusher | None = None

    @property
    def mode(self) -> str:
        """What it does: ``record``, ``replay``, ``splice`` or ``verify``; ``off`` when it does nothing, or not yet."""
        return self._run.named or ("off" if self._mode is None else self._mode.mode)

    @property
    def is_open(self) -> bool:
        """Whether it is open now."""
        return self._state == "open"

    @property
    def meta(self) -> Mapping[str, Plain]:
        """The header of the tape that is replayed or recorded; empty before the session opens."""
        return self._run.meta

    @property
    def _mode(self) -> Recording | Replaying | None:
        return self._run.mode

    @property
    def leaks(self) -> list[Leak]:
        """Crossings seen so far that are not on the tape; a replay refuses them, and lists the facts among them.

        On record and replay, the first are those that interception by name does not follow, made or not.
        """
        return [*self._missed, *(self._mode.leaks if self._mode is not None else ())]

    @property
    def redactions(self) -> int:
        """How many places of the tape hold a placeholder for a secret, so far; on replay, how many were compared."""
        redactor = None if self._mode is None else self._mode.redactor
        return 0 if redactor is None else redactor.redactions

    @property
    def failure(self) -> TestbenchError | None:
        """The divergence of a replay so far, if any."""
        return self._mode.failure if isinstance(self._mode, Replaying) else None

    @property
    def splice(self) -> Splice | None:
        """Where a run in mode ``splice`` has left its old tape; None if it has not."""
        return self._mode.splice if isinstance(self._mode, Splicing) else None

    def __getattr__(self, kind: str) -> Any:
        """Return the recorder of a kind."""
        recorders = self.__dict__["_run"].recorders if "_run" in self.__dict__ else ()
        for recorder in recorders:
            if recorder.kind == kind:
                return recorder
        raise AttributeError(f"this session has no {kind!r}; its recorders are {[r.kind for r in recorders]}")

    def open(self) -> Session:
        """Put the recorders in place.

        Raises:
            UsageError: the session was open before.
            UnsupportedError: a recorder cannot work on this interpreter; everything is as it was.
        """
        if self._state != "new":
            raise UsageError(f"this session is {self._state}; make a new one with testbench.record or testbench.replay")
        try:
            with signals_held():
                self._open()
        except BaseException as error:
            self.abort(error)  # it is open if a handler has raised that waited for this
            raise
        return self

    def _open(self) -> None:
        self._uncounted.begin()
        try:
            self._run = self._begin()
            self._state = "open"
            try:
                with alone():
                    self._install()
            except BaseException:
                self._state = "closed"
                self._run.set_aside()
                raise
        finally:
            self._uncounted.made()
            if self._state != "open":
                self._uncounted.end()

    def close(self) -> None:
        """Restore the world and finish the tape.

        Raises:
            DivergenceError: the replay diverged (again, if the program swallowed it), or events are left over.
            RecordingError: the recording is not faithful; it was set aside as ``.failed``.
            TapeError: the tape cannot be written or read to its end.
        """
        if not self.is_open:
            return
        self._settle()
        with signals_held():
            self._restore()
            try:
                if self._mode is not None:
                    self._mode.finish()
                self._report_leaks()
            except BaseException:
                self._run.set_aside()
                raise
            self._run.keep()

    def abort(self, error: BaseException | None = None) -> None:
        """Restore the world after a block that raised; a recording is set aside as ``.failed``.

        Raises:
            DivergenceError: the replay diverged before, and ``error`` is not that divergence.
        """
        if not self.is_open:
            return
        if not isinstance(error, KeyboardInterrupt):
            self._settle()
        failure: TestbenchError | None = None
        with signals_held():
            self._restore()
            try:
                if self._mode is not None:
                    self._mode.finish()
            except TestbenchError as found:
                failure = found
            finally:
                self._run.set_aside()
        if failure is not None and failure is not error:
            self._after_failure(failure, error)

    def __enter__(self) -> Session:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self.abort(error)

    def _install(self) -> None:
        mode = self._mode
        with UndoStack() as stack:
            stack.callback(self._uncounted.end)
            if self._run.around is not None:
                stack.enter_context(self._run.around)
            if mode is None:
                self._stack = stack.pop_all()
                return
            stack.callback(hash_again)
            way = stack.enter_context(intercepting(self._run.interception))
            stack.enter_context(collector_callbacks_rest())
            hide_own_threads(stack)
            mode.lanes.install()
            stack.callback(mode.lanes.restore)
            if self._run.interception == "in-place" and mode.follows_locks:
                mode.locks.install(stack)
            at_once = Redirect(os._exit)
            stack.push(at_once)
            at_once.to(end_at_once)
            for recorder in self._run.recorders:
                stack.enter_context(recorder.install(self._call_for(mode, recorder.kind)))
            self._install_signals(mode, stack)
            hash_again()
            for name, where in way.not_followed():
                self._missed.note(name, None, where)
            beating = _beating(mode)
            if beating is not None:
                self._flusher = Flusher(beating, mode.lanes.ignore)
                self.resume()
                stack.callback(self.pause)
            ACTIVE.append(self)
            stack.callback(ACTIVE.remove, self)
            self._stack = stack.pop_all()

    def _call_for(self, mode: Recording | Replaying, kind: str) -> Call:
        call, places = mode.call_for(kind), self._run.places
        return call if places is None else PlacedCall(call, places, self._run.streaming.get(kind, ()))

    def _install_signals(self, mode: Recording | Replaying, stack: ExitStack) -> None:
        handlers = Handlers(mode.signals)
        mode.signals.follow(handlers)
        handlers.install(stack)

    def _settle(self) -> None:
        """Wait for lanes that have not come to their end; whoever is interrupted in that has nothing of the tape."""
        try:
            if self._mode is not None:
                self._mode.settle()
        except BaseException:
            with signals_held():
                self._restore()
                self._run.set_aside()
            raise

    def _restore(self) -> None:
        """Give the world back."""
        with alone():
            if self in ACTIVE and ACTIVE[-1] is not self:
                raise UsageError("sessions end in the reverse order in which they began; close the inner one first")
            self._state = "closed"
            self._stack.close()

    def _after_failure(self, failure: TestbenchError, error: BaseException | None) -> None:
        """Let a divergence win over the error that came of it; a consequence of the error is only a note to it."""
        if isinstance(failure, DivergenceError) and not isinstance(failure, LeftoverError):
            raise failure from error
        if error is not None:
            error.add_note(f"testbench: {failure}")

    def _report_leaks(self) -> None:
        leaks = self.leaks
        if not leaks or self._leaks == "ignore":
            return
        listed = "\n".join(f"  {leak}" for leak in leaks)
        text = f"not on the tape, so that a replay refuses it or goes on without it:\n{listed}"
        if self._leaks == "fail":
            raise RecordingError(text)
        warnings.warn(text, LeakWarning, stacklevel=4)

    def see_fork(self) -> None:
        """Be told of a fork; a recorder of processes sees its own, and without one a session has nothing to say."""
        if self._mode is not None and any(recorder.kind == "process" for recorder in self._run.recorders):
            self._mode.see_fork()

    def pause(self) -> None:
        """Be about to fork; see `testbench.sessions._active`."""
        if self._flusher is not None:
            self._flusher.stop()

    def resume(self) -> None:
        """Have forked, and be the parent."""
        if self._flusher is not None:
            self._flusher.start()

    def forked(self) -> None:
        """Be in the child of a fork: what happens here is not this session's."""
        assert self._mode is not None
        self._mode.abandon()
        self._state = "closed"
        self._stack.close()
