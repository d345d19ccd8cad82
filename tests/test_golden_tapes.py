"""The tapes in the repository: they can be made again, the good ones are good, each broken one says what it is."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import testbench
from testbench import TapeError

ROOT = Path(__file__).parent.parent
TAPES = ROOT / "tapes"
GOLDEN = sorted(path.relative_to(TAPES).as_posix() for path in TAPES.rglob("*.tape") if path.parent.name != "broken")

spec = importlib.util.spec_from_file_location("make_tapes", ROOT / "scripts" / "make_tapes.py")
assert spec is not None
assert spec.loader is not None
make_tapes: Any = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make_tapes)

NO_TAPE = {"NotATapeError"}
UNREADABLE = {"TapeVersionError"}
DAMAGED = {"TapeDamagedError"}
INCOMPLETE = {"TapeIncompleteError"}
BROKEN: dict[str, set[str]] = {
    "bit-flip-in-event.tape": DAMAGED,
    "bit-flip-in-digest-name.tape": DAMAGED,
    "bit-flip-in-header.tape": DAMAGED,
    "bit-flip-in-kind.tape": INCOMPLETE,
    "bit-flip-in-meta.tape": DAMAGED,
    "bit-flip-in-index.tape": INCOMPLETE | DAMAGED,
    "blob-missing.tape": INCOMPLETE,
    "blob-wrong-digest.tape": {"BlobDamagedError"},
    "cut-in-event.tape": INCOMPLETE | DAMAGED,
    "cut-in-header.tape": DAMAGED | NO_TAPE,
    "empty-file.tape": NO_TAPE,
    "hostile-duplicate-keys.tape": INCOMPLETE | DAMAGED,
    "hostile-huge-length.tape": INCOMPLETE | DAMAGED,
    "hostile-nesting.tape": INCOMPLETE | DAMAGED,
    "newer-version.tape": UNREADABLE,
    "not-a-tape.tape": NO_TAPE,
    "other-digest-function.tape": UNREADABLE,
    "trailing-bytes.tape": INCOMPLETE | DAMAGED,
    "unfinished.tape": INCOMPLETE,
}


def test_the_tapes_can_be_made_again_byte_for_byte(tmp_path: Path) -> None:
    """scripts/tapes gives what is in the repository, on every Python and every machine."""
    subprocess.run([sys.executable, ROOT / "scripts" / "make_tapes.py", tmp_path], check=True)
    made = {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in tmp_path.rglob("*.tape")}
    kept = {path.relative_to(TAPES).as_posix(): path.read_bytes() for path in TAPES.rglob("*.tape")}
    assert sorted(made) == sorted(kept)
    assert [name for name in made if made[name] != kept[name]] == []


@pytest.mark.parametrize("name", GOLDEN)
def test_a_golden_tape_is_sound(name: str) -> None:
    """Nothing is found wrong with it, and every event can be looked at."""
    assert [finding for finding in testbench.check(TAPES / name) if finding.severity != "info"] == []
    with testbench.open_tape(TAPES / name) as tape:
        assert len(list(tape)) == len(tape)


@pytest.mark.parametrize("name", GOLDEN)
def test_a_golden_tape_replays_the_program_that_made_it(name: str, tmp_path: Path) -> None:
    """The program gets through, with no program on PATH, and recording the replay gives the same bytes."""
    with pytest.MonkeyPatch.context() as world:
        world.setenv("PATH", "/nonexistent")
        with testbench.replay(TAPES / name, rerecord=tmp_path / "again.tape"):
            make_tapes.GOLDEN[name]()
    assert (tmp_path / "again.tape").read_bytes() == (TAPES / name).read_bytes()


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_a_broken_tape_is_refused_with_its_own_error(name: str) -> None:
    """Replaying it raises what it is: no tape, too new, unfinished or damaged; check finds it; nothing else happens."""
    source, _ = make_tapes.BROKEN[name]
    with pytest.raises(TapeError) as caught, testbench.replay(TAPES / "broken" / name):
        make_tapes.GOLDEN[source]()
    assert type(caught.value).__name__ in BROKEN[name]
    assert str(TAPES / "broken" / name) in str(caught.value)
    try:
        found = [finding for finding in testbench.check(TAPES / "broken" / name) if finding.severity != "info"]
    except TapeError as error:
        found = [error]
    assert found


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("bit-flip-in-digest-name.tape", {"header"}),
        ("bit-flip-in-header.tape", {"header"}),
        ("bit-flip-in-kind.tape", {"kind-digest", "event", "incomplete"}),
        ("bit-flip-in-meta.tape", {"header", "incomplete"}),
        ("other-digest-function.tape", {"not-verified"}),
        ("unfinished.tape", {"incomplete"}),
    ],
)
def test_a_check_names_the_fault_and_no_other(name: str, codes: set[str]) -> None:
    """A header and a kind-def prove themselves, on unfinished tapes too; one fault is not taken for another."""
    assert {finding.code for finding in testbench.check(TAPES / "broken" / name)} == codes


def test_every_tape_is_described() -> None:
    """The README of the folder says how each was made."""
    text = (TAPES / "README.md").read_text()
    assert [path.name for path in TAPES.rglob("*.tape") if path.name not in text] == []
