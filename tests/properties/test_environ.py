"""The laws of exactness for the environment: any reads and writes, replayed where everything is different."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import testbench

NAMES = [f"TBP_{letter}" for letter in "ABCD"] + ["LC_TBP", "TBP_\udcff"]

names = st.sampled_from(NAMES)
values = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=4) | st.just("\udc80")
environments = st.dictionaries(names, values)
steps = st.one_of(
    st.tuples(st.sampled_from(["get", "item", "in", "bytes", "pop", "delete"]), names),
    st.tuples(st.sampled_from(["set", "default", "update"]), names, values),
    st.tuples(st.sampled_from(["whole", "saved and restored", "told of names", "pid", "cpus", "cwd"])),
)


def caught(ask: Callable[[], Any]) -> Any:
    """Return what comes, or the arguments of the KeyError."""
    try:
        return ask()
    except KeyError as error:
        return error.args


def save_and_restore() -> int:
    """Empty the environment for a while."""
    saved = dict(os.environ)
    os.environ.clear()
    found = len(os.environ)
    os.environ.update(saved)
    return found


STEPS: dict[str, Callable[..., Any]] = {
    "get": lambda name: os.environ.get(name),
    "item": lambda name: os.environ[name],
    "in": lambda name: name in os.environ,
    "bytes": lambda name: os.environb.get(os.fsencode(name)),
    "pop": lambda name: os.environ.pop(name),
    "delete": lambda name: os.environ.__delitem__(name),
    "set": lambda name, value: os.environ.__setitem__(name, value),
    "default": lambda name, value: os.environ.setdefault(name, value),
    "update": lambda name, value: os.environ.update({name: value}),
    "whole": lambda: dict(os.environ).get("LC_TBP"),
    "saved and restored": save_and_restore,
    "told of names": lambda: {name: dict(os.environ).get(name) for name in NAMES if name.startswith("LC_")},
    "pid": os.getpid,
    "cpus": os.cpu_count,
    "cwd": os.getcwd,
}


def run(script: list[tuple[Any, ...]]) -> list[Any]:
    """Run the steps; return what each gave."""
    return [caught(lambda step=step: STEPS[step[0]](*step[1:])) for step in script]


def live_in(environment: dict[str, str]) -> None:
    """Let the variables be those."""
    for name in NAMES:
        os.environ.pop(name, None)
    os.environ.update(environment)


@given(st.lists(steps, max_size=12), environments, environments)
def test_any_reads_and_writes_replay_in_another_environment(
    script: list[tuple[Any, ...]], here: dict[str, str], there: dict[str, str]
) -> None:
    """As without a session; again on replay; the same bytes when recorded again; and nothing is left behind."""
    with tempfile.TemporaryDirectory() as folder:
        before = dict(os.environ)
        try:
            live_in(here)
            stock = run(script)
            left = {name: os.environ.get(name) for name in NAMES}
            live_in(here)
            with testbench.record(Path(folder, "a.tape")):
                recorded = run(script)
            assert recorded == stock
            assert {name: os.environ.get(name) for name in NAMES} == left
            live_in(there)
            with testbench.replay(Path(folder, "a.tape"), rerecord=Path(folder, "b.tape")) as session:
                assert run(script) == recorded
            assert session.leaks == []
            assert Path(folder, "b.tape").read_bytes() == Path(folder, "a.tape").read_bytes()
            touched = {step[1] for step in script if step[0] in ("set", "default", "update", "pop", "delete")}
            assert {name: os.environ.get(name) for name in NAMES if name not in touched} == {
                name: there.get(name) for name in NAMES if name not in touched
            }
        finally:
            os.environ.clear()
            os.environ.update(before)
