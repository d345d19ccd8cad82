"""``Popen.communicate``, step by step as CPython does it, with one crossing in the place of all that reaches the world.

CPython has two ways. The *short* one (no timeout, at most one pipe) goes through the stream object, with its buffer and
decoder; the *long* one goes past them, by descriptor, and decodes what it has collected. They differ in what a program
sees after reading or writing piecemeal, after a timeout, and for bytes that cannot be decoded; so both are kept.
"""

from __future__ import annotations

import contextlib
import subprocess
from contextlib import AbstractContextManager
from typing import Any, Final

import attrs

from testbench.errors import UnsupportedError
from testbench.protocol import Plain
from testbench.recorders.process._child import Child, Outcome
from testbench.recorders.process._children import Children

RAISES: Final = (OSError, ValueError, OverflowError)


@attrs.define
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
        streams = [face.stdin, face.stdout, face.stderr]
        if timeout is None and not face._communication_started and streams.count(None) >= 2:
            return self._short(given)
        return self._long(given, timeout)

    def _short(self, given: Any) -> tuple[Any, Any]:
        face, busy, sent = self._face, self._is_busy(), None
        if face.stdin:
            with self._collecting() as parts:
                face._stdin_write(given)
            sent = b"".join(parts)
        for stream in (face.stdout, face.stderr):
            if stream and stream.closed:
                stream.read()  # raises, as it does for CPython
        outcome = self._cross(sent, None) if busy else {}
        received = {name: self._read(name, outcome) for name in ("stdout", "stderr")}
        self._close_except(("stdin",))
        if busy:
            face.returncode = outcome.get("returncode")
        return received["stdout"], received["stderr"]

    def _read(self, name: str, outcome: Outcome) -> Any:
        stream, pipe = getattr(self._face, name), self._child.pipes.get(name)
        if pipe is not None:
            pipe.receive(outcome.get(name) or b"")
        return stream.read() if stream else None

    def _long(self, given: Any, timeout: Any) -> tuple[Any, Any]:
        face, child, busy = self._face, self._child, self._is_busy()
        self._check_ours()
        seconds = as_number(timeout)
        try:
            sent = self._encode(given) if face.stdin and not face._communication_started else None
        finally:
            face._communication_started = True
        if busy:
            outcome = self._cross(sent, seconds)
            child.hear(outcome)
            self._close_except(outcome.get("open", ()))
            face.returncode = outcome.get("returncode")
            if outcome.get("timeout"):
                raise self._expired(outcome, timeout)
        return self._decoded("stdout"), self._decoded("stderr")

    def _encode(self, given: Any) -> bytes:
        """Return what is left in the buffer of stdin, and the input encoded."""
        face = self._face
        with self._collecting() as parts, contextlib.suppress(BrokenPipeError):  # as CPython does
            face.stdin.flush()
        face._save_input(given)
        return b"".join(parts) + bytes(memoryview(face._input) if face._input else b"")

    def _collecting(self) -> AbstractContextManager[list[bytes]]:
        pipe = self._child.pipes.get("stdin")
        return contextlib.nullcontext([]) if pipe is None else pipe.collecting()

    def _is_busy(self) -> bool:
        """Tell whether anything is left to observe."""
        return self._face.returncode is None or not all(pipe.closed for pipe in self._child.pipes.values())

    def _check_ours(self) -> None:
        for name in ("stdout", "stderr"):
            if getattr(self._face, name) is not None and name not in self._child.pipes:
                raise UnsupportedError(
                    f"this child has no pipe for its {name}, and the program has put a stream there: how communicate() "
                    f"reads that cannot be recorded. Give Popen {name}=PIPE, or read the stream yourself."
                )

    def _cross(self, sent: bytes | None, timeout: float | None) -> Outcome:
        child = self._child
        request: Plain = {"child": self._children.reference(child.name), "input": sent, "timeout": timeout}

        def effect() -> Plain:
            closed = [name for name in child.pipes if getattr(self._face, name) is None]
            return self._children.timed(timeout, lambda: child.converse(sent, timeout, closed))

        try:
            outcome = self._children.cross("communicate", request, effect, raises=RAISES)
        finally:
            if self._face.stdin and self._face.stdin.closed and "stdin" in child.pipes:
                child.pipes["stdin"].close_real()
        self._children.observed(child, outcome)
        return outcome

    def _decoded(self, name: str) -> Any:
        stream = getattr(self._face, name)
        if stream is None:
            return None
        data = self._child.total(name) or b""
        return self._face._translate_newlines(data, stream.encoding, stream.errors) if self._face.text_mode else data

    def _close_except(self, still_open: Any) -> None:
        face = self._face
        if face.stdin and "stdin" not in still_open:
            with contextlib.suppress(BrokenPipeError):  # as CPython does
                face.stdin.close()
        if face.stdout and "stdout" not in still_open:
            face.stdout.close()
        if face.stderr and "stderr" not in still_open:
            face.stderr.close()

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
