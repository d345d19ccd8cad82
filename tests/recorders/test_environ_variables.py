"""Variables of the environment: which are told, which never, and what a program does with them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import testbench
from testbench.errors import UsageError
from testbench.recorders._environ_names import holds_password, looks_secret

HERE = {"TZ": "Mars/Olympus", "LANG": "tlh", "CI": None, "APP_MODE": "fast", "APP_TOKEN": "hush-hush-17", "LINES": "5"}
THERE = {"TZ": None, "LANG": "vul", "CI": "1", "APP_MODE": "slow", "APP_TOKEN": "other", "LINES": None}


def set_all(patch: pytest.MonkeyPatch, values: dict[str, str | None]) -> None:
    """Set the variables, or delete them."""
    for name, value in values.items():
        patch.delenv(name, raising=False) if value is None else patch.setenv(name, value)


def both(tape: Path, monkeypatch: pytest.MonkeyPatch, program: Any, **options: Any) -> tuple[Any, Any, Any]:
    """Return what comes of a program as it is, recorded, and replayed with another environment."""
    set_all(monkeypatch, HERE)
    stock = program()
    set_all(monkeypatch, HERE)
    with testbench.record(tape, **options):
        recorded = program()
    set_all(monkeypatch, THERE)
    with testbench.replay(tape):
        return stock, recorded, program()


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """Return where the tape goes."""
    return tmp_path / "environ.tape"


def asked(tape: Path) -> list[Any]:
    """Return the requests of events of this kind."""
    return [event.request for event in testbench.open_tape(tape).events(kind="environ")]


def test_every_way_to_read_is_told_alike(tape: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By item, `get`, `getenv`, `in`, as bytes; each name is one event, however often it is asked for."""

    def program() -> Any:
        with pytest.raises(KeyError) as missing:
            os.environ["CI"]
        return (
            *(os.environ["TZ"], os.environ.get("LANG"), os.getenv("LANG"), os.getenvb(b"LANG"), os.environb[b"TZ"]),
            *("CI" in os.environ, b"CI" in os.environb, os.environ.get("CI", "none"), missing.value.args),
        )

    stock, recorded, replayed = both(tape, monkeypatch, program)
    assert stock == recorded == replayed
    assert asked(tape) == [{"name": "CI"}, {"name": "TZ"}, {"name": "LANG"}]


def test_going_through_all_gives_what_was_told(tape: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What may be told is as recorded; what may not is that of the machine. One event."""

    def program() -> Any:
        copy = dict(os.environ)
        assert copy == os.environ.copy() == {**os.environ}
        assert len(copy) == len(os.environ) == len(os.environb)
        assert {os.fsencode(name) for name in copy} == set(os.environb)
        return {name: copy.get(name) for name in HERE}

    stock, recorded, replayed = both(tape, monkeypatch, program)
    assert stock == recorded == HERE
    assert replayed == {**HERE, "APP_MODE": "slow", "APP_TOKEN": "other"}
    assert asked(tape) == [None]


def test_names_of_the_user_are_told_and_secrets_never(tape: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pattern covers neither a name that looks like a secret nor an address with a password; both are read live."""
    monkeypatch.setenv("DATABASE_URL", "postgres://me:hush-hush-18@host/db")

    def program() -> Any:
        return os.environ["APP_MODE"], os.environ.get("APP_TOKEN"), os.environ["DATABASE_URL"], len(dict(os.environ))

    _, recorded, replayed = both(tape, monkeypatch, program, environ=("*",))
    assert recorded[:2] == ("fast", "hush-hush-17")
    assert replayed[:3] == ("fast", "other", recorded[2])
    assert b"hush-hush" not in tape.read_bytes()
    assert b"APP_TOKEN" not in tape.read_bytes()


def test_what_is_not_named_is_read_live(tape: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a name of the user there is no event for it."""
    _, recorded, replayed = both(tape, monkeypatch, lambda: os.environ["APP_MODE"])
    assert (recorded, replayed) == ("fast", "slow")
    assert asked(tape) == []


def test_what_the_program_writes_is_its_own(tape: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It sees what it has set and deleted, in both modes, whatever the machine has."""

    def program() -> Any:
        os.environ["TZ"] = "UTC"
        del os.environ["LANG"]
        with pytest.raises(KeyError):
            del os.environ["CI"]
        lines = os.environ.pop("LINES")
        os.environ.setdefault("COLUMNS", "7")
        seen = {name: os.environ.get(name) for name in ("TZ", "LANG", "CI", "LINES")}
        return seen, lines, {name: dict(os.environ).get(name) for name in seen}, "COLUMNS" in os.environ

    stock, recorded, replayed = both(tape, monkeypatch, program)
    assert stock == recorded == replayed
    assert stock[0] == {"TZ": "UTC", "LANG": None, "CI": None, "LINES": None}


def test_children_get_the_live_environment(tape: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Handing it on, whole or as a copy, gives the child what it always got."""
    code = [sys.executable, "-c", "import os; print(os.environ['TZ'], os.environ['LANG'])"]

    def program() -> Any:
        os.environ["LANG"] = "set"
        return [subprocess.check_output(code, env=env) for env in (None, os.environ, {**os.environ, "LANG": "x"})]

    stock, recorded, replayed = both(tape, monkeypatch, program)
    assert stock == recorded == replayed == [b"Mars/Olympus set\n", b"Mars/Olympus set\n", b"Mars/Olympus x\n"]


def test_a_boundary_that_changes_a_variable_is_named(tape: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A replay does not run it, so what is read afterwards is a leak of the recording."""
    monkeypatch.setenv("TZ", "before")

    @testbench.boundary
    def change() -> None:
        os.environ["TZ"] = "UTC"

    with testbench.record(tape, leaks="ignore") as session:
        change()
        assert os.environ["TZ"] == "UTC"
    assert [leak.name for leak in session.leaks] == ["environ.get"]


@pytest.mark.parametrize(
    "name",
    ["GITHUB_TOKEN", "aws_secret_access_key", "DB_PASSWORD", "MYSQL_PWD", "API_KEY", "HTTP_AUTH", "SSH_PRIVATE", "KEY"],
)
def test_a_secret_cannot_be_asked_for(tape: Path, name: str) -> None:
    """Its name is refused, with what to do."""
    assert looks_secret(name)
    with pytest.raises(UsageError, match="never put on a tape"), testbench.record(tape, environ=(name,)):
        pass


@pytest.mark.parametrize("name", ["PWD", "AUTHOR", "KEYBOARD", "MONKEY", "LANG", "PATH", "PASSENGER"])
def test_an_ordinary_name_is_no_secret(name: str) -> None:
    """Words count, not letters."""
    assert not looks_secret(name)


@pytest.mark.parametrize(
    ("value", "held"), [("http://u:p@h", True), ("http://h:80/a@b", False), ("redis://:p@h", True), ("a:b@c", False)]
)
def test_an_address_with_a_password_is_known(value: str, held: bool) -> None:
    """Only one with a user's part that holds both."""
    assert holds_password(value) is held


@pytest.mark.parametrize("key", [3, None, b"x", ["x"]])
def test_bad_names_raise_what_they_always_raise(tape: Path, key: Any) -> None:
    """The error is that of `os.environ` itself."""
    with pytest.raises(TypeError) as stock:
        os.environ[key]
    with testbench.record(tape), pytest.raises(TypeError) as recorded:
        os.environ[key]
    assert str(recorded.value) == str(stock.value)
