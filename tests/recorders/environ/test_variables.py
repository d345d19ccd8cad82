"""Variables of the environment: which are told, which never, and what a program does with them."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
import threading
import unittest.mock
from pathlib import Path
from typing import Any

import pytest

import testbench
from testbench.errors import RefusedError, TapeDamagedError, UsageError

HERE: dict[str, str | None] = {
    "TZ": "UTC",
    "LANG": "tlh",
    "CI": None,
    "APP_MODE": "fast",
    "APP_EMPTY": "",
    "APP_TOKEN": "hush-hush-17",
    "LINES": "5",
    "ODD": "\udcff\udc80",
}
THERE: dict[str, str | None] = {
    "TZ": None,
    "LANG": "vul",
    "CI": "1",
    "APP_MODE": "slow",
    "APP_EMPTY": None,
    "APP_TOKEN": "other",
    "LINES": None,
    "ODD": None,
}


def set_all(patch: pytest.MonkeyPatch, values: dict[str, str | None]) -> None:
    """Set the variables, or delete them."""
    for name, value in values.items():
        patch.setenv(name, value or "")  # so that it is undone, also where it was not set
        if value is None:
            patch.delenv(name)


def both(tape: Path, monkeypatch: pytest.MonkeyPatch, program: Any, **options: Any) -> tuple[Any, Any, Any]:
    """Return what comes of a program as it is, recorded, and replayed with another environment."""
    set_all(monkeypatch, HERE)
    stock = program()
    set_all(monkeypatch, HERE)
    with testbench.record(tape, **options):
        recorded = program()
    set_all(monkeypatch, THERE)
    before = dict(os.environ)
    with testbench.replay(tape):
        replayed = program()
    changed = {name for name in {*before, *os.environ} if before.get(name) != os.environ.get(name)}
    assert changed <= {name for name in HERE if stock_changes(monkeypatch, program, name)}
    return stock, recorded, replayed


def stock_changes(monkeypatch: pytest.MonkeyPatch, program: Any, name: str) -> bool:
    """Tell whether a program changes a variable for good."""
    set_all(monkeypatch, HERE)
    program()
    return os.environ.get(name) != HERE[name]


def test_every_way_to_read_is_told_alike(tape: Path, monkeypatch: pytest.MonkeyPatch, told: Any) -> None:
    """By item, `get`, `getenv`, `in`, as bytes; each name is one event, however often it is asked for."""

    def program() -> Any:
        with pytest.raises(KeyError) as missing:
            os.environ["CI"]
        return (
            *(os.environ["TZ"], os.environ.get("LANG"), os.getenv("LANG"), os.getenvb(b"LANG"), os.environb[b"TZ"]),
            *("CI" in os.environ, b"CI" in os.environb, os.environ.get("CI", "none"), missing.value.args),
            *(os.environ["APP_MODE"], os.path.expandvars("$APP_MODE-${LANG}"), os.environ["APP_EMPTY"]),
            *(os.environ["ODD"], os.environb[b"ODD"]),
        )

    stock, recorded, replayed = both(tape, monkeypatch, program)
    assert stock == recorded == replayed
    names = ["CI", "TZ", "LANG", "APP_MODE", "APP_EMPTY", "ODD"]
    assert told() == [("variable", {"name": name}) for name in names]


def test_going_through_all_gives_what_was_told(tape: Path, monkeypatch: pytest.MonkeyPatch, told: Any) -> None:
    """What may be told is as recorded; what may not is that of the machine. One event, however it is done."""

    def program() -> Any:
        copied = dict(os.environ)
        assert copied == os.environ.copy() == {**os.environ} == copy.deepcopy(os.environ) == os.environ | {}
        assert len(copied) == len(os.environ) == len(os.environb)
        assert {os.fsencode(name) for name in copied} == set(os.environb)
        assert [*os.environ.values()] == [copied[name] for name in os.environ]
        assert repr(os.environ) == f"environ({copied!r})"
        return {name: copied.get(name) for name in HERE}

    stock, recorded, replayed = both(tape, monkeypatch, program)
    assert stock == recorded == HERE
    lives = ("APP_MODE", "APP_TOKEN", "APP_EMPTY", "ODD")
    assert replayed == {**HERE, **{name: THERE[name] for name in lives}}
    assert told() == [("variables", None)]


def test_names_of_the_user_are_told_and_secrets_never(tape: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pattern covers neither a name that looks like a secret nor a value that does; both are read live."""
    monkeypatch.setenv("DATABASE_URL", "postgres://me:hush-hush-18@host/db")
    monkeypatch.setenv("APP_OTHER", "ghp_hush0hush1hush2hush3hush4hush5hush6A")
    monkeypatch.setenv("APP_HIDDEN", "hush-hush-19")
    names = ("APP_MODE", "APP_TOKEN", "DATABASE_URL", "APP_OTHER", "APP_HIDDEN")

    def program() -> Any:
        copied = dict(os.environ)
        return [copied[name] for name in names], [os.environ[name] for name in names]

    _, recorded, replayed = both(tape, monkeypatch, program, environ=("*", "!APP_HID*"))
    assert recorded[0] == recorded[1]
    assert recorded[0][:2] == ["fast", "hush-hush-17"]
    expected = ["fast", "other", *recorded[0][2:]]
    assert replayed == (expected, expected)
    assert b"hush" not in tape.read_bytes()


