"""Where two requests differ."""

from __future__ import annotations

from testbench.errors import UsageError
from testbench.protocol import Matcher, Plain
from testbench.values import same


def exact(recorded: Plain, live: Plain) -> str | None:
    """Match only what is the same; the matcher of every op that has none of its own."""
    if same(recorded, live):
        return None
    names = [name for name, _, _ in differences(recorded, live)]
    return f"{', '.join(names)} {'differs' if len(names) == 1 else 'differ'}" if all(names) else "the requests differ"


def guarded(name: str, matcher: Matcher) -> Matcher:
    """Return a matcher whose own faults are named, and stick like a divergence: the next event is not taken.

    Args:
        name: kind and op that it is for.
        matcher: as a recorder gives it.
    """

    def match(recorded: Plain, live: Plain) -> str | None:
        try:
            return matcher(recorded, live)
        except Exception as error:
            raise UsageError(
                f"the matcher of {name} raised {type(error).__name__}: {error}; expected a text that says why two "
                "requests differ, or None. Nothing of the tape was used up; mend the matcher and replay again"
            ) from error

    return match


def differences(recorded: Plain, live: Plain) -> list[tuple[str, Plain, Plain]]:
    """Return (field, recorded, live) for each field that is not the same; one nameless field for plain requests."""
    if type(recorded) is not dict or type(live) is not dict:
        return [] if same(recorded, live) else [("", recorded, live)]
    names = [*recorded, *(name for name in live if name not in recorded)]
    return [
        (name, recorded.get(name), live.get(name))
        for name in names
        if name not in recorded or name not in live or not same(recorded[name], live[name])
    ]
