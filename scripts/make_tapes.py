"""Make the golden and the broken tapes: ``make_tapes.py [FOLDER]``; byte for byte the same on every machine.

Golden tapes are recordings of the small programs below, under a paused clock. Broken tapes are golden ones with one
fault each, made by the functions below.
"""

from __future__ import annotations

import datetime
import hashlib
import os
import queue
import random
import secrets
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import testbench
from testbench import boundary
from testbench.recorders import Randomness, Wait

START = "2026-01-01T00:00:00Z"


@boundary(name="shop.price")
def price(item: str, amount: int = 1) -> Any:
    """Answer in every shape that a value can have."""
    return {"item": item, "total": 2.5 * amount, "tags": ("tea", {1, 2}), "raw": b"\x00\xff", "odd": "\udc80"}


@boundary(name="shop.order")
def order(item: str) -> None:
    """Refuse, as shops do."""
    raise LookupError(f"{item} is sold out", 404)


@boundary(name="shop.catalogue")
def catalogue(pages: int) -> Any:
    """Answer with payloads large enough to be kept as blobs, one of them twice."""
    page = bytes(range(256)) * 40
    return {"pages": [page] * pages, "text": "long text, " * 500, "index": list(range(3000))}


def run(*argv: str, **options: Any) -> Any:
    """Run a program to its end, its output captured."""
    return subprocess.run(
        argv, stdin=subprocess.DEVNULL if "input" not in options else None, capture_output=True, **options
    )


def clock_faces() -> None:
    """Read every face of the clock, some of them often, and sleep between."""
    for face in (time.time, time.monotonic, time.perf_counter, time.process_time, time.thread_time):
        face()
    for _ in range(600):
        time.time_ns()
    time.sleep(1.5)
    time.monotonic_ns()
    datetime.datetime.now(datetime.UTC)
    time.gmtime()


def process_outcomes() -> None:
    """Start children that end in every way: well, badly, by a signal, in time or not, and not at all."""
    run("sh", "-c", "printf 'out\\377\\000'; printf err >&2; exit 3")
    run("cat", input=b"what goes in \xfe comes out")
    run("sh", "-c", "kill -9 $$")
    run("cat", input="text\n", text=True, encoding="utf-8")
    run("sh", "-c", "printf '%s' \"$GREETING\"", env={"GREETING": "hello", "PATH": os.defpath})
    for program in ("no-such-program-anywhere", "/", "/dev/null"):
        try:
            run(program)
        except OSError:
            continue  # that it cannot be started is what is recorded


def process_large() -> None:
    """Read more than a blob holds, the same twice."""
    for _ in range(2):
        run("sh", "-c", "head -c 300000 /dev/zero | tr '\\0' 'x'")


def calls() -> None:
    """Call marked functions: values, an exception, payloads."""
    price("oolong", amount=2)
    price(item="oolong", amount=2)
    try:
        order("sencha")
    except LookupError:
        price("")
    catalogue(3)


def lanes() -> None:
    """Start threads that start threads, one after the other."""

    def outer() -> None:
        price("outer")
        inner = threading.Thread(target=price, args=("inner",))
        inner.start()
        inner.join()

    for _ in range(2):
        thread = threading.Thread(target=outer)
        thread.start()
        thread.join()
    price("main")


def waits() -> None:
    """Wait in time for a lock, an item and the end of a thread; and in vain for an event."""
    threading.Lock().acquire(timeout=5)
    threading.Event().wait(0.001)
    items: queue.SimpleQueue[int] = queue.SimpleQueue()
    thread = threading.Thread(target=items.put, args=(7,))
    thread.start()
    price(str(items.get(timeout=60)))
    thread.join()


def alarms() -> None:
    """Let alarms ring in a sleep and in a pause, and wait for one that is blocked."""
    before = signal.signal(signal.SIGALRM, lambda *_: price("alarm"))
    signal.setitimer(signal.ITIMER_REAL, 1.5, 2)
    time.sleep(4)
    signal.pause()
    signal.setitimer(signal.ITIMER_REAL, 0)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
    signal.alarm(3600)
    signal.sigwait([signal.SIGALRM])
    signal.sigtimedwait([signal.SIGALRM], 60)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    signal.signal(signal.SIGALRM, before)


def nothing() -> None:
    """Cross no boundary at all."""


def draws() -> None:
    """Ask for random bytes, and draw from generators of every origin, alone and in a thread."""
    os.urandom(16)
    uuid.uuid4()
    secrets.token_bytes(2000)
    random.random()
    random.Random(5).random()
    random.shuffle([*range(5)])
    price("between")
    random.random()
    thread = threading.Thread(target=random.getrandbits, args=(8,))
    thread.start()
    thread.join()
    random.gauss(0, 1)


GOLDEN: dict[str, Callable[[], None]] = {
    "call/values.tape": calls,
    "clock/faces.tape": clock_faces,
    "empty/nothing.tape": nothing,
    "lanes/threads.tape": lanes,
    "process/large.tape": process_large,
    "process/outcomes.tape": process_outcomes,
    "random/draws.tape": draws,
    "timer/alarms.tape": alarms,
    "wait/timed.tape": waits,
}

