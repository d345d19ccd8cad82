"""Generators of `random`, whatever state they were in before the session."""

from __future__ import annotations

import _random
import asyncio
import copy
import gc
import os
import pickle
import random
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from random import gauss as early_gauss
from random import randint as early_randint
from random import random as early_random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import testbench
from testbench import boundary
from testbench.inplace import _layout
from testbench.recorders import Randomness

BEFORE = random.Random()
SEEDED = random.Random(8)


def numbers(generator: Any) -> list[Any]:
    """Draw in many ways."""
    cards = list(range(12))
    generator.shuffle(cards)
    return [
        *(generator.random(), generator.getrandbits(70), generator.randbytes(5), generator.randint(1, 6), cards),
        *(
            generator.sample(range(50), 4),
            generator.choices("abc", k=5),
            generator.gauss(0, 1),
            generator.uniform(1, 2),
        ),
        *(generator.normalvariate(0, 1), generator.expovariate(2), generator.getstate()[1][:4]),
    ]


@pytest.mark.parametrize(
    "find",
    [
        lambda: random,
        lambda: BEFORE,
        lambda: SEEDED,
        lambda: random.Random(),
        lambda: random.Random(random.random()),
    ],
    ids=["module", "made before", "seeded before", "made within", "seeded from another"],
)
def test_draws_come_back_and_the_state_is_asked_once(dice, find: Callable[[], Any]):
    """Whatever was drawn before, a replay gives what the recording gave; the tape holds one state."""
    dice.agree(lambda: numbers(find()))
    assert dice.ops() == ["state"]


class Size(int):
    """An integer of another type, as numpy has them."""


def test_sizes_of_other_integer_types_are_seen(dice):
    """What C code takes for an integer is one here too; what draws nothing, or cannot be, is as ever."""

    def program():
        with pytest.raises((TypeError, ValueError)) as caught:
            random.getrandbits(-1)
        return random.getrandbits(Size(60)), BEFORE.getrandbits(Size(60)), random.getrandbits(0), str(caught.value)

    dice.agree(program)
    assert dice.ops() == ["state", "state"]


def test_by_name_functions_that_are_looked_up_follow(dice):
    """The weaker way of interception sees random.random(), instances and bytes; early names of the module it lists."""

    def program():
        return random.random(), BEFORE.random(), random.randint(1, 1000), random.SystemRandom().random()

    for way in ("record", "replay"):
        with testbench.session(dice.tape, way, interception="name", leaks="ignore") as session:
            drawn = program()
        if way == "record":
            recorded, names = drawn, {leak.name for leak in session.leaks}
    assert drawn == recorded
    assert "random.random" in names
    assert vars(random)["random"] is early_random


def test_an_event_loop_with_threads_replays(dice):
    """Draws of coroutines and of the threads that they use come back."""

    async def main():
        async def one(number):
            await asyncio.sleep(0.001)
            return number, random.random(), await asyncio.to_thread(random.randint, 1, 100)

        # One after the other: workers that contend for the queue of their pool are another matter.
        return [await one(number) for number in range(3)], random.random()

    dice.agree(lambda: asyncio.run(main()))


def test_a_handler_of_a_signal_draws_in_its_place(dice):
    """A handler that runs within a sleep of the program draws the same number there again."""

    def program():
        seen = []
        before = signal.signal(signal.SIGALRM, lambda *_: seen.append(random.random()))
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.01)
            seen.append(random.random())
            time.sleep(0.1)
            seen.append(random.random())
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)  # on replay the sleep is over before it is due
            signal.signal(signal.SIGALRM, before)
        return seen

    assert len(dice.agree(program)) == 3


def test_the_child_of_a_fork_draws_its_own(dice):
    """A fork is out of the session: its child has been seeded anew, as ever, and writes nothing to the tape."""

    def program():
        first = random.random()
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(write, repr(random.random()).encode())
            os._exit(0)
        os.waitpid(child, 0)
        return first, float(os.read(read, 100)), random.random()

    with testbench.record(dice.tape, leaks="ignore", recorders=["random"]):
        first, of_child, second = program()
    assert of_child != second
    with testbench.replay(dice.tape):
        assert [random.random(), random.random()] == [first, second]


def test_names_bound_early_follow(dice):
    """Functions of the module that a program imported by name before are followed."""
    dice.agree(lambda: (early_random(), early_randint(1, 100), early_gauss(0, 1)))


def test_the_second_number_of_gauss_is_part_of_the_state(dice):
    """A number that gauss had left before the session comes first, on replay too."""
    random.gauss(0, 1)
    left = random.getstate()[2]
    assert dice.agree(lambda: [early_gauss(0, 1), random.random()])[0] == left


def test_a_program_that_draws_nothing_leaves_nothing(dice):
    """Generators that are made and seeded are not on the tape as long as nobody draws."""
    dice.agree(lambda: [random.Random() and None, random.seed(), random.SystemRandom() and None])
    assert dice.ops() == []


