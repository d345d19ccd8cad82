"""Ctrl-C ends a program whose main thread waits, whatever for, in both modes."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

_PROGRAM = '''
import asyncio, os, queue, sys, threading, time
import testbench

verb, tape, what, then = sys.argv[1:]


@testbench.boundary
def ask(what):
    return what


def compute():
    while True:
        pass


def wait_for_lock():
    threading.Thread(target=compute, daemon=True).start()
    say("waits")
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


def wait_for_lane():
    thread = threading.Thread(target=compute, daemon=True)
    thread.start()
    say("waits")
    thread.join()


def wait_for_queue():
    threading.Thread(target=compute, daemon=True).start()
    say("waits")
    queue.SimpleQueue().get()


def wait_for_turn():
    """Ask after a lane that asks first when recorded, and computes for ever when replayed."""
    def other():
        if verb == "replay":
            say("waits")
            compute()
        ask("other")
        asked.set()
        compute()
    asked = threading.Event()
    threading.Thread(target=other, daemon=True).start()
    if verb == "record":
        asked.wait()
    ask("main")
    say("waits")
    compute()


def wait_for_loop():
    async def main():
        threading.Thread(target=compute, daemon=True).start()
        say("waits")
        await asyncio.Event().wait()
    asyncio.run(main())


def say(text):
    os.write(1, text.encode())


opened = testbench.record(tape) if verb == "record" else testbench.replay(tape)
with opened:
    try:
        globals()[what]()
    except KeyboardInterrupt:
        say(" and is interrupted")
        if then == "leaves":
            raise
'''


@pytest.mark.parametrize("what", ["lock", "lane", "queue", "turn"])
@pytest.mark.parametrize("verb", ["record", "replay"])
def test_an_interrupt_ends_a_wait(verb: str, what: str, tmp_path: Path) -> None:
    """A real SIGINT raises KeyboardInterrupt in the main thread, while another lane computes for ever."""
    tape, program = tmp_path / "t.tape", tmp_path / "program.py"
    program.write_text(_PROGRAM)
    if verb == "replay":
        _interrupt([str(program), "record", str(tape), f"wait_for_{what}", "goes on"])
    assert _interrupt([str(program), verb, str(tape), f"wait_for_{what}", "leaves"]) == b"waits and is interrupted"


def test_an_interrupt_ends_the_wait_of_a_loop(tmp_path: Path) -> None:
    """Asyncio has a handler of its own for SIGINT, which runs although its thread waits in an effect by then."""
    program = tmp_path / "program.py"
    program.write_text(_PROGRAM)
    said = _interrupt([str(program), "record", str(tmp_path / "t.tape"), "wait_for_loop", "leaves"])
    assert said == b"waits and is interrupted"


def _interrupt(command: list[str]) -> bytes:
    """Run a program, and interrupt it when it says that it waits; return all that it says."""
    with subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        try:
            said = child.stdout.read(5)
            child.send_signal(signal.SIGINT)
            return said + child.communicate(timeout=20)[0]
        finally:
            child.kill()
