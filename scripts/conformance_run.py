"""Run tests of CPython itself three ways: stock, recorded, and replayed by a process that cannot start another one.

Every test that passes stock has to pass recorded, and again replayed, except for those that are listed with a reason in
docs/reference/conformance.md. Exit status 1 means that another one differs.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from pathlib import Path

from conformance_table import Module, expected, render
from conformance_ways import Limits, run_module

MODULES = ["test.test_subprocess", "test.test_popen", "test.test_asyncio.test_subprocess"]
HERE = Path(__file__).resolve().parent
QUICK = HERE / "conformance_quick.txt"
LIST = HERE.parent / "docs" / "reference" / "conformance.md"


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="scripts/conformance", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="test.NAME", help="modules, classes, single tests; the default are three modules"
    )
    parser.add_argument("--python", metavar="VERSION", help="with this Python; has to come first")
    parser.add_argument("--quick", action="store_true", help=f"only the tests of {QUICK.name}")
    parser.add_argument("--match", metavar="TEXT", help="only tests with this text in their names")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument("--tracebacks", action="store_true", help="print the traceback of each test that differs")
    parser.add_argument("--keep", metavar="FOLDER", type=Path, help="keep tapes, reports and output there")
    parser.add_argument(
        "--limit", metavar="SECONDS", type=float, default=30.0, help="for one test, replayed a third (%(default)s)"
    )
    options = parser.parse_args()
    if options.python:
        parser.error("--python VERSION has to come first")
    return options


def wanted(options: argparse.Namespace) -> dict[str, list[str] | None]:
    """Return the modules to run, and of each the tests; None means all of them."""
    names = QUICK.read_text(encoding="utf-8").split() if options.quick else options.names or MODULES
    modules: dict[str, list[str] | None] = {}
    for name in names:
        module = module_of(name)
        if name == module:
            modules[module] = None
        elif (tests := modules.setdefault(module, [])) is not None:
            tests.append(name)
    return modules


def module_of(name: str) -> str:
    """Return the module that a test is in: what comes before its class."""
    parts = name.split(".")
    classes = [place for place, part in enumerate(parts) if part[:1].isupper()]
    return ".".join(parts[: classes[0]] if classes else parts)


def main() -> int:
    """Run everything, print what came, and say whether that was expected."""
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that no child is left
    with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
        root = options.keep.resolve() if options.keep else Path(folder)
        modules = [
            run_module(name, tests, root / name, Limits(options.limit, options.match or ""))
            for name, tests in wanted(options).items()
        ]
    return finish(modules, options)


def finish(modules: list[Module], options: argparse.Namespace) -> int:
    """Print, and return the exit status."""
    listed = expected(LIST)
    surprises = [found for module in modules for found in module.differences() if not listed.has(found)]
    if options.json:
        print(json.dumps([module.plain() for module in modules], indent=1))
    else:
        print("\n".join(render(modules, listed, tracebacks=options.tracebacks)))
    if not any(module.passed("stock") for module in modules):
        print("no test passed stock, so that nothing was compared; are these names right?", file=sys.stderr)
        return 1
    return 1 if surprises else 0


if __name__ == "__main__":
    sys.exit(main())
