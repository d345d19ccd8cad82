"""What users add to the usual rules, and take away from them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from testbench.errors import RecordingError, UsageError
from testbench.redaction import redactor


def shown(value: Any, redact: Any = True, values: Any = (), **options: Any) -> Any:
    """Return what becomes of a value under options."""
    made = redactor(redact, values, **options)
    return value if made is None else made.value(value)


@pytest.mark.parametrize("off", [False, "off"])
def test_off_means_nothing_is_redacted(off: Any) -> None:
    """Without redaction a password stays."""
    assert shown({"password": "hunter2"}, off) == {"password": "hunter2"}


def test_names() -> None:
    """A name, with stars where anything may stand, is that of a secret in structures and in texts."""
    assert shown({"PIN": "4711-22"}, ["pin"]) == {"PIN": "${1...}"}
    assert shown("MY_DSN=hunter2", ["*_DSN"]) == "MY_DSN=${1...}"
    assert shown(["x", "--pin", "4711-22"], ["pin"]) == ["x", "--pin", "${1...}"]


def test_patterns() -> None:
    """Of a regular expression the group is taken, or everything, in text and in bytes."""
    assert shown("id 4711-22 ok", [re.compile(r"\d{4}-\d\d")]) == "id ${1...} ok"
    assert shown(b"id 4711-22 ok", [re.compile(r"id (\S+)")]) == b"id ${1...} ok"
    assert shown("id 4711-22 ok", [r"id (?P<secret>\S+)"]) == "id ${1...} ok"


def test_functions() -> None:
    """A function returns the secrets that it knows in a text."""
    assert shown([b"say hunter2 twice, hunter2"], [lambda text: ["hunter2"] if "say" in text else []]) == [
        b"say ${1...} twice, ${1...}"
    ]


def test_values_and_how_they_are_written() -> None:
    """A value is found wherever it stands, also in base64 and percent-encoding."""
    given = ["hunter2hunter2", "p@ss w0rd"]
    assert shown("x hunter2hunter2 y", values=given) == "x ${SECRET:1...} y"
    assert "p%40ss%20w0rd" not in shown("?q=p%40ss%20w0rd", values=given)
    assert "cEBzcyB3MHJk" not in shown(b"blob cEBzcyB3MHJk end", values=given).decode()


def test_secrets_of_the_environment() -> None:
    """The values of variables with such names are found wherever they stand; those of others, and paths, are not."""
    environ = {"DEPLOY_TOKEN": "zq-83jsk-aa", "HOME": "/home/me77", "SSH_KEY": "/home/me77/key", "API_KEY": "true"}
    assert shown("zq-83jsk-aa /home/me77 true", environ=environ) == "${SECRET:1} /home/me77 true"


def _fails(text: str) -> list[str]:
    raise ValueError(text)


def test_a_redactor_that_raises_says_which_and_shows_nothing() -> None:
    """The error names the function and what it raised, not the text it was given."""
    with pytest.raises(RecordingError, match="_fails raised ValueError") as caught:
        shown("hunter2", [_fails])
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("wrong", ["password", 7, [7], ["(unclosed"], re.compile("x"), len])
def test_what_is_no_rule_is_refused(wrong: Any) -> None:
    """Options that mean nothing are errors that say what was expected."""
    with pytest.raises(UsageError, match="redact="):
        shown("x", wrong)


def test_a_function_that_returns_no_texts_is_refused() -> None:
    """What a function returns must be the secrets, as texts."""
    with pytest.raises(RecordingError, match="must return a list of texts"):
        shown("x", [lambda text: [7]])
