"""A program that talks to its children piece by piece, and through asyncio: ``fine.py MODE TAPE``, see coarse.py."""

from __future__ import annotations

import asyncio
import os
import selectors
import subprocess
from subprocess import PIPE
from typing import Any

from stage import run


def lines() -> Any:
    """Read text line by line."""
    with subprocess.Popen(["sh", "-c", "echo one; echo two"], stdout=PIPE, text=True) as child:
        assert child.stdout is not None
        return list(child.stdout), child.wait()


def dialogue() -> Any:
    """Write and read in turns, in pieces of every size."""
    with subprocess.Popen(["cat"], stdin=PIPE, stdout=PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(b"hello\n")
        child.stdin.flush()
        line = child.stdout.readline()
        child.stdin.write(b"more" * 5000)
        child.stdin.close()
        return line, child.stdout.read(3), child.stdout.read()


def descriptors() -> Any:
    """Read two pipes by descriptor, as they become ready."""
    said: dict[str, bytes] = {"out": b"", "err": b""}
    script = ["sh", "-c", "echo out; echo err >&2"]
    with subprocess.Popen(script, stdout=PIPE, stderr=PIPE) as child, selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ, "out")
        selector.register(child.stderr, selectors.EVENT_READ, "err")
        while selector.get_map():
            for key, _ in selector.select():
                data = os.read(key.fd, 100)
                said[key.data] += data
                if not data:
                    selector.unregister(key.fileobj)
    return said


def event_loop() -> Any:
    """Communicate with a child of asyncio."""

    async def communicate() -> Any:
        child = await asyncio.create_subprocess_exec("cat", stdin=PIPE, stdout=PIPE)
        return await child.communicate(b"in"), child.returncode

    return asyncio.run(communicate())


if __name__ == "__main__":
    run((lines, dialogue, descriptors, event_loop))
