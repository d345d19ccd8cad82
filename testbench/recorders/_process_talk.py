"""``Popen.communicate``, step by step as CPython does it, with one crossing in the place of all that reaches the world.

CPython has two ways. The *short* one (no timeout, at most one pipe) goes through the stream object, with its buffer and
decoder; the *long* one goes past them, by descriptor, and decodes what it has collected. They differ in what a program
sees after reading or writing piecemeal, after a timeout, and for bytes that cannot be decoded; so both are kept.
"""

from __future__ import annotations

import subprocess
from typing import Any, Final

import attrs

from testbench.protocol import Plain
from testbench.recorders._process_child import Child, Outcome
from testbench.recorders._process_children import Children
from testbench.recorders._process_world import STREAMS

RAISES: Final = (OSError, ValueError, OverflowError)


@attrs.frozen
class Talk:
    """One call of ``communicate``."""

    _children: Children
    _face: Any
    _child: Child

    def communicate(self, given: Any, timeout: Any) -> tuple[Any, Any]:
        """Return what ``Popen.communicate(given, timeout)`` returns.

        Raises:
            subprocess.TimeoutExpired, ValueError, TypeError, UnicodeError: as CPython does.
        """
        face = self._face
        if face._communication_started and given:
            raise ValueError("Cannot send input after starting communication")
        pipes = [face.stdin, face.stdout, face.stderr]
        if timeout is None and not face._communication_started and pipes.count(None) >= 2:
            return self._short(given)
        return self._long(given, timeout)

    def _short(self, given: Any) -> tuple[Any, Any]:
        face, sent = self._face, None
        if face.stdin:
            sent = self._collect(given)
        for stream in (face.stdout, face.stderr):
            if stream and stream.closed:
                stream.read()  # raises, as it does for CPython
        outcome = self._cross(sent, None)
        received = {name: self._read(name, outcome) for name in ("stdout", "stderr")}
        self._close_except(())
        if outcome is not None:
            face.returncode = outcome.get("returncode")
        return received["stdout"], received["stderr"]

    def _collect(self, given: Any) -> bytes:
        """Return what the program's stdin object makes of the input."""
        stdin = self._face.stdin
        with self._child.pipes["stdin"].collecting() as sent:
            if given:
                stdin.write(given)
            if not stdin.closed:
                stdin.flush()
        return b"".join(sent)

    def _read(self, name: str, outcome: Outcome | None) -> Any:
        stream = getattr(self._face, name)
        if not stream:
            return None
        self._child.pipes[name].receive((outcome or {}).get(name) or b"")
        return stream.read()

    def _long(self, given: Any, timeout: Any) -> tuple[Any, Any]:
        face, child = self._face, self._child
        seconds = as_number(timeout)
        try:
            sent = self._encode(given) if face.stdin and not face._communication_started else None
        finally:
            face._communication_started = True
        outcome = self._cross(sent, seconds)
        if outcome is not None:
            child.hear(outcome)
            self._close_except(outcome.get("open", ()))
            face.returncode = outcome.get("returncode")
            if outcome.get("timeout"):
                raise self._expired(outcome, timeout)
        return self._decoded("stdout"), self._decoded("stderr")

    def _encode(self, given: Any) -> bytes:
        """Return what is left in the buffer of stdin, and the input encoded."""
        face = self._face
        with self._child.pipes["stdin"].collecting() as sent:
            face.stdin.flush()
        face._save_input(given)
        return b"".join(sent) + bytes(memoryview(face._input) if face._input else b"")

    def _decoded(self, name: str) -> Any:
        stream = getattr(self._face, name)
        if stream is None:
            return None
        data = self._child.total(name) or b""
        return self._face._translate_newlines(data, stream.encoding, stream.errors) if self._face.text_mode else data

    def _cross(self, sent: bytes | None, timeout: float | None) -> Outcome | None:
        """Make the crossing; None if nothing is left to observe."""
        face, child = self._face, self._child
        if face.returncode is not None and all(getattr(face, name).closed for name in child.pipes):
            return None
        request: Plain = {"child": self._children.reference(child.name), "input": sent, "timeout": timeout}
        outcome = self._children.cross("communicate", request, lambda: child.converse(sent, timeout), raises=RAISES)
        child.observed(outcome)
        return outcome

    def _close_except(self, still_open: Any) -> None:
        for name in STREAMS:
            stream = getattr(self._face, name)
            if stream is not None and name in self._child.pipes and name not in still_open:
                stream.close()

    def _expired(self, outcome: Outcome, timeout: Any) -> subprocess.TimeoutExpired:
        if "after_s" in outcome:
            return subprocess.TimeoutExpired(self._face.args, outcome["after_s"])
        out, err = self._child.total("stdout"), self._child.total("stderr")
        return subprocess.TimeoutExpired(self._face.args, timeout, output=out, stderr=err)


def as_number(timeout: Any) -> float | None:
    """Return a timeout as it goes into a request, seconds.

    Raises:
        TypeError: it is no number, as CPython finds when it adds it to a clock.
    """
    if timeout is None or type(timeout) in (int, float):
        return timeout  # type: ignore[no-any-return]  # the line above says so
    return float(0.0 + timeout)
