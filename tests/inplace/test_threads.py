"""What the operating system says of the other threads."""

from __future__ import annotations

import threading

from testbench.inplace import threads as asked


def test_every_other_thread_has_a_place() -> None:
    """A thread that has begun is seen, this one is not."""
    end, begun = threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        end.wait()

    before = asked.places()
    thread = threading.Thread(target=wait)
    thread.start()
    begun.wait()
    assert len(asked.places()) == len(before) + 1
    end.set()
    thread.join()


def test_a_thread_that_has_ended_says_nothing() -> None:
    """Files of what is no thread of this process are not there."""
    assert asked.read("0", "schedstat") is None