def test_what_the_program_seeds_needs_no_tape(dice):
    """A generator with a seed of the program's own gives the same as without a session, and no event."""

    def program():
        random.seed(42)
        other = random.Random("text")
        state = random.Random(7).getstate()
        third = random.Random()
        third.setstate(state)
        return numbers(random), numbers(other), numbers(third)

    stock = program()
    assert dice.agree(program) == stock
    assert dice.ops() == []


def test_a_state_from_before_goes_on_while_recording(dice):
    """Recording does not change what a program draws that seeded its generator before the session."""
    random.seed(99)
    expected = [random.random() for _ in range(6)]
    random.seed(99)
    assert [random.random(), *dice.record(lambda: [random.random() for _ in range(4)]), random.random()] == expected


def test_seeding_from_the_system_again_asks_for_the_state_again(dice):
    """random.seed() makes the state unknown."""
    dice.agree(lambda: (random.random(), random.seed(), random.random()))
    assert dice.ops() == ["state", "state"]


def test_a_replay_gives_generators_their_own_states_back(dice):
    """After a replay the world draws what it would have drawn, unless the program has seeded itself."""
    dice.record(lambda: (random.random(), BEFORE.random(), SEEDED.random()))
    states = random.getstate(), BEFORE.getstate(), SEEDED.getstate()
    with testbench.replay(dice.tape):
        random.random(), BEFORE.random(), SEEDED.random()
        SEEDED.seed(5)
        SEEDED.random()
    assert (random.getstate(), BEFORE.getstate()) == states[:2]
    follows = random.Random(5)
    follows.random()
    assert SEEDED.getstate() == follows.getstate()


def test_generators_without_python_are_followed(dice):
    """A bare _random.Random, seeded by C code, and a subclass that seeds nothing."""

    class Lazy(random.Random):
        def __init__(self):
            self.gauss_next = None

    dice.agree(lambda: (_random.Random().random(), _random.Random().getrandbits(40), Lazy().random()))


def test_copies_and_pickles_go_on_alike(dice):
    """A copy draws what its original draws."""

    def program():
        generator = random.Random()
        twins = copy.copy(generator), pickle.loads(pickle.dumps(generator))
        return [twin.random() for twin in (generator, *twins)]

    assert len(set(dice.agree(program))) == 1


def test_a_generator_that_dies_leaves_its_id_to_an_unknown_one(dice):
    """Nothing is taken for known because another object was at its address."""

    def program():
        drawn = []
        for _ in range(50):
            drawn.append(random.Random(1).random())
            drawn.append(random.Random().random())
        return drawn

    dice.agree(program)
    assert dice.ops() == ["state"] * 50


def test_names_of_temporary_files_come_back(dice, monkeypatch):
    """They do whether or not tempfile knows its folder already, and has made names before."""
    warm = Path(tempfile.mktemp()).name

    def program():
        return Path(tempfile.mktemp()).name, Path(tempfile.mktemp()).name

    recorded = dice.record(program)
    assert warm not in recorded
    assert dice.replay(program) == recorded
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_name_sequence", None)
    assert dice.replay(program) == recorded


@boundary
def jitter(times: int) -> list[float]:
    """Draw from the generator of the program, out of sight of a replay."""
    return [random.random() for _ in range(times)]


def test_draws_within_a_marked_function_do_not_disturb_a_replay(dice):
    """What it draws is not repeated on replay, and the program draws the same all the same."""

    def program():
        mine = random.Random(4)
        return [random.random(), jitter(3), random.random(), jitter(0), random.random(), mine.random()]

    dice.agree(program)
    assert [event.outcome.value is None for event in dice.events() if event.op == "again"] == [False, True, True]


def test_a_generator_that_the_program_seeds_goes_on_after_a_replay(dice):
    """What outlives the session is where the recording left it, also when a marked function has drawn from it."""
    held: list[random.Random] = []

    @boundary
    def draw() -> float:
        return held[-1].random()

    def program():
        held.append(random.Random(6))
        return [held[-1].random(), draw(), held[-1].random()]

    dice.record(program)
    dice.replay(program)
    assert held[0].getstate() == held[1].getstate()


def test_a_marked_function_that_draws_first_leaves_the_state_to_the_program(dice):
    """The state is asked where the program itself draws."""
    dice.agree(lambda: (jitter(2), random.random()))
    assert dice.ops() == ["state"]


def test_threads_that_share_a_generator_get_what_they_got(dice):
    """Each draw of one that was there before the first thread is an event; those made in a thread are its own."""

    def program():
        shared, seen = random.Random(3), {}

        def work(name):
            mine = random.Random(name), random.Random()
            seen[name] = [
                *([random.random() for _ in range(5)] + [shared.randint(1, 6) for _ in range(5)]),
                *(each.random() for each in mine),
                *(random.gauss(0, 1), random.getrandbits(100)),
            ]

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return seen, random.random(), random.getstate()

    dice.agree(program)


