"""A marked generator function: each step of each of its generators is one crossing.

Nothing of a generator runs before its first step; so its arguments cross then, as an event of the function's own op,
whose outcome is the number that tells it from its siblings in every later event: ``.send`` (and ``next``), ``.throw``,
``.close``. A step's outcome is ``[how, value]``: it has ``yielded`` or ``returned`` something, or what was thrown into
it has ``passed`` through.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import attrs

from testbench.errors import UsageError
from testbench.protocol import Plain
from testbench.recorders.boundary._crossing import Open, cross, encoded, performed, sessions
from testbench.values import decode as decode_value


@attrs.define(eq=False)
class Steps:
    """One live generator, and how far it is.

    Attributes:
        op: the function's name on the tape.
        request: makes the request of the call that made this generator.
        encode: turns a yielded object into a value.
        decode: turns that value into an object again.
    """

    op: str
    request: Callable[[], Plain]
    encode: Callable[[Any], Any] | None
    decode: Callable[[Any], Any] | None
    _live: Generator[Any, Any, Any]
    _into: Open | None = None
    _number: Plain = None
    _made: int = 0  # steps that the program has seen
    _run: int = 0  # those that the live generator has made

    def run(self) -> Generator[Any, Any, Any]:
        """Be the generator that the program holds."""
        how, value = self._step("send", None, "", lambda: self._live.send(None))
        while how == "yielded":
            try:
                sent = yield value
            except GeneratorExit:
                self._close()
                raise
            except BaseException as thrown:
                how, value = self._throw(thrown)
                if how == "passed":
                    raise
            else:
                how, value = self._send(sent)
        return value

    def _send(self, sent: Any) -> tuple[str, Any]:
        return self._step("send", sent, f"what is sent into {self.op}", lambda: self._live.send(sent))

    def _throw(self, thrown: BaseException) -> tuple[str, Any]:
        told = [type(thrown).__qualname__, str(thrown)]
        return self._step("throw", told, "", lambda: self._live.throw(thrown), thrown)

    def _close(self) -> None:
        into = sessions()
        if into and into[-1] is self._into:
            self._step("close", None, "", self._live.close)
        else:  # no session has seen a step of it; whoever closes it may be the garbage collector, which nobody orders
            performed(self._live.close)

    def _step(
        self, verb: str, given: Any, what: str, work: Callable[[], Any], thrown: BaseException | None = None
    ) -> tuple[str, Any]:
        """Make one step: cross, or let the live generator make it where there is no session."""
        into = sessions()
        self._check(into)
        self._made += 1
        if not into:
            return self._advance(work, thrown)
        if self._into is not into[-1]:
            self._into = into[-1]
            self._number = cross(into, self.op, self.request, lambda: next(into[0].numbers))

        def request() -> Plain:
            return {"generator": self._number, "given": encoded(given, None, what)}

        def effect() -> Plain:
            how, value = performed(lambda: self._advance(work, thrown))
            encode = self.encode if how == "yielded" and verb != "close" else None
            return [how, encoded(value, encode, f"what {self.op} gave")]

        how, value = decode_value(cross(into, f"{self.op}.{verb}", request, effect))
        return how, self.decode(value) if self.decode and how == "yielded" and verb != "close" else value

    def _advance(self, work: Callable[[], Any], thrown: BaseException | None) -> tuple[str, Any]:
        self._run += 1
        try:
            return "yielded", work()
        except StopIteration as end:
            return "returned", end.value
        except BaseException as error:
            if error is thrown:
                return "passed", None
            raise

    def _check(self, into: list[Open]) -> None:
        """See that the live generator is where the program believes it to be."""
        if self._made != self._run and (not into or into[-1] is not self._into):
            raise UsageError(
                f"this generator of {self.op} was answered from a tape, and its session is over: nobody knows what it "
                "would give now. Read it to its end, or close it, inside the session"
            )
