"""What the operating system says of the other threads."""

from __future__ import annotations

import resource
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


def test_what_a_thread_has_run_is_told_without_a_file() -> None:
    """It grows while a thread computes; of one that has ended nothing is told. It takes no descriptor."""
    rests, go_on = threading.Event(), threading.Event()

    def work() -> None:
        rests.set()
        go_on.wait()
        while asked.ran_ns(native) == before:
            pass

    thread = threading.Thread(target=work)
    thread.start()
    rests.wait()
    native, limits = thread.native_id or 0, resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        before = asked.ran_ns(native)
        go_on.set()
        thread.join()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert before
    assert asked.ran_ns(0) is None
    while asked.ran_ns(native) is not None:
        pass  # a thread that was joined is gone in a moment


def test_threads_that_end_meanwhile_hide_no_other() -> None:
    """However many end while they are listed, one that stays is always there."""
    end, stays = threading.Event(), threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()

    def churn() -> None:
        while not stays.is_set():
            ended = [threading.Thread(target=int) for _ in range(5)]
            for each in ended:
                each.start()
            for each in ended:
                each.join()

    churning = threading.Thread(target=churn)
    churning.start()
    listings = [asked.tasks() for _ in range(300)]
    stays.set()
    end.set()
    churning.join()
    thread.join()
    assert all(str(thread.native_id) in listed for listed in listings)
