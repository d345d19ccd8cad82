"""When two requests of kind ``process`` are the same, and what is said when they are not."""

from __future__ import annotations

import os
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT, Popen, run
from typing import Any

import pytest

import testbench
from testbench.recorders.process._match import MATCHERS

SPAWN: dict[str, Any] = {
    "program": "git",
    "argv": ["git", "log"],
    "shell": False,
    "cwd": "/a",
    "env": {"LANG": "C"},
    "stdin": "file",
    "stdin_digest": "ab",
    "stdout": "pipe",
    "stderr": "inherit",
    "options": {"umask": 63},
}


def test_equal_spawns_match() -> None:
    """A spawn matches itself."""
    assert MATCHERS["spawn"](SPAWN, dict(SPAWN)) is None


@pytest.mark.parametrize("name", SPAWN)
def test_each_field_is_compared(name: str) -> None:
    """A spawn that differs in any one field does not match, and the sentence names field and both values."""
    live = {**SPAWN, name: "something else"}
    told = MATCHERS["spawn"](SPAWN, live)
    assert told is not None
    assert told.startswith(f"{name} was ")
    assert repr(SPAWN[name]) in told
    assert "now 'something else'" in told


@pytest.mark.parametrize("name", SPAWN)
def test_recorded_none_matches_anything(name: str) -> None:
    """A field that the tape leaves open, or does not have, says nothing; the same field left open live does differ."""
    assert MATCHERS["spawn"]({**SPAWN, name: None}, SPAWN) is None
    assert MATCHERS["spawn"]({key: SPAWN[key] for key in SPAWN if key != name}, SPAWN) is None
    assert MATCHERS["spawn"](SPAWN, {**SPAWN, name: None}) is not None


def test_types_count() -> None:
    """Text and bytes are different arguments, and so are true and 1."""
    assert MATCHERS["spawn"](SPAWN, {**SPAWN, "program": b"git"}) == "program was 'git', now b'git'"
    assert MATCHERS["spawn"](SPAWN, {**SPAWN, "shell": 0}) is not None
    assert MATCHERS["spawn"](SPAWN, {**SPAWN, "argv": ["git", b"log"]}) is not None


def test_all_differences_are_named_shortly() -> None:
    """Every differing field is named; long values are cut."""
    told = MATCHERS["spawn"](SPAWN, {**SPAWN, "argv": ["x" * 1000], "cwd": "/b"})
    assert told is not None
    assert "argv was" in told
    assert "cwd was '/a', now '/b'" in told
    assert len(told) < 300


def test_length_of_a_timeout_does_not_count() -> None:
    """An observation matches with another timeout, and not where the recorded one could expire and the live one not."""
    request = {"child": 1, "input": b"x", "timeout": 5}
    match = MATCHERS["communicate"]
    assert match(request, {**request, "timeout": 0.5}) is None
    assert match({**request, "timeout": None}, request) is None
    assert match(request, {**request, "timeout": None}) is not None
    assert match(request, {**request, "input": b"y"}) == "input was b'x', now b'y'"
    assert match(request, {**request, "child": 2}) == "child was 1, now 2"
    assert MATCHERS["wait"]({"child": 1, "timeout": 1}, {"child": {"pid": 1}, "timeout": 1}) is not None


def _shapes(place: Path) -> None:
    with open(place / "f", "w+b") as file:
        run(["true"])
        run(["true"], stdin=file, stdout=file, stderr=file)
        run(["true"], stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL)
        run(["true"], stdin=0, stdout=1, stderr=2)
        run(["true"], stdout=2, stderr=1)
        run(["true"], stderr=STDOUT)
        run(["true"], stdout=PIPE, stderr=STDOUT)
        run(["true"], input=b"", capture_output=True)
        first = Popen(["true"], stdout=PIPE)
        Popen(["true"], stdin=first.stdout).wait()
        first.communicate()


