"""The process-tape JSON of harn: an array of finished processes, read strictly and written the same each time."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from attrs import asdict, field, fields, frozen

from testbench.errors import UsageError


@frozen(kw_only=True)
class HarnProcess:
    """One finished process; every field has the value that a missing one stands for.

    Attributes:
        program: what was run, as it was given.
        args: its arguments, without the program.
        cwd: working directory; None when it does not matter.
        env: environment variables that were set for it.
        stdout: what it wrote, as text.
        stderr: what it wrote there, as text.
        exit_code: its exit status, negative for the signal that ended it.
        duration_ms: how long it ran, in milliseconds.
    """

    program: str = ""
    args: list[str] = field(factory=list)
    cwd: str | None = None
    env: dict[str, str] = field(factory=dict)
    stdout: str = ""
    stderr: str = ""
    exit_code: int = 0
    duration_ms: float = 0


def loads(content: bytes, source: str) -> list[HarnProcess]:
    """Read an array of processes.

    Args:
        content: the file; empty, or only white space, is an empty tape.
        source: its name, for errors.

    Raises:
        UsageError: it is not UTF-8, not JSON, or not of this form; the text names the process and the field.
    """
    try:
        text = content.decode("utf-8-sig")
        if not text.strip():
            return []
        data = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:  # bad UTF-8 and bad JSON are both ValueError
        raise UsageError(f"{source} is not a JSON file in UTF-8: {error}") from error
    if not isinstance(data, list):
        raise UsageError(f"{source} holds {_name(data)}; expected an array of processes: [{{...}}, ...]")
    return [_process(item, f"{source}: process {index}") for index, item in enumerate(data)]


def dumps(processes: list[HarnProcess]) -> str:
    """Write an array of processes: two spaces of indent, fields in the order of the form, characters as they are."""
    return json.dumps([asdict(process) for process in processes], ensure_ascii=False, indent=2) + "\n"


def _process(item: Any, where: str) -> HarnProcess:
    if not isinstance(item, dict):
        raise UsageError(f"{where} is {_name(item)}; expected an object")
    for key, value in item.items():
        check = _CHECKS.get(key)
        if check is None:
            raise UsageError(f"{where} has an unknown field {key!r}; expected {', '.join(_CHECKS)}")
        problem = check(value)
        if problem:
            raise UsageError(f"{where}, field {key!r}: expected {problem}, not {_name(value)}")
    return HarnProcess(**item)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        return "a string"
    return "" if _is_unicode(value) else "a string without lone surrogates, which have no bytes"


def _text_or_null(value: Any) -> str:
    return "" if value is None else _text(value).replace("string", "string or null", 1)


def _texts(value: Any) -> str:
    return "" if isinstance(value, list) and not any(map(_text, value)) else "an array of strings"


def _named_texts(value: Any) -> str:
    good = isinstance(value, dict) and not any(_text(key) or _text(item) for key, item in value.items())
    return "" if good else "an object of strings"


def _status(value: Any) -> str:
    good = type(value) is int and -(2**31) <= value < 2**31
    return "" if good else "an integer of 32 bits"


def _milliseconds(value: Any) -> str:
    good = type(value) in (int, float) and 0 <= value < 2**53
    return "" if good else "a number of milliseconds, not negative"


_CHECKS: Final[dict[str, Callable[[Any], str]]] = {
    "program": _text,
    "args": _texts,
    "cwd": _text_or_null,
    "env": _named_texts,
    "stdout": _text,
    "stderr": _text,
    "exit_code": _status,
    "duration_ms": _milliseconds,
}
assert tuple(_CHECKS) == tuple(attribute.name for attribute in fields(HarnProcess))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError(f"an object with the keys {[key for key, _ in pairs]} has one of them twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _name(value: Any) -> str:
    """Name a JSON value in JSON's own words."""
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), f"the number {value}" if type(value) in (int, float) else "something else")
