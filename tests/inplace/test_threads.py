"""What the operating system says of the other threads."""

from __future__ import annotations

import threading

from testbench.inplace import threads


def test_a_thread_that_waits_rests() -> None:
    """A waiting thread is seen, and is the same as before when one looks again."""
    end, begun = threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        end.wait()

    before = threads.places()
    thread = threading.Thread(target=wait)
    thread.start()
    begun.wait()
    threads.let_others_rest()
    assert len(threads.places()) == len(before) + 1
    end.set()
    thread.join()


def test_a_thread_that_computes_moves() -> None:
    """It is let run on, but not for ever."""
    end, turns = threading.Event(), []

    def compute() -> None:
        while not end.is_set():
            turns.append(None)

    thread = threading.Thread(target=compute)
    thread.start()
    threads.let_others_rest(slices=3)
    assert turns
    end.set()
    thread.join()


def test_a_thread_that_has_ended_says_nothing() -> None:
    """Files of what is no thread of this process are not there."""
    assert threads.read("0", "schedstat") is None
