"""Names of what is likely to be a secret."""

from __future__ import annotations

import pytest

from testbench.redaction import looks_secret


@pytest.mark.parametrize(
    "name",
    [
        *("GITHUB_TOKEN", "aws_secret_access_key", "DB_PASSWORD", "MYSQL_PWD", "API_KEY", "HTTP_AUTH", "SSH_PRIVATE"),
        *(
            "accountKey",
            "KEY",
            "--api-key",
            "SESSION_ID",
            "COOKIE",
            "GOOGLE_APPLICATION_CREDENTIALS",
            "apikey",
            "DB_PASS",
        ),
    ],
)
def test_a_name_looks_like_a_secret(name: str) -> None:
    """By a part that means nothing else, or by a word."""
    assert looks_secret(name)


@pytest.mark.parametrize("name", ["PWD", "OLDPWD", "AUTHOR", "KEYBOARD", "MONKEY", "LANG", "PATH", "PASSENGER", ""])
def test_an_ordinary_name_is_no_secret(name: str) -> None:
    """Words count, not letters."""
    assert not looks_secret(name)
