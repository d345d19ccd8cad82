from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from testbench.cli import main
from testbench.cli._output import as_json, duration

READING = ["info", "show", "check", "recover", "diff", "export"]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command in this process and return (status, stdout, stderr)."""

    def say(*words: str) -> tuple[int, str, str]:
        status = main(words)
        said = capsys.readouterr()
        return status, said.out, said.err

    return say


Say = Callable[..., tuple[int, str, str]]
Make = Callable[..., str]


def test_info_tells_what_a_tape_holds(say: Say, make: Make) -> None:
    """Events by kind, lanes, payloads, meta and digest are there; what is hostile in them is escaped."""
    status, out, _ = say("info", make())
    assert status == 0
    for words in ("complete", "4 in 2 lanes", "clock.time", "future.leap", "main, main.1", "1 payload", "\\x1b[2J"):
        assert words in out
    assert "\x1b" not in out


def test_info_as_json_is_one_object(say: Say, make: Make) -> None:
    """The same numbers for programs."""
    status, out, _ = say("info", "--json", make())
    info = json.loads(out)
    assert status == 0
    assert (info["events"], info["blobs"], info["blob_size"]) == (4, 1, 2048)
    assert info["kinds"] == {"lane.start": 1, "clock.time": 1, "future.leap": 1, "call.f": 1}
    assert len(info["events_digest"]) == 64


def test_show_gives_every_event_a_line(say: Say, make: Make) -> None:
    """Runs, calls, errors and lane starts are readable, and so is a kind that nobody has heard of."""
    status, out, _ = say("show", make())
    lines = out.splitlines()
    assert status == 0
    assert len(lines) == 4
    assert "clock.time  x2  [1.5, 2.5]" in lines[0]
    assert "future.leap" in lines[1]
    assert "how far=b'" in lines[1]
    assert "(2,048 bytes)" in lines[1]
    assert "-> ok=nan far=[0x" in lines[1]
    assert "main.1  lane.start" in lines[2]
    assert "-> raised builtins.OSError[2, 'gone']" in lines[3]


def test_no_terminal_escape_of_a_tape_reaches_the_terminal(say: Say, make: Make) -> None:
    """A tape is untrusted: control characters and text direction marks come out escaped, in all forms."""
    for words in (["show"], ["show", "--blobs"], ["show", "--json"], ["info"], ["info", "--json"]):
        _, out, _ = say(*words, make())
        assert "\x1b" not in out
        assert "\u202e" not in out


@pytest.mark.parametrize(
    ("options", "seqs"),
    [
        ([], [0, 1, 2, 3]),
        (["--kind", "clock"], [0]),
        (["--kind", "future.leap"], [1]),
        (["--kind", "nothing"], []),
        (["--lane", "main.1"], [2, 3]),
        (["--seq", "1..2"], [1, 2]),
        (["--seq", "2"], [2]),
        (["--seq", "2.."], [2, 3]),
        (["--seq", "..1"], [0, 1]),
        (["--seq", "9..12"], []),
        (["--lane", "main", "--seq", "1..3"], [1]),
    ],
)
def test_show_selects_events(say: Say, make: Make, options: list[str], seqs: list[int]) -> None:
    """Kind, lane and position choose what is shown; positions are those of the whole tape, both ends included."""
    status, out, _ = say("show", "--json", *options, make())
    assert status == 0
    assert [json.loads(line)["seq"] for line in out.splitlines()] == seqs


@pytest.mark.parametrize("given", ["x", "..", "-1", "1...2", "1..b"])
def test_a_bad_range_says_what_is_expected(say: Say, make: Make, given: str) -> None:
    """Anything but a range of positions is bad usage."""
    status, _, err = say("show", f"--seq={given}", make())
    assert status == 2
    assert "A..B" in err


def test_show_gives_long_payloads_whole_when_asked(say: Say, make: Make) -> None:
    """Without --blobs JSON has digest and size of a long payload, with it the payload."""
    _, out, _ = say("show", "--json", "--seq", "1", make())
    short = json.loads(out)["request"]["how far"]
    assert short["size"] == 2048
    assert short["$payload"].startswith("sha256:")
    _, out, _ = say("show", "--json", "--blobs", "--seq", "1", make())
    assert list(json.loads(out)["request"]["how far"]) == ["$base64"]
    _, out, _ = say("show", "--blobs", "--seq", "1", make())
    assert len(out) > 4000


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (2**70, 2**70),
        pytest.param(-(16**5000), {"$int": "-0x1" + "0" * 5000}, id="huge"),
        (float("inf"), {"$float": "inf"}),
        (b"text", {"$utf8": "text"}),
        (b"\xff", {"$base64": "/w=="}),
        ({"a": [b""]}, {"a": [{"$utf8": ""}]}),
        ({"$utf8": 1}, {"$dict": [["$utf8", 1]]}),
        ("\ud800", "\ud800"),
    ],
)
def test_every_value_has_a_form_in_json(value: Any, expected: Any) -> None:
    """What JSON cannot say becomes an object with a key that begins with $, and nothing else looks like that."""
    assert as_json(value) == expected
    assert json.loads(json.dumps(as_json(value))) == expected


@pytest.mark.parametrize(
    ("ns", "text"),
    [(0, "0ns"), (999, "999ns"), (1500, "1.5us"), (12_345_678, "12.3ms"), (2 * 10**9, "2s"), (5000 * 10**9, "5000s")],
)
def test_durations_have_a_unit_that_fits(ns: int, text: str) -> None:
    """Three digits and a unit."""
    assert duration(ns) == text


def test_check_is_quiet_about_a_sound_tape_and_names_damage(say: Say, make: Make) -> None:
    """Status 0 and one word, or status 3 and a line per finding that begins with file and byte."""
    path = make()
    assert say("check", path) == (0, f"{path}: sound\n", "")
    content = bytearray(Path(path).read_bytes())
    content[content.index(b"gone")] ^= 1
    Path(path).write_bytes(content)
    status, out, _ = say("check", path)
    assert status == 3
    assert out.startswith(path + ":")
    status, out, _ = say("check", "--json", path)
    assert status == 3
    assert {"code", "message", "offset", "severity"} == set(json.loads(out.splitlines()[0]))


def test_recover_makes_a_sound_tape_of_a_cut_one(say: Say, make: Make, tmp_path: Path) -> None:
    """What was on disk is kept, the new tape is sound, and the status says that nothing or something was lost."""
    path = make("long.tape", extra=600)
    content = Path(path).read_bytes()
    cut = tmp_path / "cut.tape"
    cut.write_bytes(content[: len(content) * 2 // 3])
    status, out, _ = say("recover", str(cut), "-o", str(tmp_path / "new.tape"))
    assert status in (0, 3)
    assert "events" in out
    assert say("check", str(tmp_path / "new.tape"))[0] == 0
    assert say("recover", path, "-o", str(tmp_path / "same.tape"))[0] == 0
    assert (tmp_path / "same.tape").read_bytes() == content


def test_diff_aligns_and_tells_by_its_status(say: Say, make: Make) -> None:
    """Equal tapes print nothing and give 0; an event more at the end is one change and gives 1."""
    assert say("diff", make("a.tape"), make("b.tape")) == (0, "", "")
    status, out, _ = say("diff", make("a.tape"), make("b.tape", extra=1))
    assert status == 1
    assert out.startswith("+ ")
    assert len(out.splitlines()) == 1
    status, out, _ = say("diff", "--json", make("a.tape"), make("b.tape", extra=1))
    assert status == 1
    assert json.loads(out)["action"] == "added"
    assert say("diff", "--ignore", "call.f", make("a.tape"), make("b.tape", extra=1))[0] == 0


@pytest.mark.parametrize("command", READING)
def test_a_missing_tape_is_unreadable(say: Say, command: str, tmp_path: Path) -> None:
    """Status 3 and one line on stderr that names the file."""
    missing = str(tmp_path / "none.tape")
    words = {"diff": [missing, missing], "export": ["--to", "harn", missing]}.get(command, [missing])
    status, out, err = say(command, *words)
    assert (status, out) == (3, "")
    assert missing in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "content",
    [b"", b"hello\n", b"\xd9\xd9\xf7\xda\x54\x61\x70\x65", b"\x00" * 100],
    ids=["empty", "text", "cut", "zeros"],
)
@pytest.mark.parametrize("command", READING)
def test_what_is_no_tape_is_unreadable(say: Say, command: str, content: bytes, tmp_path: Path) -> None:
    """Empty, other and cut files give status 3 and a message, never a traceback."""
    path = tmp_path / "no.tape"
    path.write_bytes(content)
    words = {"diff": [str(path), str(path)], "export": ["--to", "harn", str(path)]}.get(command, [str(path)])
    status, out, err = say(command, *words)
    assert status == 3
    assert str(path) in out + err


@pytest.mark.parametrize("words", [[], ["nonsense"], ["info"], ["info", "--nonsense", "x"], ["diff", "only-one"]])
def test_bad_usage_is_told_on_stderr(say: Say, words: list[str]) -> None:
    """Status 2, the usage, and where to read more."""
    status, out, err = say(*words)
    assert (status, out) == (2, "")
    assert "usage: testbench" in err
    assert "--help" in err


def test_help_and_version_are_results(say: Say) -> None:
    """They go to stdout with status 0."""
    assert say("--help")[0] == 0
    assert say("show", "--help")[1].startswith("usage: testbench show")
    status, out, _ = say("--version")
    assert status == 0
    assert out.startswith("testbench ")


def test_a_reader_that_goes_away_is_no_error(make: Make) -> None:
    """A closed pipe ends the command quietly with the status of SIGPIPE."""
    path = make(extra=50_000)
    read, write = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "testbench", "show", path], stdout=write, stderr=subprocess.PIPE, text=True
    )
    os.close(write)
    os.read(read, 10)
    os.close(read)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (141, "")


def test_output_that_the_terminal_cannot_show_is_escaped(make: Make) -> None:
    """With a terminal of ASCII, other characters come out as escapes."""
    done = subprocess.run(
        [sys.executable, "-m", "testbench", "show", make()],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=True,
    )
    assert done.stdout.isascii()


@pytest.mark.parametrize(("target", "status", "said"), [("/dev/full", 2, "cannot be written"), (None, 0, "")])
def test_a_stdout_that_takes_nothing_is_no_crash(make: Make, target: str | None, status: int, said: str) -> None:
    """A full disk is told in one line; a closed stdout takes the result as nobody wants it."""
    command = f"exec {sys.executable} -m testbench show {make()} >{target or '&-'}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
    assert done.returncode == status
    assert said in done.stderr
    assert "Traceback" not in done.stderr
