"""Waiting for a signal: ``signal.pause``, ``sigwait``, ``sigwaitinfo``, ``sigtimedwait``, and which are pending.

What a replay answers from the tape may have come really as well, because the program sent it to itself while it was
blocked; then it is taken out of what is pending, as the wait did.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the functions themselves; those of signal call them
import math
import operator
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final

from testbench.inplace import Redirect
from testbench.protocol import Call, Effect, Plain
from testbench.recorders.clock._still import StillWaits
from testbench.recorders.timer._hearing import hearing

_RAISES: Final = (OSError, ValueError, OverflowError)


class SignalWaits:
    """Waits for signals of one session.

    Args:
        call: the waist.
        still: who waits on the clock that the program lives on, if it stands still.
    """

    def __init__(self, call: Call, still: StillWaits | None) -> None:
        self._call = call
        self._still = still
        self._timed: Callable[..., Any]
        self._pending: Callable[[], Any]

    def install(self, stack: ExitStack) -> None:
        """Send them through the waist until the stack unwinds."""
        self._timed = self._redirect(stack, _signal.sigtimedwait, self._sigtimedwait)
        self._redirect(stack, _signal.sigwaitinfo, self._sigwaitinfo)
        self._redirect(stack, _signal.sigwait, self._sigwait)
        self._pending = self._redirect(stack, _signal.sigpending, self._sigpending)
        self._redirect(stack, _signal.pause, self._pause)

    def _redirect(self, stack: ExitStack, function: Any, body: Callable[..., Any]) -> Callable[..., Any]:
        redirect = Redirect(function)
        original = redirect.original
        stack.push(redirect)
        redirect.to(lambda *args: body(original, *args))
        return original

    def _pause(self, original: Callable[..., Any], *args: Any) -> None:
        if args:
            original(*args)  # raises
        still = self._still

        def effect() -> Plain:
            if still is None:
                original()
            else:
                hearing(lambda heard: still.wait_for_ever(heard, "a signal"), original)
            return None

        self._call("pause", {}, effect)

    def _sigwait(self, original: Callable[..., Any], *args: Any) -> Any:
        signals = _numbers(args[0]) if len(args) == 1 else None
        if signals is None:
            return original(*args)  # raises
        still = self._still

        def effect() -> Plain:
            info = None if still is None else self._until(still, signals, None)
            return original(signals) if info is None else int(info[0])

        return self._taken("sigwait", {"signals": [*signals]}, effect, lambda outcome: outcome)

    def _sigwaitinfo(self, original: Callable[..., Any], *args: Any) -> Any:
        signals = _numbers(args[0]) if len(args) == 1 else None
        if signals is None:
            return original(*args)  # raises
        still = self._still

        def effect() -> Plain:
            return [*(original(signals) if still is None else self._until(still, signals, None))]

        return _signal.struct_siginfo(self._taken("sigwaitinfo", {"signals": [*signals]}, effect, _first))

    def _sigtimedwait(self, original: Callable[..., Any], *args: Any) -> Any:
        signals, seconds = (_numbers(args[0]), _span(args[1])) if len(args) == 2 else (None, None)
        if signals is None or seconds is None:
            return original(*args)  # raises
        still = self._still

        def effect() -> Plain:
            info = original(signals, seconds) if still is None else self._until(still, signals, seconds)
            return None if info is None else [*info]

        request: Plain = {"signals": [*signals], "timeout": seconds}
        outcome = self._taken("sigtimedwait", request, effect, _first)
        return None if outcome is None else _signal.struct_siginfo(outcome)

    def _sigpending(self, original: Callable[..., Any], *args: Any) -> Any:
        if args:
            return original(*args)  # raises

        def effect() -> Plain:
            return [*sorted(map(int, original()))]

        outcome: Any = self._call("sigpending", {}, effect)
        return {*outcome}

    def _until(self, still: StillWaits, signals: list[int], seconds: float | None) -> Any:
        """Wait on the clock that stands still; return what the system tells of the signal, None if it did not come."""
        info: Any = None

        def attempt(slice_s: float) -> bool:
            nonlocal info
            info = self._timed(signals, slice_s)
            return info is not None

        if seconds is None:
            still.wait_for_ever(attempt, f"one of the signals {signals}")
        else:
            still.wait(still.past(seconds), attempt)
        return info

    def _taken(self, op: str, request: Plain, effect: Effect, number_of: Callable[[Any], Any]) -> Any:
        performed = False

        def perform() -> Plain:
            nonlocal performed
            performed = True
            return effect()

        outcome = self._call(op, request, perform, raises=_RAISES)
        number = number_of(outcome)
        if not performed and number is not None and number in self._pending():
            self._timed([number], 0)
        return outcome


def install_signals(call: Call, stack: ExitStack, still: StillWaits | None) -> None:
    """Send waits for signals through ``call`` until the stack unwinds."""
    SignalWaits(call, still).install(stack)


def _first(outcome: Any) -> Any:
    return None if outcome is None else outcome[0]


def _numbers(signals: Any) -> list[int] | None:
    """Return the numbers of a set of signals, in order; None where the original refuses it."""
    try:
        numbers = sorted({operator.index(number) for number in signals})
    except TypeError:
        return None
    return numbers if {*numbers} <= {*map(int, _signal.valid_signals())} else None


def _span(value: Any) -> float | None:
    """Return seconds as C code would take them, None where the original refuses them."""
    try:
        seconds = float.__pos__(value) if isinstance(value, float) else operator.index(value)
    except TypeError:
        return None
    return seconds if 0 <= seconds < math.inf and seconds * 1_000_000_000 < 2**63 else None
