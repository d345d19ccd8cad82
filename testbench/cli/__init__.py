"""The command line: one file per command, each a thin twin of a function in `testbench._api`."""

from __future__ import annotations

from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    Args:
        argv: the words after ``testbench``; those of this process when None.
    """
    # Not above: this package is also imported inside every recorded program, which should not pay for argparse.
    from testbench.cli._main import run

    return run(argv)
