"""Record real programs that keep their state in files which children write; replay them with their tools gone.

Each runs three times, each time in a new copy of the same beginning: plainly, recorded, and replayed. For the replay
PATH leads nowhere, and what the children made is not there, the repository included. What was printed and every file
that is there in the end have to be as recorded, but for addresses in memory. Exit status 1 means that something
differed.

The programs come from packages, of versions that are named here, into an environment of its own.
"""

from __future__ import annotations

import argparse
import filecmp
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from file_programs import PACKAGES, PROGRAMS, Program

ROOT = Path(__file__).resolve().parents[1]
ADDRESS = re.compile(rb"0x[0-9a-f]{6,}|\b1\d{14}\b")
LIMIT_S = 600


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="scripts/prove_files", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="PROGRAM", help=f"only these: {', '.join(PROGRAMS)}")
    parser.add_argument("--venv", type=Path, metavar="FOLDER", help="the environment; made there if it is not")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep tapes, outputs and files there")
    options = parser.parse_args()
    if unknown := set(options.names) - set(PROGRAMS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; expected some of {', '.join(PROGRAMS)}")
    return options


def main() -> int:
    """Prove, and print a table."""
    options = parse()
    with tempfile.TemporaryDirectory(prefix="files-") as folder:
        root = options.keep.resolve() if options.keep else Path(folder)
        root.mkdir(parents=True, exist_ok=True)
        python = environment(options.venv.resolve() if options.venv else root / "venv")
        print("| program | children | replay | files | real s | recorded s | replayed s | tape KB |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
        good = [prove(name, PROGRAMS[name], python, root / name) for name in options.names or PROGRAMS]
    return 0 if all(good) else 1


def environment(venv: Path) -> Path:
    """Return the interpreter of an environment that has the programs."""
    python = venv / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, *PACKAGES, "cbor2", "attrs"], check=True)
    return python


def prove(name: str, program: Program, python: Path, root: Path) -> bool:
    """Run one program three times, and print how they compare."""
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    beginning, place, tape = root / "beginning", root / "place", root / "run.tape"
    program.prepare(python, beginning)
    command = [str(part) for part in program.command(python, place)]
    testbench = [str(python), "-m", "testbench"]
    took_s = {}
    ways = {
        "real": command,
        "recorded": [*testbench, "record", "-o", str(tape), *program.options(place), "--", *command],
        "replayed": [*testbench, "replay", str(tape), *program.places(place), "--", *command],
    }
    for way, words in ways.items():
        shutil.copytree(beginning, place, symlinks=True)
        if way == "replayed":
            for gone in program.gone:
                shutil.rmtree(place / gone)
        begun_s = time.monotonic()
        (root / f"{way}.out").write_bytes(run(words, place, program.inside, python, gone=way == "replayed"))
        took_s[way] = time.monotonic() - begun_s
        place.rename(root / way)
    differences = list(compared(root, program.gone))
    for difference in differences:
        print(f"{name}: {difference}", file=sys.stderr)
    count = sum(len(files) for _, _, files in os.walk(root / "recorded"))
    verdict = "as recorded" if not differences else f"{len(differences)} differences"
    told = program.told((root / "replayed.out").read_text(errors="replace"))
    print(
        f"| {program.title} | {children(python, tape)} | {told}, {verdict} | {count} | {took_s['real']:.1f} "
        f"| {took_s['recorded']:.1f} | {took_s['replayed']:.1f} | {tape.stat().st_size >> 10} |",
        flush=True,
    )
    return not differences


def run(words: list[str], place: Path, inside: str, python: Path, *, gone: bool) -> bytes:
    """Run a command; return what it printed, and its exit status."""
    world = {key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "PYTEST_", "CI"))}
    world |= {
        "PYTHONPATH": str(ROOT),
        "PYTHONHASHSEED": "0",  # the order of sets is in some outputs
        "PATH": "/nonexistent" if gone else f"{python.parent}:{os.environ['PATH']}",
        "HOME": str(place / "made"),
        "PRE_COMMIT_HOME": str(place / ".pre-commit"),
    }
    done = subprocess.run(
        words, cwd=place / inside, env=world, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT_S
    )
    return ADDRESS.sub(b"0x", done.stdout) + b"\nexit status %d\n" % done.returncode


def children(python: Path, tape: Path) -> int:
    """Return how many children a tape has."""
    code = "import sys, testbench; print(len(list(testbench.open_tape(sys.argv[1]).processes())))"
    world = {**os.environ, "PYTHONPATH": str(ROOT)}
    return int(subprocess.run([python, "-c", code, tape], env=world, stdout=subprocess.PIPE, check=True).stdout)


def compared(root: Path, gone: tuple[str, ...]) -> Iterator[str]:
    """Give what is another in the replayed run than in the recorded one."""
    if (root / "recorded.out").read_bytes() != (root / "replayed.out").read_bytes():
        yield f"another output: diff {root}/recorded.out {root}/replayed.out"
    left, right = (names(root / "recorded"), names(root / "replayed"))
    for path in sorted(left | right):
        if path.split("/")[0] in gone:
            continue
        if path not in left or path not in right:
            yield f"only {'recorded' if path in left else 'replayed'}: {path}"
        elif not same(root / "recorded" / path, root / "replayed" / path):
            yield f"another file: {path}"


def names(root: Path) -> set[str]:
    """Return the paths of all that is in a directory."""
    found = os.walk(root)
    return {os.path.relpath(os.path.join(top, name), root) for top, *both in found for some in both for name in some}


def same(one: Path, other: Path) -> bool:
    """Tell whether two files are of the same kind and mode, and have the same content."""
    modes = {path.lstat().st_mode for path in (one, other)}
    if len(modes) > 1:
        return False
    if one.is_symlink():
        return os.readlink(one) == os.readlink(other)
    return not stat.S_ISREG(modes.pop()) or filecmp.cmp(one, other, shallow=False)


if __name__ == "__main__":
    sys.exit(main())
