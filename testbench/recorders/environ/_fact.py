"""One function without arguments whose answer is a fact."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final

import attrs

from testbench.inplace import Redirect
from testbench.protocol import Call, Plain
from testbench.recorders._asker import program_asks

_NOTHING: Final = object()


def itself(value: Any) -> Any:
    """Return what it is given."""
    return value


@attrs.frozen
class Fact:
    """A function; its name is the op.

    Attributes:
        function: the function.
        made: makes what it returns of what stands on the tape.
        plain: the other way round.
        of_machine: the standard library has no use of its own for it.
    """

    function: Callable[[], Any]
    made: Callable[[Any], Any] = itself
    plain: Callable[[Any], Plain] = itself
    of_machine: bool = True

    def install(self, call: Call, stack: ExitStack) -> None:
        """Send what the program asks of it through ``call`` until the stack is unwound."""
        redirect(stack, self.function, lambda original: self._asking(call, original))

    def _asking(self, call: Call, original: Callable[[], Any]) -> Callable[[], Any]:
        op, last = self.function.__name__, _NOTHING
        known = call.foretold(op)
        told = self.made(known[0][1]) if known else _NOTHING

        def ask() -> Any:
            nonlocal last
            try:
                live = original()
            except OSError:
                live = None  # it is raised again below, where it may be told
            if live == last:
                return live  # what is told is true here: it does not matter who asks
            if not call.follows() or not program_asks(of_machine=self.of_machine):
                return original()
            if told is not _NOTHING:
                return told
            last = self.made(call.fact(op, None, lambda: self.plain(original()), raises=(OSError,)))
            return last

        return ask


def redirect(
    stack: ExitStack, function: Callable[..., Any], made: Callable[[Callable[..., Any]], Callable[..., Any]]
) -> None:
    """Route a function to what is made of its original, until the stack is unwound."""
    one = Redirect(function)
    stack.push(one)
    one.to(made(one.original))
