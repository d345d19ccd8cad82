from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbench.errors import UsageError
from testbench.harness._harn_json import HarnProcess, dumps, loads

texts = st.text(st.characters(exclude_categories=["Cs"]))
processes = st.builds(
    HarnProcess,
    program=texts,
    args=st.lists(texts),
    cwd=st.none() | texts,
    env=st.dictionaries(texts, texts),
    stdout=texts,
    stderr=texts,
    exit_code=st.integers(-(2**31), 2**31 - 1),
    duration_ms=st.integers(0, 2**53 - 1),
)


@given(st.lists(processes))
def test_what_is_written_is_read_back(tape: list[HarnProcess]) -> None:
    """Any list of processes survives the form, and is written the same a second time."""
    text = dumps(tape)
    assert loads(text.encode(), "x") == tape
    assert dumps(loads(text.encode(), "x")) == text


@pytest.mark.parametrize("content", [b"", b" \n", b"\xef\xbb\xbf", b"[]"])
def test_an_empty_file_is_an_empty_tape(content: bytes) -> None:
    """Nothing, white space, a byte order mark alone and an empty array all hold no process."""
    assert loads(content, "x") == []


def test_missing_fields_have_defaults() -> None:
    """A hand-written process needs to say only what matters."""
    assert loads(b'[{}, {"program": "git"}]', "x") == [HarnProcess(), HarnProcess(program="git")]
    assert HarnProcess() == HarnProcess(
        program="", args=[], cwd=None, env={}, stdout="", stderr="", exit_code=0, duration_ms=0
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", ["x", "JSON"]),
        (b"\xff", ["x", "UTF-8"]),
        (b"[" * 100_000, ["x", "JSON"]),
        (b"{}", ["x holds an object", "array"]),
        (b"[1]", ["process 0", "the number 1", "object"]),
        (b'[{}, {"argv": []}]', ["process 1", "'argv'", "program, args, cwd"]),
        (b'[{"args": "a"}]', ["process 0", "'args'", "an array of strings", "a string"]),
        (b'[{"args": [1]}]', ["'args'", "an array of strings"]),
        (b'[{"program": null}]', ["'program'", "a string", "null"]),
        (b'[{"cwd": 1}]', ["'cwd'", "a string or null", "the number 1"]),
        (b'[{"env": {"A": 1}}]', ["'env'", "an object of strings"]),
        (b'[{"stdout": "\\ud800"}]', ["'stdout'", "surrogates"]),
        (b'[{"exit_code": true}]', ["'exit_code'", "an integer", "a boolean"]),
        (b'[{"exit_code": 1.0}]', ["'exit_code'", "an integer"]),
        (b'[{"exit_code": 4294967296}]', ["'exit_code'", "32 bits"]),
        (b'[{"duration_ms": -1}]', ["'duration_ms'", "not negative"]),
        (b'[{"duration_ms": NaN}]', ["x", "NaN"]),
        (b'[{"duration_ms": 1e999}]', ["'duration_ms'", "milliseconds"]),
        (b'[{"program": "a", "program": "b"}]', ["x", "twice"]),
    ],
)
def test_another_form_is_refused_by_name(content: bytes, words: list[str]) -> None:
    """Anything else is bad usage, and the text names the file, the process and the field."""
    with pytest.raises(UsageError) as refused:
        loads(content, "x")
    assert [word for word in words if word not in str(refused.value)] == []


def test_the_written_form_is_the_documented_one() -> None:
    """The fields are those of the form, in its order."""
    (written,) = json.loads(dumps([HarnProcess(program="git")]))
    assert list(written) == ["program", "args", "cwd", "env", "stdout", "stderr", "exit_code", "duration_ms"]
