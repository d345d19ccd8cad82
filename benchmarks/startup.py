"""What it costs to import the package, and to open and read a tape of a million events."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from _table import at_most, best_ns

from testbench.tape import Returned, TapeFile, Writer

EVENTS = 1_000_000
ROUNDS = 20

INFO = """
import sys
from testbench.inplace.real import perf_counter_ns
from testbench import open_tape
start = perf_counter_ns()
with open_tape(sys.argv[1]) as tape:
    info = tape.info()
print(perf_counter_ns() - start)
assert info.events == 1_000_000
"""

READ = """
import re, sys
from testbench import open_tape
# Not ru_maxrss: after an exec it still knows how large the parent was.
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
with open_tape(sys.argv[1]) as tape:
    tape.info()
    before = peak()
    assert sum(1 for event in tape) == 1_000_000
    print(peak() - before)
"""


def main() -> None:
    """Measure each in fresh interpreters."""
    bare = best_ns(lambda: python("pass"), ROUNDS)
    ours = best_ns(lambda: python("import testbench"), ROUNDS)
    at_most("import testbench, beyond bare Python", (ours - bare) / 1e6, 60, " ms")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "million.tape"
        write(path)
        opened = min(int(python(INFO, str(path))) for _ in range(ROUNDS))
        at_most("open and info of a tape of 1,000,000 events", opened / 1e6, 20, " ms")
        at_most("memory added by reading it whole", int(python(READ, str(path))) / 1024, 32, " MiB")


def python(code: str, *arguments: str) -> str:
    """Run code in a fresh interpreter and return what it prints."""
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def write(path: Path) -> None:
    """Write a tape of a million events of two kinds, with a payload now and then."""
    file = TapeFile.create(path)
    writer = Writer(file.fd, {})
    call = writer.kind("call.lookup", ["key", "took_ns", "outcome"])
    clock = writer.kind("clock.time", ["values"])
    for number in range(EVENTS // 2):
        writer.event([clock, 1000, 0, writer.run_body([1.7e9 + number, 1.7e9 + number + 0.5])])
        answer = b"%d" % number * (400 if number % 1000 == 0 else 1)
        writer.event([call, 2000, 0, writer.call_body([f"key {number}", 1500], Returned(answer))])
    writer.close()
    file.commit()


if __name__ == "__main__":
    main()