def test_a_secret_that_is_missing_is_refused(tape: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program had one, and has none now: what it would do is another program. The message says what to set."""
    monkeypatch.setenv("APP_TOKEN", "hush")
    with testbench.record(tape):
        assert os.environ.get("APP_TOKEN") == "hush"
        assert os.environ.get("NO_SUCH_TOKEN") is None
    monkeypatch.setenv("NO_SUCH_TOKEN", "live")
    with testbench.replay(tape):
        assert os.environ.get("NO_SUCH_TOKEN") is None
        assert os.environ["APP_TOKEN"] == "hush"
    monkeypatch.delenv("APP_TOKEN")
    with pytest.raises(RefusedError, match="set APP_TOKEN for the replay"), testbench.replay(tape):
        os.environ.get("APP_TOKEN")


def test_what_the_program_writes_is_its_own(tape: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It sees what it has set and deleted, in both modes, whatever the machine has."""
    monkeypatch.setenv("APP_SIZE", "5")
    monkeypatch.delenv("APP_SIZE")

    def program() -> Any:
        os.environ["TZ"] = "UTC+3"
        del os.environ["LANG"]
        with pytest.raises(KeyError):
            del os.environ["CI"]
        lines = os.environ.pop("LINES")
        os.environ.setdefault("APP_SIZE", "7")
        os.environ |= {"APP_MODE": os.environ["APP_MODE"] + "er"}
        seen = {name: os.environ.get(name) for name in ("TZ", "LANG", "CI", "LINES", "APP_MODE", "APP_SIZE")}
        whole = {name: dict(os.environ).get(name) for name in seen}
        del os.environ["APP_SIZE"]
        return seen, lines, whole

    stock, recorded, replayed = both(tape, monkeypatch, program)
    assert stock == recorded == replayed
    assert stock[0]["APP_MODE"] == "faster"


def test_a_test_that_changes_the_environment_for_a_while(tape: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes back afterwards is what the program was told before; after the session it is the machine's again."""

    def program() -> Any:
        told = os.environ.get("LANG"), os.environ.get("LINES"), os.environ.get("CI"), os.environ["APP_EMPTY"]
        with unittest.mock.patch.dict(os.environ, {"LANG": "mocked"}):
            inside = os.environ.get("LANG"), os.environ.get("TZ"), os.environ.get("LINES")
        saved = dict(os.environ)
        os.environ.clear()
        emptied = os.environ.get("LANG"), os.environ.get("APP_MODE"), dict(os.environ)
        os.environ.update(saved)
        return told, inside, emptied, os.environ.get("LANG"), os.environ.get("CI"), os.environ.get("LINES")

    stock, recorded, replayed = both(tape, monkeypatch, program)
    assert stock == recorded == replayed


def test_children_get_the_live_environment(tape: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Handing it on, whole or as a copy, gives the child what it always got."""
    code = [sys.executable, "-c", "import os; print(os.environ['TZ'], os.environ['LANG'])"]

    def program() -> Any:
        before, os.environ["LANG"] = os.environ["LANG"], "set"
        given: list[Any] = [None, os.environ, {**os.environ, "LANG": "x"}]
        answers = [subprocess.check_output(code, env=env) for env in given]
        os.environ["LANG"] = before
        return answers

    stock, recorded, replayed = both(tape, monkeypatch, program)
    assert stock == recorded == replayed == [b"UTC set\n", b"UTC set\n", b"UTC x\n"]


def test_what_was_not_asked_is_read_live_and_named(tape: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not on the tape, and the replay says where it was asked."""
    monkeypatch.setenv("APP_MODE", "live")
    with testbench.record(tape):
        pass
    with testbench.replay(tape, leaks="ignore") as session:
        assert os.environ["APP_MODE"] == os.environ["APP_MODE"] == "live"
        os.environ["APP_OTHER"] = "own"
        assert os.environ["APP_OTHER"] == "own"
        del os.environ["APP_OTHER"]
    assert [(leak.name, leak.request) for leak in session.leaks] == [("environ.variable", {"name": "APP_MODE"})]


def test_a_boundary_that_changes_a_variable_is_named(tape: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A replay does not run it, so what is read afterwards is a leak of the recording."""
    monkeypatch.setenv("APP_MODE", "before")

    @testbench.boundary
    def change() -> None:
        os.environ["APP_MODE"] = os.environ["APP_MODE"] + " and after"

    with testbench.record(tape, leaks="ignore") as session:
        assert os.environ["APP_MODE"] == "before"
        change()
        assert os.environ["APP_MODE"] == "before and after"
    assert [leak.name for leak in session.leaks] == ["environ.variable"]


def test_threads_may_ask_and_write_at_once(tape: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each gets what it would get alone."""

    def program() -> Any:
        seen: dict[int, Any] = {}

        def work(number: int) -> None:
            os.environ[f"APP_{number}"] = str(number)
            seen[number] = [os.environ["APP_MODE"], os.environ[f"APP_{number}"], os.environ.pop(f"APP_{number}")]
            dict(os.environ)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return seen

    stock, recorded, replayed = both(tape, monkeypatch, program)
    assert stock == recorded == replayed


def test_deleting_while_going_through(tape: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop over the variables goes over those that there were when it began."""

    def program() -> Any:
        for name in ("APP_ONE", "APP_TWO"):
            os.environ[name] = "x"
        for name in os.environ:
            if name in ("APP_ONE", "APP_TWO"):
                del os.environ[name]
        return "APP_ONE" in os.environ, "APP_TWO" in os.environ

    assert set(both(tape, monkeypatch, program)) == {(False, False)}


@pytest.mark.parametrize("name", ["GITHUB_TOKEN", "MYSQL_PWD", "API_KEY", "KEY"])
def test_a_secret_cannot_be_asked_for(tape: Path, name: str) -> None:
    """Its name is refused, with what to do."""
    with pytest.raises(UsageError, match="never put on a tape"), testbench.record(tape, environ=(name,)):
        pass


@pytest.mark.parametrize("given", ["", "!", 3])
def test_a_pattern_is_text(tape: Path, given: Any) -> None:
    """Anything else is refused before the session begins."""
    with pytest.raises(UsageError, match="no name of a variable"), testbench.record(tape, environ=(given,)):
        pass


@pytest.mark.parametrize("key", [3, None, b"x", ["x"], "\ud800"])
def test_bad_names_raise_what_they_always_raise(tape: Path, key: Any) -> None:
    """The error is that of `os.environ` itself."""
    with pytest.raises((TypeError, UnicodeEncodeError)) as stock:
        os.environ[key]
    with testbench.record(tape), pytest.raises((TypeError, UnicodeEncodeError)) as recorded:
        os.environ[key]
    assert str(recorded.value) == str(stock.value)


@pytest.mark.parametrize(("name", "value"), [("A=B", "x"), ("", "x"), ("A", "x\0y"), ("A", 3)])
def test_bad_values_raise_what_they_always_raise(tape: Path, name: str, value: Any) -> None:
    """The error is that of `os.environ` itself, and nothing is set."""
    with pytest.raises((TypeError, ValueError, OSError)) as stock:
        os.environ[name] = value
    with testbench.record(tape), pytest.raises((TypeError, ValueError, OSError)) as recorded:
        os.environ[name] = value
    assert str(recorded.value) == str(stock.value)


def test_a_tape_that_holds_no_variable_is_damaged(tape: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What no environment can hold is refused, and the environment is as it was."""
    fact = {"name": "A", "took_ns": 0}
    for name, value in (("A", 3), (None, "x"), ("\ud800", "x")):
        file = testbench.tape.TapeFile.create(tape)
        writer = testbench.tape.Writer(file.fd, {"recorders": {"environ": 1}})
        kind = writer.kind("environ.variable", [*fact, "outcome"])
        writer.event([kind, 0, 0, writer.call_body([name, 0], testbench.tape.Returned(value))])
        writer.close()
        file.commit()
        before = dict(os.environ)
        with pytest.raises(TapeDamagedError, match="holds a variable"), testbench.replay(tape):
            pytest.fail("began")
        assert dict(os.environ) == before
