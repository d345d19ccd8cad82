#!/usr/bin/env python3
"""Write release notes for the newest tag of a git repository, as Markdown on standard output."""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

FORGE = "forge-cli"  # the hosting site's own command line; not everybody has it
SECTIONS = {"Features": "^feat", "Fixes": "^fix", "Documentation": "^docs"}


class Git:
    """Asks one repository, and leaves a pause between two questions."""

    def __init__(self, repository: Path, pause: float) -> None:
        self.repository = repository
        self.pause = pause
        self.calls = 0

    def bytes(self, *arguments: str) -> bytes:
        """Run ``git`` with these arguments and give its standard output as it is."""
        if self.calls:
            time.sleep(self.pause)
        self.calls += 1
        done = subprocess.run(["git", *arguments], cwd=self.repository, capture_output=True, check=True)
        return done.stdout

    def text(self, *arguments: str) -> str:
        """Run ``git`` and give its standard output as text without the last line end."""
        return self.bytes(*arguments).decode("utf-8", "replace").rstrip("\n")

    def lines(self, *arguments: str) -> list[str]:
        """Run ``git`` and give its standard output as lines."""
        return self.text(*arguments).splitlines()


def main() -> int:
    """Collect everything, then print."""
    options = parse()
    started = time.perf_counter()
    git = Git(options.repository, options.pause)
    try:
        notes = list(release_notes(git, options.tag, options.asset))
    except subprocess.CalledProcessError as failed:
        print(failed.stderr.decode("utf-8", "replace"), end="", file=sys.stderr)
        return 1
    print("\n".join(notes))
    now = datetime.now(UTC)
    elapsed = time.perf_counter() - started
    print(f"\n---\n*Generated at {now:%Y-%m-%d %H:%M:%S.%f} UTC by {git.calls} questions in {elapsed:.6f} seconds.*")
    return 0


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("repository", type=Path, help="the working tree to describe")
    parser.add_argument("--tag", help="the release; the newest tag when not given")
    parser.add_argument("--asset", action="append", default=[], help="a file of the release to list with its checksum")
    parser.add_argument("--pause", type=float, default=0.05, help="seconds between two questions (%(default)s)")
    return parser.parse_args()


def release_notes(git: Git, tag: str | None, assets: list[str]) -> Iterable[str]:
    """Give the notes line by line."""
    tag = tag or git.text("describe", "--tags", "--abbrev=0", "HEAD")
    before = git.text("describe", "--tags", "--abbrev=0", f"{tag}^")
    span = f"{before}..{tag}"
    date = git.text("log", "-1", "--format=%cs", tag)
    yield f"# {git.repository.name} {tag} ({date})"
    yield ""
    yield introduction(git, tag)
    for title, pattern in SECTIONS.items():
        yield from section(title, git.lines("log", "--reverse", "--format=%s (%h)", "-E", f"--grep={pattern}", span))
    yield from section("Contributors", contributors(git, before, span))
    yield from section("Assets", [asset(git, tag, name) for name in assets])
    yield from section("In numbers", numbers(git, before, tag, span))


def section(title: str, items: list[str]) -> Iterable[str]:
    """Give a heading and a list, or nothing when there are no items."""
    if items:
        yield from ["", f"## {title}", "", *(f"- {item}" for item in items)]


def introduction(git: Git, tag: str) -> str:
    """Take the text that was published, or else what the tag itself says."""
    try:
        published = subprocess.run([FORGE, "release", "view", tag], capture_output=True, text=True)
    except FileNotFoundError:
        return git.text("tag", "--list", "--format=%(contents)", tag)
    return published.stdout.strip() or git.text("tag", "--list", "--format=%(contents)", tag)


def contributors(git: Git, before: str, span: str) -> list[str]:
    """Name who took part, most commits first, and mark who is new."""
    known = set(git.lines("log", "--format=%an", before))
    rows = [line.strip().split("\t") for line in git.lines("shortlog", "--summary", "--numbered", span)]
    return [f"{name}: {count}{'' if name in known else ', first contribution'}" for count, name in rows]


def asset(git: Git, tag: str, name: str) -> str:
    """Describe one file of the release by its size and checksum."""
    blob = git.text("rev-parse", f"{tag}:{name}")
    size = int(git.text("cat-file", "-s", blob))
    content = git.bytes("cat-file", "blob", blob)
    return f"`{name}`: {size} bytes, sha256 `{hashlib.sha256(content).hexdigest()}`"


def numbers(git: Git, before: str, tag: str, span: str) -> list[str]:
    """Say how large the release is and where it can be compared."""
    commits = git.text("rev-list", "--count", span)
    merges = git.text("rev-list", "--count", "--merges", span)
    total = git.lines("diff", "--stat", before, tag)[-1].strip()
    root = git.text("rev-list", "--max-parents=0", "--format=%cs", "--no-commit-header", tag)
    state = "dirty" if git.bytes("status", "--porcelain") else "clean"
    return [
        f"{commits} commits, {merges} of them merges; {total}",
        f"compare: {compare(git, before, tag)}",
        f"the project began on {root}; the working tree is {state}; written with {git.text('--version')}",
    ]


def compare(git: Git, before: str, tag: str) -> str:
    """Link to the comparison on the hosting site, or give the commits where there is no such site."""
    try:
        site = git.text("config", "--get", "remote.origin.url")
    except subprocess.CalledProcessError:  # status 1: this repository has no remote
        return "..".join(git.text("rev-parse", "--short=12", f"{name}^{{commit}}") for name in (before, tag))
    return f"{site.removesuffix('.git')}/compare/{before}...{tag}"


if __name__ == "__main__":
    sys.exit(main())
