"""One recorded child: the two halves of its Popen, its name, and what has been heard of it."""

from __future__ import annotations

import subprocess
import weakref
from typing import Any, Final, cast

import attrs

from testbench.errors import UnsupportedError
from testbench.protocol import Plain
from testbench.recorders.process._outputs import Outputs

Outcome = dict[str, Any]

_MOST: Final = 1 << 28
"""An outcome carries so many bytes of each pipe, and says when there is more: no event on a tape may be over 1 GiB."""


@attrs.define(eq=False)
class Name:
    """Who a child is, for as long as the session lasts; requests and pids lead here.

    Attributes:
        number: it is the so-manieth recorded child that its thread started, from 1.
        spawner: stands for that thread.
        pid: the pid that the program was told.
        real_pid: the pid that the operating system knows, 0 if there is no process: set by the effect that started it.
        taped: its spawn is an event; False for a child of somebody else's effect.
        face: the program's Popen.
        outputs: open files that it shares with the program.
        alone: the child itself, from its start to its end, if it has no Popen.
    """

    number: int = 0
    spawner: object = None
    pid: int = 0
    real_pid: int = 0
    taped: bool = False
    face: weakref.ref[Any] | None = None
    outputs: weakref.ref[Outputs] | None = None
    alone: Child | None = None

    def check_real(self) -> None:
        """Be called by every effect that is about to touch the child.

        Raises:
            UnsupportedError: there is no process, because its spawn was answered from a tape.
        """
        if not self.real_pid:
            raise UnsupportedError(
                f"child {self.number} (pid {self.pid}) was replayed, so there is no process to go on with; record the "
                "tape again from the beginning, or wait for the child before the session ends"
            )


@attrs.define(eq=False)
class Child:
    """A child of the program.

    Attributes:
        name: who it is.
        outputs: open files that it shares with the program.
        pipes: our raw streams under those of the face, by name; fixed when it started.
        world: the world's half, made by the effect that starts it; see `testbench.recorders.process._world`.
        heard: per pipe, all that ``communicate`` has brought so far.
        abandoned: the program has lost sight of it, and CPython has looked once whether it had ended.
    """

    name: Name
    outputs: Outputs
    pipes: dict[str, Any]
    world: Any = None
    heard: dict[str, list[bytes]] = attrs.Factory(dict)
    abandoned: bool = False
    _unsaid: dict[str, memoryview] = attrs.Factory(dict)

    def __attrs_post_init__(self) -> None:
        self.name.outputs = weakref.ref(self.outputs)

    # Effects: what is done to the real process. Each returns an outcome.

    def converse(self, data: bytes | None, timeout: float | None, without: list[str]) -> Outcome:
        """Send, receive and wait, as ``Popen.communicate`` does.

        Args:
            data: what to send.
            timeout: seconds.
            without: pipes that the program has taken away from its Popen: CPython's way depends on their number.
        """
        self.name.check_real()
        hidden = {name: getattr(self.world, name) for name in without}
        vars(self.world).update(dict.fromkeys(hidden))
        try:
            out, err = self.world.communicate(data or None, timeout)
        except subprocess.TimeoutExpired as error:
            return self._expired(error, timeout)
        finally:
            vars(self.world).update(hidden)
        return {
            **self._fresh(out, err),
            "returncode": self.world.returncode,
            "timeout": False,
            **self._left_open(),
            **self._taken(),
        }

    def wait(self, timeout: float | None) -> Outcome:
        """Wait for the end, as ``Popen.wait`` does."""
        self.name.check_real()
        expired = False
        try:
            self.world.wait(timeout)
        except subprocess.TimeoutExpired:
            expired = True
        return {"returncode": self.world.returncode, "timeout": expired, **self._taken()}

    def poll(self) -> Outcome:
        """Look whether it has ended, as ``Popen.poll`` does."""
        self.name.check_real()
        self.world._internal_poll()
        return {"returncode": self.world.returncode, **self._taken()}

    def signal(self, number: int) -> Outcome:
        """Send a signal unless it has ended, as ``Popen.send_signal`` does."""
        self.name.check_real()
        self.world.send_signal(number)
        return {"returncode": self.world.returncode, **self._taken()}

    def _expired(self, error: subprocess.TimeoutExpired, timeout: float | None) -> Outcome:
        out, err = cast("bytes | None", error.output), error.stderr
        fresh = self._fresh(out, err)
        # When all pipes are at their end and only the process goes on, CPython raises with the time that was left and
        # without the output.
        left = {} if error.timeout is timeout else {"after_s": float(error.timeout)}
        return {**fresh, "returncode": None, "timeout": True, **left, **self._left_open(), **self._taken()}

    def rest(self) -> Outcome:
        """Return what the last outcome, or the last one of this, has left: of pipes and of files."""
        found = self.outputs.rest()
        for name, data in list(self._unsaid.items()):
            found[name] = self._piece(name, data)
        return {**found, "more": True} if self._unsaid else found

    def _fresh(self, *totals: bytes | None) -> Outcome:
        """Return what is new in the two outputs: CPython gives everything since the first call each time."""
        found: Outcome = {}
        for name, total in zip(("stdout", "stderr"), totals, strict=True):
            known = sum(map(len, self.heard.get(name, ())))
            found[name] = self._piece(name, memoryview(total)[known:]) if total else total
        return {**found, "more": True} if self._unsaid else found

    def _piece(self, name: str, data: memoryview) -> bytes:
        self._unsaid.pop(name, None)
        if len(data) > _MOST:
            self._unsaid[name] = data[_MOST:]
        return bytes(data[:_MOST])

    def _left_open(self) -> Outcome:
        still = [name for name in self.pipes if _is_open(getattr(self.world, name))]
        return {"open": cast("Plain", still)} if still else {}

    def _taken(self) -> dict[str, Plain]:
        return self.outputs.take(ended=self.world.returncode is not None)

    # What both kinds of children do with an outcome.

    def hear(self, outcome: Outcome) -> None:
        """Take over what an outcome of ``communicate`` brought through the pipes."""
        for name in ("stdout", "stderr"):
            if name in self.pipes and outcome.get(name) is not None:
                self.heard.setdefault(name, []).append(outcome[name])

    def total(self, name: str) -> bytes | None:
        """Return all that ``communicate`` has brought through one pipe so far; None if it has not read there at all."""
        parts = self.heard.get(name)
        return None if parts is None else b"".join(parts) if len(parts) != 1 else parts[0]


def _is_open(stream: Any) -> bool:
    return stream is not None and not stream.closed
