"""Finding secrets in one text: shapes, names, URLs, headers, keys; and leaving alone what only talks of secrets."""

from __future__ import annotations

import pytest

from testbench.redaction import Redactor, redactor
from tests.redaction.planted import in_texts, passwords, private_key, tokens

PLANTED = passwords(60)


def fresh() -> Redactor:
    """Return a redactor with the usual rules, as a session has it."""
    made = redactor(True)
    assert made is not None
    return made


@pytest.mark.parametrize("form", ["{}", "got {}, thanks", "x={}", "'{}'", "%7B{}", "a\\n{}"])
@pytest.mark.parametrize("token", tokens(), ids=lambda token: token[:8])
def test_tokens_are_known_by_their_looks(token: str, form: str) -> None:
    """A token of a known shape is replaced wherever it stands, in text and in bytes, by as many characters."""
    text = form.format(token)
    for given in (text, text.encode()):
        shown = fresh().value(given, eager=False)
        assert isinstance(shown, (str, bytes))
        assert token not in str(shown)
        assert len(shown) == len(given)


@pytest.mark.parametrize("eager", [True, False])
@pytest.mark.parametrize(("password", "text"), list(zip(PLANTED, in_texts(PLANTED), strict=True)))
def test_passwords_are_known_by_the_names_before_them(password: str, text: str, eager: bool) -> None:
    """What stands under the name of a secret is replaced, and what is around it stays as it is."""
    shown = fresh().value(text, eager=eager)
    assert isinstance(shown, str)
    assert password not in shown
    assert len(shown) == len(text)
    assert shown.startswith(text[: text.index(password)])


@pytest.mark.parametrize("password", ["W*1CcSQx_p0D7T9", "z#By4.6*Sq^Q3", "a[Xk29fQwe]7"])
def test_a_password_with_the_marks_of_code_is_one(password: str) -> None:
    """Passwords that were made by machines hold stars and brackets."""
    assert password not in str(fresh().value(f"password: {password}\n", eager=False))


@pytest.mark.parametrize(
    "code",
    [
        "if token == 0x08:\n",
        "token = tokens[0]*b2",
        "c = ('AUTH', 'SELECTED')",
        'd = {"password": auth[1]}',
        "key=*p2->key",
    ],
)
def test_code_holds_no_passwords(code: str) -> None:
    """What a name of a secret is given in source code stays."""
    assert fresh().value(code, eager=False) == code


@pytest.mark.parametrize("name", ["RSA", "EC", "OPENSSH", "ENCRYPTED"])
def test_private_keys_keep_their_lines(name: str) -> None:
    """The body of a private key is replaced, and line ends stay where they were."""
    key = private_key(name)
    shown = fresh().text(f"before\n{key}after\n")
    assert not any(line in shown for line in key.splitlines()[1:-1])
    assert [len(line) for line in shown.splitlines()] == [len(line) for line in f"before\n{key}after\n".splitlines()]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (["mysql", "--password", "hunter2"], ["mysql", "--password", "${1...}"]),
        (["mysql", "-phunter2", "app"], ["mysql", "-p${1...}", "app"]),
        (["curl", "-u", "me:hunter22", "https://example.org"], ["curl", "-u", "${SECRET:1}", "https://example.org"]),
        (["docker", "run", "-p", "8080:80"], ["docker", "run", "-p", "8080:80"]),
        ({"DB_PASSWORD": "hunter2", "HOME": "/home/me"}, {"DB_PASSWORD": "${1...}", "HOME": "/home/me"}),
        ({"Authorization": "Bearer hunter2hunter2"}, {"Authorization": "Bearer ${SECRET:1...}"}),
        ({"name": "API_KEY", "value": "hunter2"}, {"name": "API_KEY", "value": "${1...}"}),
        ({"$dict": [["password", "hunter2"], ["user", "me"]]}, {"$dict": [["password", "${1...}"], ["user", "me"]]}),
        ({"password": b"hunter2"}, {"password": b"${1...}"}),
        ({"password": {"$bytearray": b"hunter2"}}, {"password": {"$bytearray": b"${1...}"}}),
        ({"password": None, "token": 7, "secret": True}, {"password": None, "token": 7, "secret": True}),
        ({"pin": "12"}, {"pin": "12"}),
        ({"password": "abc"}, {"password": "***"}),
    ],
)
def test_names_in_structures(value: object, shown: object) -> None:
    """Options, keys, header names and pairs of name and value give away what belongs to them."""
    assert fresh().value(value) == shown  # type: ignore[arg-type]  # plain


@pytest.mark.parametrize(
    "text",
    [
        "PWD=/home/me",
        "http://localhost:8080/path",
        "token = self.next_token()",
        "def login(user: str, password: str) -> None:",
        "  --password PASSWORD   the password",
        "Enter your password: ",
        "sorted(rows, key=lambda row: row.key)",
        "SSH_KEY=/home/me/.ssh/id_ed25519",
        "PASSWORD=$DB_PASSWORD",
        'password = "{}"',
        "TOKEN=${TOKEN}",
        "commit 33f1d36a9bf8a0d43bd0f8b5c0bd1f66d5e3a7a1",
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "b2c7a3c4-6f3f-4a67-9d6b-0d3d7f1a1d11",
        "-----BEGIN CERTIFICATE-----\nMIIDdzCCAl+gAwIBAgIEAgAAuTANBgkqhkiG9w0BAQUFADBa\n-----END CERTIFICATE-----",
        "npm_config_user_agent npm_lifecycle_event",
    ],
)
def test_what_only_talks_of_secrets_stays(text: str) -> None:
    """Code, manuals, paths, hashes and references to variables are no secrets."""
    assert fresh().value(text, eager=False) == text


def test_redacting_again_changes_nothing() -> None:
    """A text with placeholders is left as it is, so that what was redacted can be recorded again."""
    texts = [*in_texts(PLANTED), *tokens(), private_key()]
    for text in texts:
        for eager in (True, False):
            once = fresh().value(text, eager=eager)
            assert fresh().value(once, eager=eager) == once


def test_one_secret_has_one_placeholder() -> None:
    """A password that was seen under its name is replaced by the same text where it stands without one."""
    seen = fresh()
    first = seen.value({"password": "corr3ct-horse"})
    assert first == {"password": "${SECRET:1..}"}
    assert seen.value("corr3ct-horse") == "${SECRET:1..}"
    assert seen.value(b"echo corr3ct-horse!") == b"echo ${SECRET:1..}!"
    assert seen.redactions == 3


def test_numbers_are_given_in_order_of_first_sight() -> None:
    """The second secret is number 2; the placeholder tells nothing but order and length."""
    seen = fresh()
    assert seen.value(["--token", "first-secret-1", "--password", "second-secret2"]) == [
        "--token",
        "${SECRET:1...}",
        "--password",
        "${SECRET:2...}",
    ]