def test_shapes_of_stdio(ways: Any) -> None:
    """A request says what each stream is, without saying what the program's own happen to be."""
    ways.agree(_shapes)
    spawns = [event.request for event in ways.events() if event.op == "spawn"]
    assert [(spawn["stdin"], spawn["stdout"], spawn["stderr"]) for spawn in spawns] == [
        ("inherit", "inherit", "inherit"),
        ("file", "file", "stdout"),
        ("null", "null", "null"),
        ("inherit", "inherit", "inherit"),
        ("inherit", "own stderr", "own stdout"),
        ("inherit", "inherit", "stdout"),
        ("inherit", "pipe", "stdout"),
        ("pipe", "pipe", "pipe"),
        ("inherit", "pipe", "inherit"),
        ({"child": 9, "stream": "stdout"}, "inherit", "inherit"),
    ]


def test_only_unusual_options_are_named(ways: Any) -> None:
    """A request names the arguments that change the child and are not as usual."""

    def program(place: Path) -> None:
        with open(place / "f", "wb") as file:
            run(["true"])
            run(["true"], close_fds=False, restore_signals=False, start_new_session=True, umask=0o77)
            run(["true"], process_group=0, pass_fds=[file.fileno()], preexec_fn=int)
            run(["true"], user=os.getuid(), group=os.getgid(), extra_groups=[])

    ways.agree(program)
    uid, gid = os.getuid(), os.getgid()
    assert [event.request["options"] for event in ways.events() if event.op == "spawn"] == [
        {},
        {"close_fds": False, "restore_signals": False, "start_new_session": True, "umask": 63},
        {"process_group": 0, "pass_fds": 1, "preexec_fn": True},
        {"user": uid, "group": gid, "extra_groups": []},
    ]


def test_arguments_stay_what_they_are(ways: Any) -> None:
    """Bytes stay bytes, text stays text, paths become the text they stand for, and subclasses plain values."""

    class Word(str):
        pass

    class Octets(bytes):
        pass

    def program(place: Path) -> None:
        run([Path("echo"), b"\xff", "\udcff", Word("w"), Octets(b"o")], cwd=os.fsencode(place), stdout=DEVNULL)

    ways.agree(program)
    request = ways.events()[0].request
    assert request["program"] == "echo"
    assert request["argv"] == ["echo", b"\xff", "\udcff", "w", b"o"]
    assert request["cwd"] == os.fsencode(ways.place)


def test_only_declared_environment_is_recorded(ways: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Declared variables belong to the request with the value that the child gets; no others reach the tape."""
    monkeypatch.setenv("MODE", "fast")
    monkeypatch.setenv("SECRET", "do not record me")
    monkeypatch.delenv("ABSENT", raising=False)
    ways.options = {"env": ("MODE", "ABSENT")}

    def program(place: Path) -> None:
        run(["true"])
        run(["true"], env={b"MODE": b"slow", "SECRET": "do not record me", "PATH": os.environ["PATH"]})

    ways.record(program)
    spawns = [event.request for event in ways.events() if event.op == "spawn"]
    assert [spawn["env"] for spawn in spawns] == [{"MODE": "fast", "ABSENT": None}, {"MODE": b"slow", "ABSENT": None}]
    assert b"do not record me" not in ways.tape.read_bytes()
    monkeypatch.setenv("MODE", "other")
    with pytest.raises(testbench.MismatchError, match="env was"):
        ways.replay(program)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"args": ["echo", "b"]}, "argv"),
        ({"cwd": "/"}, "cwd"),
        ({"stdout": DEVNULL}, "stdout"),
        ({"start_new_session": True}, "options"),
        ({"input": b"y"}, "input"),
        ({"shell": True, "args": "echo a"}, "shell"),
    ],
)
def test_changed_program_diverges(ways: Any, changed: dict[str, Any], field: str) -> None:
    """A replayed program that asks for another child than the recorded one is a divergence that names the field."""
    usual: dict[str, Any] = {"args": ["echo", "a"], "cwd": "/tmp", "stdout": PIPE, "input": b"x"}
    ways.record(lambda place: run(**usual))
    with pytest.raises(testbench.MismatchError, match=field):
        ways.replay(lambda place: run(**{**usual, **changed}))
