"""The locale: what ``setlocale(3)`` says, and makes of the environment; a replay lives in that of the recording."""

from __future__ import annotations

import _locale  # the function itself; those of locale call it
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final

from testbench.protocol import Call, Plain
from testbench.recorders._asker import program_asks
from testbench.recorders.environ._fact import redirect

_OP: Final = "setlocale"
_ERROR: Final[type[Exception]] = _locale.Error  # type: ignore[attr-defined]  # `locale.Error`, missing in the stubs


def install_locale(call: Call, stack: ExitStack) -> None:
    """Tell the locale until the stack is unwound."""
    redirect(stack, _locale.setlocale, lambda original: _asking(call, original))


def _asking(call: Call, original: Callable[..., str]) -> Callable[..., Any]:
    changes = 0

    def ask(category: Any, locale: Any = None, /) -> Any:
        nonlocal changes
        plain = type(category) is int and (locale is None or type(locale) is str)
        if not plain or not call.follows() or not program_asks():
            return original(category, locale)
        request: Plain = {"category": category, "locale": locale, "changes": changes}
        told = call.fact(_OP, request, lambda: original(category, locale), raises=(_ERROR,))
        if locale is not None:
            changes += 1
            _live_in(call, original, category, told)
        return told

    return ask


def _live_in(call: Call, original: Callable[..., str], category: int, told: Plain) -> None:
    """Set the locale of the recording where it is another one than what the environment gives here."""
    try:
        if original(category) != told:
            original(category, told)
    except _ERROR:
        request: Plain = {"category": category, "locale": told}
        call.leak(_OP, request, lambda: None, instead="install the locale of the recording, or record again")
