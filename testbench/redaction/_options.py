"""The redactor that a session's options ask for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

from testbench.errors import UsageError
from testbench.redaction._redactor import Redactor
from testbench.redaction._rules import Rule, rules
from testbench.redaction._secrets import Secrets, environment_secrets
from testbench.redaction._spans import Span

Redact: TypeAlias = bool | str | Iterable[Rule]
"""``True`` for the usual rules, ``False`` or ``"off"`` for none, or rules that are added to the usual ones."""

_ELSEWHERE: Final = 1_000_000
"""Secrets that a replay meets, and its tape does not hold, have numbers that no tape has."""


def redactor(
    redact: Redact,
    values: Iterable[str | bytes] = (),
    *,
    environ: Mapping[str, str] | None = None,
    replaying: bool = False,
    first: int = 0,
    found: Callable[[tuple[str, ...], Span], None] | None = None,
) -> Redactor | None:
    """Return the redactor of one session, None if nothing is to be redacted.

    Args:
        redact: see `Redact`.
        values: secrets, to be redacted wherever they stand.
        environ: variables; those that are secrets by their names are redacted wherever they stand.
        replaying: there is a tape that has placeholders already.
        first: the number before that of the first secret.
        found: told of each secret that is replaced, and where.

    Raises:
        UsageError: an option is wrong.
    """
    if redact is False or redact in ("off", None):
        if list(values):
            raise UsageError("redact_values= has no meaning where redact= is off; give one or the other")
        return None
    secrets = Secrets(_ELSEWHERE if replaying else first, replaying=replaying)
    for value in environment_secrets(environ or {}):
        secrets.remember(value, lasting=True)
    for secret in values:
        secrets.remember(secret, always=True, lasting=True)
    return Redactor(secrets, rules(_listed(redact)), found=found)


def check_redact(redact: Any) -> Any:
    """Return what is given as ``redact=`` so that it can be read more than once.

    Raises:
        UsageError: it is none of what `Redact` names.
    """
    if isinstance(redact, bool) or redact in ("on", "off"):
        return redact != "off" and redact is not False
    given = _listed(redact)
    rules(given)
    return given


def as_values(values: Any) -> tuple[str | bytes, ...]:
    """Return what is given as ``redact_values=``.

    Raises:
        UsageError: it is one text, and not a list of them; or one of them is no text, or empty.
    """
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise UsageError("redact_values= is a list of texts: redact_values=[os.environ['DB_PASS']]")
    given = tuple(values)
    for value in given:
        if not isinstance(value, (str, bytes)) or not value:
            raise UsageError(f"redact_values= holds {type(value).__name__}; expected texts that are not empty")
    return given


def _listed(redact: Redact) -> tuple[Rule, ...]:
    if redact is True or redact == "on":
        return ()
    if isinstance(redact, (str, bytes, re.Pattern)) or callable(redact) or not isinstance(redact, Iterable):
        raise UsageError(f"redact={redact!r} is no list of rules; expected True, False, or a list")
    return tuple(redact)
