"""``os.urandom`` and ``os.getrandom``: bytes of the operating system, and all that the standard library makes of them.

That is ``secrets``, ``random.SystemRandom``, ``uuid.uuid4``, and the seeds of numpy. ``ssl.RAND_bytes`` is here too.
"""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from types import ModuleType
from typing import Any, Final

from testbench.inplace import Redirect
from testbench.protocol import Call, Matcher, Plain
from testbench.recorders._imports import Importing, when_imported
from testbench.recorders.randomness._pinned import Pinned

_URANDOM: Final = os.urandom
_GETRANDOM: Final = getattr(os, "getrandom", None)


def install_bytes(call: Call, stack: ExitStack, pinned: Pinned | None, importing: Importing) -> None:
    """Send both through ``call`` until the stack unwinds, except what a module takes that is being imported."""
    urandom = Redirect(_URANDOM)
    stack.push(urandom)
    urandom.to(_urandom(call, urandom.original, pinned, importing))
    if _GETRANDOM is not None:
        getrandom = Redirect(_GETRANDOM)
        stack.push(getrandom)
        getrandom.to(_getrandom(call, getrandom.original, pinned))
    when_imported("_ssl", stack, Importing(), lambda ssl: _install_ssl(call, stack, ssl, pinned))


def _install_ssl(call: Call, stack: ExitStack, ssl: ModuleType, pinned: Pinned | None) -> None:
    """Send ``ssl.RAND_bytes`` through ``call``: a generator of OpenSSL, which is seeded by the system in C."""
    rand_bytes = Redirect(ssl.RAND_bytes)
    stack.push(rand_bytes)
    original = rand_bytes.original
    ask = original if pinned is None else pinned.bytes

    def rand(size: Any) -> Any:
        amount = count(size)
        if amount <= 0:
            return original(size)
        return call("ssl_bytes", {"size": amount}, lambda: ask(amount), raises=(OSError, OverflowError))

    rand_bytes.to(rand)


def _urandom(
    call: Call, original: Callable[..., Any], pinned: Pinned | None, importing: Importing
) -> Callable[..., Any]:
    ask = original if pinned is None else pinned.bytes

    def urandom(size: Any) -> Any:
        amount = count(size)
        if amount <= 0 or importing.depth:
            return original(size)  # nothing is asked for: it answers, or raises, by itself
        return call("urandom", {"size": amount}, lambda: ask(amount), raises=(OSError, MemoryError, OverflowError))

    return urandom


def _getrandom(call: Call, original: Callable[..., Any], pinned: Pinned | None) -> Callable[..., Any]:
    def getrandom(size: Any, flags: Any = 0) -> Any:
        amount, how = count(size), count(flags)
        if amount <= 0 or how < 0:
            return original(size, flags)

        def effect() -> Plain:
            got: bytes = original(amount, how)  # wrong flags are refused as ever
            return got if pinned is None else pinned.bytes(len(got))

        request: dict[str, Plain] = {"size": amount, "flags": how}
        return call("getrandom", request, effect, raises=(OSError, MemoryError, OverflowError))

    return getrandom


def count(value: Any) -> int:
    """Return an integer as C code would take it, -1 where C code would refuse it."""
    try:
        return int(operator.index(value))
    except TypeError:
        return -1


def _same_size(recorded: Plain, live: Plain) -> str | None:
    if recorded == live:
        return None
    if not isinstance(recorded, dict) or not isinstance(live, dict) or recorded.get("size") == live.get("size"):
        return "the flags differ"
    return f"the program asks for {live.get('size')!r} random bytes, the tape holds {recorded.get('size')!r}"


MATCHERS: Final[Mapping[str, Matcher]] = dict.fromkeys(("urandom", "getrandom", "ssl_bytes"), _same_size)
