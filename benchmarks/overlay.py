"""What an overlay costs: reads through it beside plain ones, children, and 10,000 files from beginning to end."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from _table import at_most, beside, best_ns

import testbench
from testbench.inplace import private
from testbench.overlay._guard import passing

FILES = 40
ROUNDS = 1000
MANY = 100

plain_open = private(open)
"""What `open` is without an overlay, within one."""


def main() -> None:
    """Measure."""
    with tempfile.TemporaryDirectory() as folder:
        reads(Path(folder, "reads", "a", "b", "c"))
        children(Path(folder, "children"))
        many(Path(folder, "many"))


def reads(root: Path) -> None:
    """Print what a read costs, by turns with plain ones."""
    root.mkdir(parents=True)
    names = [str(root / str(number)) for number in range(FILES)]
    for name in names:
        Path(name).write_bytes(b"x" * 1000)

    def through(opens: Callable[..., object]) -> None:
        for name in names:
            with opens(name) as file:  # type: ignore[attr-defined]
                file.read()

    plain, overlaid = [], []
    with testbench.Overlay(root):
        for _ in range(ROUNDS):
            with passing():
                plain.append(best_ns(lambda: through(plain_open), 1))
            overlaid.append(best_ns(lambda: through(open), 1))
    beside("open().read() of 1 kB, plain", min(plain) / FILES / 1000, " us")
    at_most("open().read() through an overlay, times the plain one", min(overlaid) / min(plain), 2)


def children(root: Path) -> None:
    """Print what a child costs."""
    root.mkdir()

    def child() -> None:
        subprocess.run(["true"], check=True)

    plain = best_ns(child, 50)
    with testbench.Overlay(root):
        first = best_ns(child, 1)
        beside("a child in an overlay, times the plain one", best_ns(child, 50) / plain)
        beside("the first child in an overlay", first / 1e6, " ms")


def many(root: Path) -> None:
    """Print what 10,000 files cost, written, compared, as a patch, applied; and a second overlay of them."""
    root.mkdir()
    with testbench.Overlay(root) as overlay:
        with taking("10,000 files written in an overlay"):
            for folder in range(MANY):
                os.mkdir(f"{root}/{folder}")
                for number in range(MANY):
                    with open(f"{root}/{folder}/{number}", "wb") as file:
                        file.write(b"%d" % folder * number)
        with taking("10,000 files compared"):
            diff = overlay.diff()
        with taking("10,000 files as a patch"):
            diff.patch()
        with taking("10,000 files applied"):
            overlay.apply()
    with taking("an overlay of 10,000 files opened and closed"), testbench.Overlay(root):
        pass


@contextmanager
def taking(name: str) -> Iterator[None]:
    """Print how long the body takes."""
    begun_s = time.monotonic()
    yield
    beside(name, time.monotonic() - begun_s, " s")


if __name__ == "__main__":
    main()
