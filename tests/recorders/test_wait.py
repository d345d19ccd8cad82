"""Waits with a timeout: what is on the tape of them, and that a replay spends no time on those that run out."""

from __future__ import annotations

import concurrent.futures
import queue
import socket
import threading
import time

import pytest

import testbench
from testbench.inplace import real
from testbench.recorders import Wait

YEAR = 31_536_000.0
SHORT = 0.001


@pytest.fixture
def tape(tmp_path):
    """Give a path for a tape."""
    return tmp_path / "wait.tape"


def in_vain(error, wait):
    """Wait for what never comes; return the words of the error."""
    with pytest.raises(error) as raised:
        wait()
    return repr(raised.value)


def joined(seconds):
    """Wait in vain for the end of a thread."""
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    thread.join(seconds)
    alive = thread.is_alive()
    end.set()
    thread.join()
    return alive


def taken(lock):
    """Return a lock that is held."""
    lock.acquire()
    return lock


EXPIRING = {
    "lock": lambda s: taken(threading.Lock()).acquire(timeout=s),
    "lock, by place": lambda s: taken(threading.Lock()).acquire(True, s),
    "event": lambda s: threading.Event().wait(s),
    "semaphore": lambda s: threading.Semaphore(0).acquire(timeout=s),
    "queue": lambda s: in_vain(queue.Empty, lambda: queue.Queue().get(timeout=s)),
    "full queue": lambda s: in_vain(queue.Full, lambda: filled().put(1, timeout=s)),
    "simple queue": lambda s: in_vain(queue.Empty, lambda: queue.SimpleQueue().get(timeout=s)),
    "future": lambda s: in_vain(TimeoutError, lambda: concurrent.futures.Future().result(s)),
    "thread": joined,
}


def filled():
    """Return a queue that has no room."""
    full = queue.Queue(1)
    full.put(0)
    return full


def outcomes(path):
    """Return (timeout, whether it came) of each wait on a tape; where there were several lanes, of those in vain."""
    with testbench.open_tape(path) as tape:
        alone = [(event.request["timeout"], event.outcome.value) for event in tape.events(kind="wait")]
        return alone + [(e.request["timeout"], False) for e in tape.events(kind="lane") if e.op == "expired"]


@pytest.mark.parametrize("program", EXPIRING.values(), ids=EXPIRING.keys())
def test_a_wait_that_ran_out_runs_out_at_once(tape, program):
    """It is on the tape, a replay gives the same answer, and does not ask the method that waits."""
    with testbench.record(tape):
        seen = program(SHORT)
    assert [came for _, came in outcomes(tape)] == [False]
    with testbench.replay(tape):
        assert program(SHORT) == seen


def satisfied():
    """Wait with timeouts for what another thread does, each time it has been asked to."""
    asked, answers, done = queue.SimpleQueue(), queue.SimpleQueue(), threading.Event()

    def answer():
        while (number := asked.get()) is not None:
            answers.put(number * 2)
        done.set()

    thread = threading.Thread(target=answer)
    thread.start()
    seen = []
    for number in range(20):
        asked.put(number)
        seen.append(answers.get(timeout=60))
    asked.put(None)
    seen.append(done.wait(60))
    thread.join(60)
    return [*seen, thread.is_alive()]


def test_a_wait_that_was_satisfied_is_satisfied_by_the_other_thread(tape):
    """On replay what the other thread gives is really there, and the order is the same."""
    with testbench.record(tape):
        seen = satisfied()
    with testbench.replay(tape):
        assert satisfied() == seen == [*range(0, 40, 2), True, False]