FIRST: dict[str, Any] = {"recorders": ("clock", "process", "call")}
"""The kinds that there were at first: tapes without the others are replayed for ever."""

OPTIONS: dict[str, dict[str, Any]] = {
    "random/draws.tape": {"recorders": (Randomness(1, version=1), "call"), "seed": 1},
    "timer/alarms.tape": {"recorders": ("clock", "timer", "call")},
    "wait/timed.tape": {"recorders": (Wait(version=1), "call")},
}


def header_of(tape: bytes) -> int:
    """Return where the header ends: just before the first item of the next kind."""
    return min(at for at in (tape.find(b"\xda" + tag, 10) for tag in (b"TapK", b"TapI")) if at > 0)


def flip(at: int) -> Callable[[bytes], bytes]:
    """Return a fault that changes one bit."""
    return lambda tape: tape[:at] + bytes([tape[at] ^ 1]) + tape[at + 1 :]


def without_blob(tape: bytes) -> bytes:
    """Cut the first blob out and leave its references; the index is cut off too, as it would tell."""
    at = tape.index(b"\xdaTapB")
    head = at + 5 + 1 + 34  # tag, array head, digest with its head
    size = int.from_bytes(tape[head + 1 : head + 3], "big")
    assert tape[head] == 0x59, "the first blob is between 256 and 65535 bytes long"
    return tape[:at] + unfinished(tape)[head + 3 + size :]


def first_event(tape: bytes) -> int:
    """Return where the first event of the first kind begins."""
    return tape.index(b"\x84\x01", first_kind(tape) + 6)  # a kind-def begins like an event, behind its tag


def first_kind(tape: bytes) -> int:
    """Return where the first kind-def begins."""
    return tape.index(b"\xdaTapK\x84\x01")


def unfinished(tape: bytes) -> bytes:
    """Cut off what a killed recording never wrote."""
    return tape[: tape.index(b"\xdaTapI")]


def other_digest(tape: bytes) -> bytes:
    """Name a digest function that nobody knows, in a header that proves itself."""
    end = header_of(tape)
    start = tape[: end - 32].replace(b"sha-256", b"sha-257")
    return start + hashlib.sha256(start).digest() + tape[end:]


def wrong_digest(tape: bytes) -> bytes:
    """Change one bit in the middle of the first blob, which then has another digest than the one that names it."""
    return flip(tape.index(b"\xdaTapB") + 1000)(tape)


def with_event(body: bytes) -> Callable[[bytes], bytes]:
    """Return a fault that puts a hostile event, unsealed, behind the header."""
    return lambda tape: tape[: header_of(tape)] + b"\x84\x01\x00\x00" + body


BROKEN: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "bit-flip-in-event.tape": ("call/values.tape", lambda tape: flip(first_event(tape) + 8)(tape)),
    "bit-flip-in-digest-name.tape": ("call/values.tape", lambda tape: flip(tape.index(b"sha-256") + 5)(tape)),
    "bit-flip-in-header.tape": ("call/values.tape", flip(20)),
    "bit-flip-in-kind.tape": ("call/values.tape", lambda tape: flip(first_kind(tape) + 10)(unfinished(tape))),
    "bit-flip-in-meta.tape": ("call/values.tape", lambda tape: flip(tape.index(b"recorders") + 2)(unfinished(tape))),
    "bit-flip-in-index.tape": ("call/values.tape", lambda tape: flip(tape.index(b"\xdaTapI") + 12)(tape)),
    "blob-missing.tape": ("call/values.tape", without_blob),
    "blob-wrong-digest.tape": ("call/values.tape", wrong_digest),
    "cut-in-event.tape": ("call/values.tape", lambda tape: tape[: first_event(tape) + 30]),
    "cut-in-header.tape": ("call/values.tape", lambda tape: tape[:15]),
    "empty-file.tape": ("empty/nothing.tape", lambda tape: b""),
    "hostile-duplicate-keys.tape": ("empty/nothing.tape", with_event(b"\xa2\x61a\x01\x61a\x02")),
    "hostile-huge-length.tape": ("empty/nothing.tape", with_event(b"\x5b" + b"\x7f" + b"\xff" * 7)),
    "hostile-nesting.tape": ("empty/nothing.tape", with_event(b"\x81" * 100_000 + b"\x00")),
    "newer-version.tape": ("empty/nothing.tape", lambda tape: tape[:9] + b"\x02" + tape[10:]),
    "not-a-tape.tape": ("empty/nothing.tape", lambda tape: b"Output demo.gif\nType 'this is another kind of tape'\n"),
    "other-digest-function.tape": ("call/values.tape", other_digest),
    "trailing-bytes.tape": ("call/values.tape", lambda tape: tape + b"\x00"),
    "unfinished.tape": ("call/values.tape", unfinished),
}


def make(folder: Path) -> None:
    """Write all tapes below a folder."""
    for name, program in GOLDEN.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with testbench.record(path, clock="paused", start=START, **OPTIONS.get(name, FIRST)):
            program()
    (folder / "broken").mkdir(exist_ok=True)
    for name, (source, fault) in BROKEN.items():
        (folder / "broken" / name).write_bytes(fault((folder / source).read_bytes()))


if __name__ == "__main__":
    make(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent / "tapes"))
