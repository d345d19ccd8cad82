"""The tape beside its floors and beside MCAP: what writing, scanning and opening cost, in ratios of one run."""

from __future__ import annotations

import hashlib
import io
import os
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cbor2
import mcap.writer
from _table import at_most, beside, best_ns

from testbench.tape import Reader, Writer

EVENTS = 100_000
BATCH = 256
SEED = 20260101
KINDS = ("clock.time", "random.bytes", "env.get", "file.read", "process.spawn", "call.rate")

Batch = list[list[Any]]


def main() -> None:
    """Print one ratio per line."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.tape"
        events_alone("small", small(), path, 2.0)
        events_alone("mixed", mixed(), path, 1.3)
        payloads(path)
        million(path)


def events_alone(name: str, events: Batch, path: Path, goal: float) -> None:
    """Write and scan events without payloads."""
    batches = [events[at : at + BATCH] for at in range(0, EVENTS, BATCH)]
    slabs = [cbor2.dumps(batch) for batch in batches]
    writing(path, events, close=True)()
    size = path.stat().st_size
    encoded = best_ns(lambda: each(cbor2.dumps, batches), 9)
    decoded = best_ns(lambda: each(cbor2.loads, slabs), 9)
    at_most(f"write {name} events / bare cbor2.dumps of batches", best_ns(writing(path, events), 9) / encoded, goal)
    beside(f"write {name} events with mcap / bare cbor2.dumps", best_ns(mcap_writing(path, events), 3) / encoded)
    writing(path, events, close=True)()
    at_most(f"scan {name} events, proved / bare cbor2.loads of slabs", best_ns(scanning(path), 9) / decoded, 1.3)
    at_most(f"{name} events, bytes on the tape / bytes of the slabs", size / sum(map(len, slabs)), 1.03)


def each(work: Callable[[Any], Any], things: list[Any]) -> None:
    """Do something with each thing and keep nothing."""
    for thing in things:
        work(thing)


def small() -> Batch:
    """Make events of one number each, as clock reads that find no run are."""
    return [[1 + n % len(KINDS), 1000 + n % 5000, 0, 10**17 + 7919 * n] for n in range(EVENTS)]


def mixed() -> Batch:
    """Make events as a program makes them: half of them clock reads, the rest requests and outcomes."""
    dice = random.Random(SEED)
    bodies: tuple[Callable[[], Any], ...] = (
        lambda: 10**17 + dice.randrange(10**12),
        lambda: dice.randbytes(16),
        lambda: [dice.choice(("APP_HOME", "APP_MODE", "APP_REGION")), 300, "eu-west-1"],
        lambda: [f"/srv/app/data/{dice.randrange(100):05}.json", dice.randrange(9000), 4000, dice.randbytes(32)],
        lambda: [
            ["git", "rev-parse", "--short", "HEAD"],
            "/srv/app",
            0,
            dice.randrange(10**8),
            dice.randbytes(32),
            b"",
        ],
        lambda: [["app.rates:lookup", [dice.randrange(1000), "EUR"]], 900, dice.random()],
    )
    kinds = dice.choices(range(len(bodies)), (60, 15, 5, 7, 3, 10), k=EVENTS)
    return [[1 + kind, int(dice.expovariate(1 / 40_000)), 0, bodies[kind]()] for kind in kinds]


def writing(path: Path, events: Batch, *, close: bool = False) -> Callable[[], None]:
    """Write a whole tape, flushed; closing it waits for the disk, which is not what is measured."""

    def work() -> None:
        path.unlink(missing_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT)
        writer = Writer(fd, {})
        for kind in KINDS:
            writer.kind(kind, ["value"])
        append = writer.event
        for event in events:
            append(event)
        writer.flush()
        if close:
            writer.close()
        os.close(fd)

    return work


def mcap_writing(path: Path, events: Batch) -> Callable[[], None]:
    """Write the same events with the MCAP writer for Python, not compressed, one CBOR message each."""

    def work() -> None:
        with path.with_suffix(".mcap").open("wb") as file:
            writer = mcap.writer.Writer(file, compression=mcap.writer.CompressionType.NONE)
            writer.start()
            schema = writer.register_schema("event", "", b"")
            channels = [writer.register_channel(kind, "cbor", schema) for kind in ("none", *KINDS)]
            at_ns = 0
            for kind, dt_ns, _, body in events:
                at_ns += dt_ns
                writer.add_message(channels[kind], at_ns, cbor2.dumps(body), at_ns)
            writer.finish()

    return work


def scanning(path: Path) -> Callable[[], None]:
    """Read every event, each segment proved by its digest."""

    def work() -> None:
        with Reader.open(path) as reader:
            for _ in reader.events():
                pass

    return work


def payloads(path: Path) -> None:
    """Write one payload per eight events, half of them seen before, beside encoding, hashing and writing the same."""
    dice = random.Random(SEED)
    blobs = [dice.randbytes(dice.randrange(4 << 10, 64 << 10)) for _ in range(500)]
    rows = [blobs[n // 8 % 500] if n % 8 == 0 else None for n in range(8000)]

    def floor() -> None:
        file, seen = io.BytesIO(), set()
        for blob in filter(None, rows):
            digest = hashlib.sha256(blob).digest()
            if digest not in seen:
                seen.add(digest)
                file.write(blob)
        path.with_suffix(".raw").write_bytes(file.getvalue())
        for start in range(0, len(rows), BATCH):
            cbor2.dumps([[1, 5, 0, bytes(32)]] * len(rows[start : start + BATCH]))

    def work() -> None:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        writer = Writer(fd, {})
        writer.kind("file.read", ["data"])
        for blob in rows:
            writer.event([1, 5, 0, writer.blob(blob) if blob else bytes(32)])
        writer.close()
        os.close(fd)

    at_most("write with payloads / encode, hash and write the same", best_ns(work, 5) / best_ns(floor, 5), 1.5)


def million(path: Path) -> None:
    """Open a tape of a million events and count them by kind."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    writer = Writer(fd, {})
    for kind in KINDS:
        writer.kind(kind, ["value"])
    for n in range(1_000_000):
        writer.event([1 + n % len(KINDS), 1000, 0, n])
    writer.close()
    os.close(fd)

    def counting() -> None:
        with Reader.open(path) as reader:
            assert sum(reader.counts.values()) == 1_000_000

    def seeking() -> None:
        with Reader.open(path) as reader:
            assert next(reader.events(start=777_777))[3] == 777_777

    at_most("open a tape of 1e6 events and count by kind", best_ns(counting, 20) / 1e6, 20, " ms")
    at_most("open it and read event 777,777", best_ns(seeking, 20) / 1e6, 20, " ms")


if __name__ == "__main__":
    main()