@pytest.mark.parametrize("clock", ["real", "ticking"])
def test_whose_time_runs_out_is_the_same_again(tape, clock):
    """Several lanes want one lock, some for a while, some at once or never: who gets it, and when, repeats."""

    def program():
        lock, notes = threading.Lock(), []

        def want(name, ask):
            for turn in range(15):
                got = ask()
                notes.append((name, turn, got))
                if got:
                    time.sleep(SHORT / 4)
                    lock.release()
                time.time()

        asks = [lambda: lock.acquire(timeout=SHORT / 3), lambda: lock.acquire(False), lambda: lock.acquire()]
        threads = [threading.Thread(target=want, args=(name, asks[name % 3])) for name in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        return notes, any(thread.is_alive() for thread in threads)

    with testbench.record(tape, clock=clock):
        recorded = program()
    assert recorded[1] is False
    for _ in range(3):
        with testbench.replay(tape):
            assert program() == recorded


def test_a_tape_of_old_is_replayed_as_ever(tape):
    """One of version 1 has an event for each wait of several lanes too."""
    with testbench.record(tape, recorders=[Wait(version=1)]):
        seen = satisfied()
    assert len(outcomes(tape)) > 20
    with testbench.replay(tape):
        assert satisfied() == seen


def late(own):
    """Wait in vain for a socket."""
    with pytest.raises(TimeoutError, match="timed out"):
        own()


SOCKETS = {
    "recv": lambda here: late(lambda: here.recv(1)),
    "recv_into": lambda here: late(lambda: here.recv_into(bytearray(1))),
    "stream": lambda here: late(lambda: here.makefile("rb").read(1)),
    "accept": lambda _: accepted(),
}


def accepted():
    """Wait in vain for somebody who connects."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(SHORT)
        late(server.accept)


@pytest.mark.parametrize("program", SOCKETS.values(), ids=SOCKETS.keys())
def test_a_socket_that_was_late_is_late_at_once(tape, program):
    """The wait is on the tape, and a replay does not wait, though the socket is real."""

    def run(timeout):
        here, there = socket.socketpair()
        with here, there:
            here.settimeout(timeout)
            return program(here)

    with testbench.record(tape):
        run(SHORT)
    with testbench.replay(tape):
        run(SHORT)


def test_what_comes_by_a_socket_is_real(tape):
    """It is not on the tape: a replay gets it from the other end, after a wait that was in time."""

    def program():
        here, there = socket.socketpair()
        with here, there:
            here.settimeout(60)
            there.send(b"hello")
            return here.recv(5), here.send(b"x"), here.fileno() > 0

    with testbench.record(tape):
        assert program() == (b"hello", 1, True)
    with testbench.replay(tape):
        assert program() == (b"hello", 1, True)
    assert [came for _, came in outcomes(tape)] == [True, True]


@pytest.mark.parametrize("way", ["connect", "connect_ex"])
def test_errors_of_a_socket_with_a_timeout_are_its_own(tape, way):
    """A refused connection and a closed socket say so, in both modes."""

    def program():
        with socket.socket() as own, socket.create_server(("127.0.0.1", 0)) as server:
            address = server.getsockname()
            server.close()
            own.settimeout(60)
            try:
                refused = getattr(own, way)(address)
            except OSError as error:
                refused = error.errno
        with pytest.raises(OSError, match="descriptor") as raised:
            own.recv(1)
        return refused, raised.value.errno

    expected = program()
    with testbench.record(tape, allow=["127.0.0.1"]):
        assert program() == expected
    with testbench.replay(tape, allow=["127.0.0.1"]):
        assert program() == expected


def test_a_reentrant_lock_is_held_afterwards(tape):
    """A wait for a free lock gets it, in both modes."""

    def program():
        lock = threading.RLock()
        return lock.acquire(timeout=5), lock._is_owned()

    with testbench.record(tape):
        assert program() == (True, True)
    with testbench.replay(tape):
        assert program() == (True, True)


def test_what_does_not_come_on_replay_is_a_stall(tape):
    """A wait that was satisfied, and cannot be now, fails the replay at once."""
    with testbench.record(tape):
        threading.Lock().acquire(timeout=5)
    lock = taken(threading.Lock())
    with pytest.raises(testbench.StallError, match="no lane can go on"), testbench.replay(tape):
        lock.acquire(timeout=5)


def test_another_timeout_is_a_divergence(tape):
    """The timeout is what is asked."""
    with testbench.record(tape):
        threading.Event().wait(SHORT)
    with pytest.raises(testbench.MismatchError, match="timeout"), testbench.replay(tape):
        threading.Event().wait(2 * SHORT)


@pytest.mark.parametrize(
    "wait",
    [
        lambda: threading.Lock().acquire(),
        lambda: threading.Lock().acquire(False),
        lambda: threading.Lock().acquire(blocking=False),
        lambda: threading.Event().wait(0),
        lambda: filled().get(timeout=None),
        lambda: in_vain(ValueError, lambda: threading.Lock().acquire(True, -2)),
        lambda: in_vain(ValueError, lambda: threading.Lock().acquire(True, float("nan"))),
        lambda: in_vain(TypeError, lambda: threading.Lock().acquire(True, "x")),
        lambda: in_vain(OverflowError, lambda: threading.Lock().acquire(True, 1e300)),
        lambda: in_vain(ValueError, lambda: queue.SimpleQueue().get(timeout=-1)),
    ],
)
def test_what_is_no_wait_with_a_timeout_is_not_on_the_tape(tape, wait):
    """Waits without one, looking only, and misuse: all is as without a session."""
    with testbench.record(tape):
        wait()
    assert outcomes(tape) == []


def test_threads_from_before_are_left_alone(tape):
    """A thread that was there before the session, and does nothing but wait, leaves nothing on the tape."""
    end, waited = threading.Event(), threading.Semaphore(0)

    def watch():
        while not end.wait(SHORT):
            waited.release()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        with testbench.record(tape):
            waited.acquire()
            waited.acquire()
    finally:
        end.set()
        thread.join()
    assert outcomes(tape) == []


def test_a_wait_inside_a_crossing_belongs_to_it(tape):
    """What a marked function waits for is not on the tape."""

    @testbench.boundary
    def slow():
        return threading.Event().wait(SHORT)

    with testbench.record(tape):
        assert slow() is False
    assert outcomes(tape) == []
    with testbench.replay(tape):
        assert slow() is False


def test_the_types_are_restored(tape):
    """After the session the methods are the stock ones."""
    places = [(type(threading.Lock()), "acquire"), (type(threading.RLock()), "acquire"), (queue.SimpleQueue, "get")]
    before = [vars(owner)[name] for owner, name in places]
    with testbench.record(tape):
        assert all(vars(owner)[name] is not stock for (owner, name), stock in zip(places, before, strict=True))
    assert [vars(owner)[name] for owner, name in places] == before
    assert real.acquire is before[0]


def test_sleeping_threads_keep_their_order(tape):
    """Who wakes first, by sleeping or by waiting, does so on replay."""

    def program():
        seen = []

        def sleeper(name, wait):
            wait()
            seen.append(name)
            time.time()

        threads = [
            threading.Thread(target=sleeper, args=("late", lambda: threading.Event().wait(0.03))),
            threading.Thread(target=sleeper, args=("early", lambda: time.sleep(0.01))),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        return seen

    with testbench.record(tape):
        assert program() == ["early", "late"]
    with testbench.replay(tape):
        assert program() == ["early", "late"]
