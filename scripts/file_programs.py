"""The real programs of `scripts/prove_files`: what each begins with, its command, and what is gone on replay."""

from __future__ import annotations

import re
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

PACKAGES = (
    "setuptools_scm==8.1.0",
    "pytest==8.3.4",
    "build",
    "wheel",
    "meson==1.6.1",
    "ninja",
    "mkdocs==1.6.1",
    "mkdocs-git-revision-date-localized-plugin==1.3.0",
    "pre-commit==4.0.1",
)

GIT = ("git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "init.defaultBranch=main")
SEALED = ("--effects", "roots", "--files", "sealed")


@attrs.frozen
class Program:
    """One program.

    Attributes:
        title: what it is.
        prepare: makes the directory that it begins with.
        command: what is run in a copy of that.
        told: finds in what was printed how it went.
        options: of the recording.
        places: options of the replay.
        gone: what is not there on replay besides what the children made.
        inside: where in the copy it is run.
    """

    title: str
    prepare: Callable[[Path, Path], None]
    command: Callable[[Path, Path], tuple[Any, ...]]
    told: Callable[[str], str]
    options: Callable[[Path], tuple[str, ...]] = lambda place: SEALED
    places: Callable[[Path], tuple[str, ...]] = lambda place: ()
    gone: tuple[str, ...] = (".git",)
    inside: str = ""


def _suite(python: Path, beginning: Path) -> None:
    """Unpack the source of setuptools_scm, with its tests."""
    download = [python, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    folder = beginning.parent / "download"
    subprocess.run([*download, "--no-binary", ":all:", "--no-build-isolation", "-d", folder, PACKAGES[0]], check=True)
    [archive] = folder.glob("*.tar.gz")
    with tarfile.open(archive) as source:
        source.extractall(folder, filter="data")
    (beginning / "made").mkdir(parents=True)
    next(path for path in folder.iterdir() if path.is_dir()).rename(beginning / "suite")


def _repository(beginning: Path, **files: str) -> None:
    beginning.mkdir()
    for name, text in files.items():
        path = beginning / name.replace("__", "/")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


def _committed(beginning: Path, *messages: str) -> None:
    subprocess.run([*GIT, "init", "-q"], cwd=beginning, check=True)
    subprocess.run([*GIT, "add", "-A"], cwd=beginning, check=True)
    for message in messages:
        subprocess.run([*GIT, "commit", "-q", "--allow-empty", "-m", message], cwd=beginning, check=True)


MESON = """
project('probe', 'c', version: run_command('git', 'rev-parse', 'HEAD', check: true).stdout().strip())
cc = meson.get_compiler('c')
conf = configuration_data()
foreach header : ['stdio.h', 'unistd.h', 'sys/epoll.h', 'sys/event.h', 'windows.h', 'linux/landlock.h']
  conf.set10('HAVE_' + header.underscorify().to_upper(), cc.has_header(header))
endforeach
foreach function : ['memfd_create', 'strlcpy', 'kqueue', 'getrandom', 'statx']
  conf.set10('HAVE_' + function.to_upper(), cc.has_function(function))
endforeach
conf.set('SIZEOF_LONG', cc.sizeof('long'))
conf.set('SIZEOF_WCHAR_T', cc.sizeof('wchar_t', prefix: '#include <wchar.h>'))
conf.set('ANSWER', cc.compute_int('6 * 7'))
runs = cc.run('#include <stdio.h>\\nint main(void) { printf("%d", 1 << 4); return 0; }', name: 'a program')
conf.set('RUNS', runs.stdout())
conf.set10('HAVE_WSHADOW', cc.has_argument('-Wshadow'))
conf.set_quoted('VERSION', meson.project_version())
configure_file(output: 'config.h', configuration: conf)
executable('probe', 'main.c')
"""


def _probes(python: Path, beginning: Path) -> None:
    _repository(beginning, **{"meson.build": MESON, "main.c": "int main(void) { return 0; }\n"})
    _committed(beginning, "one")


SITE = """
site_name: Probe
plugins:
  - search
  - git-revision-date-localized:
      type: iso_datetime
      enable_creation_date: true
"""


def _site(python: Path, beginning: Path) -> None:
    page = "# Page\n\nLast changed {{ git_revision_date_localized }}\n"
    pages = {f"docs__{name}.md": page for name in ("index", "one", "two", "three")}
    _repository(beginning, **{"mkdocs.yml": SITE, **pages})
    _committed(beginning, "one", "two")


HOOKS = r"""
repos:
  - repo: local
    hooks:
      - {id: blanks, name: blanks are taken away, language: system, entry: 'sed -i -e "s/[ ]*$//"', files: \.txt$}
      - {id: shell, name: scripts are sound, language: system, entry: sh -n, files: \.sh$}
      - {id: sums, name: sums are fresh, language: system, entry: "sh -c 'cksum *.txt > sums'", pass_filenames: false}
"""


def _hooks(python: Path, beginning: Path) -> None:
    texts = {f"{name}.txt": "one  \ntwo\n" for name in "abc"}
    _repository(beginning, **{".pre-commit-config.yaml": HOOKS, "run.sh": 'echo "$1"\n', **texts})
    _committed(beginning, "one")


def _last(pattern: str) -> Callable[[str], str]:
    """Return what gives the last text that fits a pattern."""
    return lambda printed: (re.findall(pattern, printed) or ["nothing"])[-1].strip()


def _roots(place: Path) -> str:
    return f"{place}/made"


PROGRAMS = {
    "setuptools_scm": Program(
        "test suite of setuptools_scm 8.1.0 (git)",
        _suite,
        lambda python, place: (
            *(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rA"),
            *(f"--basetemp={place}/made/t", "testing"),
        ),
        _last(r"\d+ passed[^\n]*?(?= in )"),
        lambda place: ("--effects", "roots", "--roots", _roots(place)),
        lambda place: ("--roots", _roots(place)),
        gone=(),
        inside="suite",
    ),
    "meson": Program(
        "meson setup, compiling probes (cc, ninja, git)",
        _probes,
        lambda python, place: (python.parent / "meson", "setup", "build"),
        lambda printed: f"{printed.count(': YES')} YES, {printed.count(': NO')} NO",
    ),
    "mkdocs": Program(
        "mkdocs build with dates of revisions (git)",
        _site,
        lambda python, place: (python.parent / "mkdocs", "build", "-d", "site"),
        lambda printed: "site built" if "Documentation built" in printed else "nothing",
    ),
    "pre-commit": Program(
        "pre-commit run --all-files (git, sed, sh)",
        _hooks,
        lambda python, place: (python.parent / "pre-commit", "run", "--all-files"),
        lambda printed: f"{printed.count('Passed')} hooks passed, {printed.count('Failed')} changed files",
    ),
}
