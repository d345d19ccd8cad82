"""``python -m testbench``: the command line."""

from __future__ import annotations

import sys

from testbench.cli import main

if __name__ == "__main__":
    sys.exit(main())