def test_threads_that_share_a_generator_made_among_them_are_a_leak(dice):
    """It is named with the line, and a replay refuses it."""

    def program():
        made = []
        thread = threading.Thread(target=lambda: made.append(random.Random(5)) or made[0].random())
        thread.start()
        thread.join()
        return made[0].random()

    with testbench.record(dice.tape, leaks="ignore") as session:
        program()
    assert [leak.name for leak in session.leaks] == ["random.shared_generator"]
    assert "test_generators.py" in session.leaks[0].where
    with pytest.raises(testbench.RefusedError, match="shared_generator"), testbench.replay(dice.tape):
        program()


def test_a_replay_that_draws_more_often_in_threads_diverges(dice):
    """A shared draw that is not on the tape is not made up."""

    def program(times):
        thread = threading.Thread(target=lambda: None)
        thread.start()
        thread.join()
        return [random.random() for _ in range(times)]

    dice.record(lambda: program(2))
    with pytest.raises(testbench.DivergenceError):
        dice.replay(lambda: program(3))


def test_nested_sessions_each_have_their_state(tmp_path):
    """Inner and outer recordings hold what the program drew; each replays by itself, the inner one also within one."""

    def program():
        return random.random(), BEFORE.gauss(0, 1), random.getrandbits(5)

    with testbench.record(tmp_path / "outer.tape"), testbench.record(tmp_path / "inner.tape"):
        recorded = program()
    for name in ("outer.tape", "inner.tape"):
        with testbench.replay(tmp_path / name):
            assert program() == recorded
    with testbench.record(tmp_path / "around.tape"):
        with testbench.replay(tmp_path / "inner.tape"):
            assert program() == recorded
        later = program()
    assert later != recorded


def places() -> list[Any]:
    """Return everything that the recorder redirects, as it stands."""
    entries = [vars(_random.Random)[name] for name in ("random", "getrandbits", "getstate", "setstate", "seed")]
    builtins = [_layout.read(function) for function in (random.random, random.getrandbits)]
    return [*entries, *builtins, vars(random.Random)["__init__"], "gauss_next" in vars(random.Random)]


def test_everything_is_restored(dice):
    """Nothing is left in `random` after a session, also after one that raised."""
    before = places()
    dice.agree(lambda: numbers(random))
    with pytest.raises(ZeroDivisionError), testbench.record(dice.tape):
        assert places() != before
        raise ZeroDivisionError
    assert places() == before


def test_generators_are_not_kept_alive(dice):
    """A session refers to them weakly."""

    def program():
        kept = [random.Random() for _ in range(20)]
        for each in kept:
            each.random()
        del kept, each
        gc.collect()
        return sum(type(each) is random.Random for each in gc.get_objects())

    idle = sum(type(each) is random.Random for each in gc.get_objects())
    assert dice.record(program) <= idle + 1


STEPS = {
    "random": lambda: random.random(),
    "bits": lambda: random.getrandbits(33),
    "gauss": lambda: random.gauss(0, 1),
    "shuffle": lambda: random.sample(range(9), 9),
    "seed": lambda: random.seed(),
    "seed 5": lambda: random.seed(5),
    "other": lambda: BEFORE.random(),
    "new": lambda: random.Random().random(),
    "state": lambda: random.getstate()[1][-1],
    "restate": lambda: random.setstate(SEEDED.getstate()),
    "marked": lambda: jitter(2),
    "bytes": lambda: random.SystemRandom().getrandbits(20),
}


@given(st.lists(st.sampled_from(sorted(STEPS)), max_size=20), st.lists(st.sampled_from(sorted(STEPS)), max_size=4))
def test_any_sequence_of_draws_replays(tmp_path_factory, steps, between):
    """Whatever is drawn in whatever order, a replay after other draws gives the same."""
    path = tmp_path_factory.mktemp("draws") / "draws.tape"
    with testbench.record(path, recorders=["random", "call"]):
        recorded = [STEPS[step]() for step in steps]
    for step in between:
        STEPS[step]()
    with testbench.replay(path):
        assert [STEPS[step]() for step in steps] == recorded


def _name_after_a_thread() -> str:
    thread = threading.Thread(target=random.random)
    thread.start()
    thread.join()
    return tempfile.mktemp()


def test_names_after_a_thread_do_not_depend_on_earlier_names(dice, monkeypatch):
    """The generator of names is one of the whole process, made with the first of them: before the session or in it."""
    monkeypatch.setattr(tempfile, "_name_sequence", None)
    recorded = dice.record(_name_after_a_thread)
    assert dice.replay(_name_after_a_thread) == recorded
    recorded = dice.record(_name_after_a_thread)
    monkeypatch.setattr(tempfile, "_name_sequence", None)
    assert dice.replay(_name_after_a_thread) == recorded


def test_tapes_of_version_1_have_names_as_they_had_them(dice, monkeypatch):
    """A tape that was recorded where the first name was made after a thread replays there."""
    monkeypatch.setattr(tempfile, "_name_sequence", None)
    recorded = dice.record(_name_after_a_thread, recorders=(Randomness(version=1),))
    assert "state" in dice.ops()
    monkeypatch.setattr(tempfile, "_name_sequence", None)
    assert dice.replay(_name_after_a_thread) == recorded
